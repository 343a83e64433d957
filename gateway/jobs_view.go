package gateway

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
)

// JobView is the document of a job, but for its result. It is exported since the OpenAPI generator leaves out what stands in an embedded type that is not.
type JobView struct {
	ID              string            `json:"id" example:"01KAKZ4C9SY1V6T3B0M8QWERTY0123456789"`
	Model           string            `json:"model" example:"shapes"`
	Version         string            `json:"version,omitempty" doc:"As asked for; left out, the model's policy decides when the job runs"`
	State           jobs.State        `json:"state" enum:"queued,running,succeeded,failed,cancelled,expired"`
	Priority        jobs.Priority     `json:"priority" enum:"realtime,interactive,batch"`
	Position        *int              `json:"position,omitempty" doc:"Of a queued job that is due: how many due jobs are before it; left out before run_at" example:"3"`
	EstimateSeconds *float64          `json:"estimate_seconds,omitempty" doc:"About how long until it is done, from now on, where that is known; the time until run_at is counted in" example:"0.4"`
	Progress        progressView      `json:"progress"`
	Attempts        int               `json:"attempts" doc:"Attempts that were used up"`
	CreatedAt       time.Time         `json:"created_at"`
	RunAt           *time.Time        `json:"run_at,omitempty" doc:"Not before; left out where it is the time of creation"`
	StartedAt       *time.Time        `json:"started_at,omitempty"`
	FinishedAt      *time.Time        `json:"finished_at,omitempty"`
	Deadline        *time.Time        `json:"deadline,omitempty"`
	ExpiresAt       *time.Time        `json:"expires_at,omitempty" doc:"Of a final job: when it is deleted with its result"`
	Cancelling      bool              `json:"cancelling,omitempty" doc:"It is to be cancelled, and its worker has not heard of it yet"`
	Names           []string          `json:"names,omitempty" doc:"The names of the files, in the order of the results; left out where there are none, and in lists"`
	Error           *problem          `json:"error,omitempty" doc:"Of a failed job: why; of one that waits or runs: why the last attempt failed"`
	Poison          bool              `json:"poison,omitempty" doc:"Of a failed job: the input itself is at fault, no attempt can succeed"`
	Links           map[string]string `json:"links" example:"{\"self\":\"/v1/jobs/ID\",\"events\":\"/v1/jobs/ID/events\"}"`
}

type progressView struct {
	Done   int `json:"done" doc:"Items with a result, failed ones included" example:"0"`
	Failed int `json:"failed" doc:"Of these, those that failed"`
	Total  int `json:"total" example:"1"`
}

func jobPath(id string) string { return "/v1/jobs/" + id }

// viewJob makes the document of a job.
func (s *server) viewJob(j *jobs.Job) *JobView {
	v := &JobView{
		ID: j.ID, Model: j.Model, Version: j.Version, State: j.State, Priority: j.Priority, Attempts: j.Attempt, Progress: progressView{j.Done, j.Bad, j.Total},
		CreatedAt: j.Created, StartedAt: when(j.Started), FinishedAt: when(j.Finished), Deadline: when(j.Deadline),
		Cancelling: j.Canceled && !j.State.Final(), Links: map[string]string{"self": jobPath(j.ID), "events": jobPath(j.ID) + "/events"},
	}
	if !j.RunAt.Equal(j.Created) {
		v.RunAt = when(j.RunAt)
	}
	if j.State == jobs.Queued && j.Place >= 0 && !j.RunAt.After(s.now()) {
		v.Position = &j.Place
	}
	if d, ok := s.jobs.service.Estimate(j); ok {
		seconds := math.Round(d.Seconds()*1000) / 1000
		v.EstimateSeconds = &seconds
	}
	if j.State.Final() && !j.Finished.IsZero() {
		v.ExpiresAt = when(j.Finished.Add(j.ResultTTL))
	}
	for i := range j.Items {
		if j.Items[i].Name != "" && v.Names == nil {
			v.Names = make([]string, len(j.Items))
		}
		if v.Names != nil {
			v.Names[i] = j.Items[i].Name
		}
	}
	if j.Problem != nil && j.State != jobs.Succeeded {
		v.Error, v.Poison = problemOfJob(j), j.Problem.Poison
	}
	if j.State == jobs.Expired && v.Error == nil {
		v.Error = expiredProblem(j)
	}
	return v
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// sendJob writes a job's document without its result.
func (s *server) sendJob(c *gin.Context, status int, j *jobs.Job) {
	s.writeJSON(c, status, s.viewJob(j))
}

// writeJSON writes a document that nobody may keep.
func (s *server) writeJSON(c *gin.Context, status int, v any) {
	body, _ := json.Marshal(v) // texts, numbers and times: cannot fail
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Server-Timing", serverTiming(nil, s.now().Sub(stateOf(c).started)))
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(body) // a client that has gone is noticed by the context
}

// sendResult writes a job's document, with its result where it has one.
func (s *server) sendResult(c *gin.Context, service *jobs.Service, j *jobs.Job) error {
	if j.State != jobs.Succeeded {
		s.sendJob(c, http.StatusOK, j)
		return nil
	}
	head, _ := json.Marshal(s.viewJob(j)) // texts, numbers and times: cannot fail
	r, err := newResultReader(c.Request.Context(), service, j)
	if err != nil {
		return err
	}
	s.startResult(c)
	_, _ = c.Writer.Write(head[:len(head)-1])
	_, _ = io.WriteString(c.Writer, `,"result":`)
	if err := r.writeTo(c.Writer); err != nil {
		return s.endResult(c, j, err)
	}
	_, _ = io.WriteString(c.Writer, "}")
	return nil
}

// startResult begins an answer whose length is not known.
func (s *server) startResult(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", typeJSON)
	h.Set("Server-Timing", serverTiming(nil, s.now().Sub(stateOf(c).started)))
	c.Writer.WriteHeader(http.StatusOK)
}

// endResult breaks the connection where a result could not be written to its end, so that the client sees that it is cut off.
func (s *server) endResult(c *gin.Context, j *jobs.Job, err error) error {
	if err == nil {
		return nil
	}
	if c.Request.Context().Err() == nil {
		s.log.Warn("the result of a job could not be sent to its end", "request_id", requestID(c), "job", j.ID, "cause", err.Error())
	}
	panic(http.ErrAbortHandler)
}
