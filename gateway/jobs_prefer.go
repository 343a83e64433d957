package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
)

// preference is what the header Prefer asks for, by https://www.rfc-editor.org/rfc/rfc7240.
type preference struct {
	async bool          // respond-async
	wait  time.Duration // wait: how long an answer may take before it becomes a job; 0: not said
	quiet bool          // miss=no-content: a look-up by digest that finds nothing is no error, which a browser would write into its console
}

// readPrefer reads the header. What it does not know it ignores, as the standard wants; the first of two that contradict each other counts.
func readPrefer(h http.Header) (p preference) {
	waited := false
	for _, line := range h["Prefer"] {
		for part := range strings.SplitSeq(line, ",") {
			part, _, _ = strings.Cut(part, ";")
			name, value, _ := strings.Cut(part, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "miss":
				p.quiet = p.quiet || strings.Trim(strings.TrimSpace(value), `"`) == "no-content"
			case "wait":
				seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
				if err == nil && !waited {
					p.wait, waited = min(time.Duration(seconds)*time.Second, longestWait), true
				}
			}
		}
	}
	return p
}

// inferAsync answers an infer with Prefer: respond-async: as a job, or with wait as infer does, if the job is done in that time.
func (s *server) inferAsync(c *gin.Context, model, version string, want preference) error {
	p := &jobParams{fixed: true}
	p.Model, p.Version = model, version
	j, created, err := s.handIn(c, p)
	if err != nil {
		return err
	}
	applied := "respond-async"
	if want.wait > 0 {
		applied += ", wait=" + strconv.Itoa(int(want.wait/time.Second))
	}
	c.Header("Preference-Applied", applied)
	c.Header("Vary", "Prefer")
	if want.wait == 0 {
		return s.accepted(c, j, created)
	}
	id := j.ID
	if j, err = s.waitFor(c.Request.Context(), s.jobs.service, id, want.wait); err != nil {
		return err
	}
	c.Header("Location", jobPath(id))
	switch j.State {
	case jobs.Succeeded:
		return s.sendPlain(c, j)
	case jobs.Failed:
		return failureOf(j)
	}
	return s.accepted(c, j, created)
}

// sendPlain answers with a job's result alone, as infer does.
func (s *server) sendPlain(c *gin.Context, j *jobs.Job) error {
	r, err := newResultReader(c.Request.Context(), s.jobs.service, j)
	if err != nil {
		return err
	}
	s.startResult(c)
	return s.endResult(c, j, r.writeTo(c.Writer))
}
