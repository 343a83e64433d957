package gateway

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
)

// eventView is what an event of an item says.
type eventView struct {
	Index  int             `json:"index" doc:"Of the item"`
	Name   string          `json:"name,omitempty" doc:"Of its file"`
	Done   int             `json:"done" doc:"Items with a result, this one included"`
	Total  int             `json:"total"`
	Result json.RawMessage `json:"result,omitempty" doc:"As infer answers"`
	Error  json.RawMessage `json:"error,omitempty" doc:"The problem document of an item that failed"`
}

// jobEvents answers GET /v1/jobs/{id}/events: server-sent events. The first
// event is the job's state; then comes one for each item that has a result, and at the end the final state.
func (s *server) jobEvents(c *gin.Context) error {
	service, err := s.jobs.ready()
	if err != nil {
		return err
	}
	from, ended, err := lastEvent(c.Request)
	if err != nil {
		return err
	}
	j, err := service.Get(c.Request.Context(), tenantOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	stateOf(c).model = j.Model
	if ended && j.State.Final() {
		noMoreEvents(c)
		return nil
	}
	ctx, release, err := s.jobs.hold(c.Request.Context())
	if err != nil {
		return err
	}
	defer release()
	out := beginEvents(c)
	defer out.done()
	if !out.send("state", "", s.viewJob(j)) {
		return nil
	}
	if err := s.stream(ctx, out, service, tenantOf(c), j, from); err != nil && ctx.Err() == nil {
		out.send("error", "", newProblem(err, requestID(c)))
	}
	return nil
}

// stream sends the events until the last one, or until ctx or the client ends.
func (s *server) stream(ctx context.Context, out *eventWriter, service *jobs.Service, tenant *string, j *jobs.Job, from int) error {
	type step struct {
		jobs.Event
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	steps, over := make(chan step), make(chan struct{})
	go func() {
		defer close(over)
		defer close(steps)
		for e, err := range service.Events(ctx, tenant, j.ID, from) {
			select {
			case steps <- step{e, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-over }()
	alive := time.NewTicker(noteTimeout)
	defer alive.Stop()
	for {
		select {
		case e, more := <-steps:
			switch {
			case !more:
				return nil
			case e.err != nil:
				return e.err
			case e.Result == nil:
				out.send("state", strconv.Itoa(e.ID)+lastMark, s.viewJob(e.Job))
				return nil
			case !out.send("item", strconv.Itoa(e.ID), itemEvent(e.Event, j.Items)):
				return nil
			}
		case <-alive.C:
			if !out.comment() {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func itemEvent(e jobs.Event, items []jobs.Item) eventView {
	v := eventView{Index: e.Result.Index, Done: e.ID, Total: e.Job.Total}
	if i := e.Result.Index; i >= 0 && i < len(items) {
		v.Name = items[i].Name
	}
	if e.Result.Bad {
		v.Error = e.Result.Body
	} else {
		v.Result = e.Result.Body
	}
	return v
}
