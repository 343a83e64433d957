package e2e

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"triton-gateway/e2e/history"
)

// impatient gives up on a gateway that was killed.
var impatient = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second}}

// exchange sends a request and reads the answer; failed where none came.
func exchange(req *http.Request) (status int, body []byte, failed bool) {
	resp, err := impatient.Do(req)
	if err != nil {
		return 0, nil, true
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err != nil
}

// givenUp is how long a job is watched.
const givenUp = 2 * patience

// watch asks for a job until it is done, and writes down all that is seen.
func (c *crowd) watch(id string) {
	for end := time.Now().Add(givenUp); time.Now().Before(end) && c.ctx.Err() == nil; {
		if c.see(id, "?wait="+c.plan.wait) {
			return
		}
		after(c.ctx, 20*time.Millisecond)
	}
}

// see asks for a job once, anywhere, writes down what it is, and reports whether it is final. An answer that does not come is no sighting; a job that is
// not there is one.
func (c *crowd) see(id, query string) (final bool) {
	req, err := http.NewRequest("GET", c.site.urls[rand.IntN(len(c.site.urls))]+"/v1/jobs/"+id+query, nil)
	if err != nil {
		c.t.Error(err)
		return true
	}
	status, body, failed := exchange(req)
	if failed || status >= 500 || status == http.StatusTooManyRequests {
		return false
	}
	var d struct {
		ID, State, Code string
		Attempts        int
		FinishedAt      time.Time `json:"finished_at"`
		Result          json.RawMessage
	}
	s := history.Sighting{ID: id, At: time.Now(), State: "gone"}
	if err := json.Unmarshal(body, &d); err != nil {
		s.State = "unreadable: " + err.Error()
	} else if status == http.StatusOK && d.ID == id {
		s.State, s.Attempts, s.Finished = d.State, d.Attempts, d.FinishedAt
		if d.Result != nil {
			s.Answer = plainAnswer(d.Result)
		}
	} else {
		s.State += ": " + d.Code
	}
	c.site.history.Saw(s)
	return s.State == "succeeded" || s.State == "failed" || s.State == "cancelled" || s.State == "expired"
}

// lookAgain asks for every job once more when all is quiet, and for the list of all.
func (c *crowd) lookAgain() {
	c.ids.Range(func(id, _ any) bool {
		c.see(id.(string), "")
		return c.ctx.Err() == nil
	})
	listed := []string{}
	for cursor := ""; ; {
		q := url.Values{"limit": {"500"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		r := do(c.t, "GET", c.site.urls[0]+"/v1/jobs?"+q.Encode(), "", nil)
		var page struct {
			Jobs []struct{ ID string }
			Next string
		}
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			c.t.Fatalf("the list: %d %s", r.status, r.body)
		}
		for _, j := range page.Jobs {
			listed = append(listed, j.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	c.site.history.Listed = listed
}
