package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
)

// usualPage is how many jobs a list has where its caller does not say.
const usualPage = 100

// jobListView is a page of jobs.
type jobListView struct {
	Jobs []*JobView `json:"jobs" doc:"The newest first, without results and positions"`
	Next string     `json:"next,omitempty" doc:"The cursor of the next page; left out at the end"`
}

// listJobs answers GET /v1/jobs.
func (s *server) listJobs(c *gin.Context) error {
	service, err := s.jobs.ready()
	if err != nil {
		return err
	}
	f, err := jobFilter(c.Request)
	if err != nil {
		return err
	}
	f.Tenant = tenantOf(c)
	page, next, err := service.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	out := jobListView{Jobs: []*JobView{}, Next: next}
	for _, j := range page {
		out.Jobs = append(out.Jobs, s.viewJob(j))
	}
	if next != "" {
		q := c.Request.URL.Query()
		q.Set("cursor", next)
		c.Header("Link", "<"+(&url.URL{Path: "/v1/jobs", RawQuery: q.Encode()}).String()+`>; rel="next"`)
	}
	s.writeJSON(c, http.StatusOK, out)
	return nil
}

// jobFilter reads the filters of a list.
func jobFilter(r *http.Request) (f jobs.Filter, err error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return f, err
	}
	f.Limit = usualPage
	for _, pair := range q {
		if pair.value == "" {
			return f, badOption("query."+clip(pair.name), "%s is empty; give a value or leave it out", clip(pair.name))
		}
		switch pair.name {
		case "state":
			for state := range strings.SplitSeq(pair.value, ",") {
				f.States = append(f.States, jobs.State(strings.TrimSpace(state)))
			}
		case "model":
			f.Model = pair.value
		case "priority":
			f.Priority = jobs.Priority(pair.value)
		case "cursor":
			f.Cursor = pair.value
		case "limit":
			if f.Limit, err = strconv.Atoi(pair.value); err != nil || f.Limit < 1 || f.Limit > 1000 {
				return f, badOption("query.limit", "limit is a whole number between 1 and 1000, not %q", clip(pair.value))
			}
		default:
			return f, badOption("query."+clip(pair.name), "the query has no parameter %q; known are state, model, priority, limit and cursor", clip(pair.name))
		}
	}
	return f, nil
}
