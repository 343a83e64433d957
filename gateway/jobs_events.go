package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
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

const (
	// lastMark ends the id of the last event, so that whoever has seen it and comes again is told that there is no more.
	lastMark    = "-end"
	eventWrite  = 30 * time.Second // that a client may take for an event
	eventReturn = time.Second      // after which a client comes again
)

// jobEvents answers GET /v1/jobs/{id}/events: server-sent events, see https://html.spec.whatwg.org/multipage/server-sent-events.html. The first
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
		c.Writer.WriteHeader(http.StatusNoContent) // which tells an EventSource to come no more
		c.Writer.WriteHeaderNow()
		return nil
	}
	ctx, release, err := s.jobs.hold(c.Request.Context())
	if err != nil {
		return err
	}
	defer release()
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx keeps answers back otherwise
	c.Writer.WriteHeader(http.StatusOK)
	out := &eventWriter{w: c.Writer, control: http.NewResponseController(c.Writer)}
	defer out.done()
	fmt.Fprintf(&out.text, "retry: %d\n", eventReturn.Milliseconds())
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

// lastEvent reads where a client that comes again goes on, by the Last-Event-ID that EventSource sends.
func lastEvent(r *http.Request) (from int, ended bool, err error) {
	if r.URL.RawQuery != "" {
		return 0, false, badOption("query", "events take no parameters; the header Last-Event-ID says where to go on")
	}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, false, nil
	}
	number, ended := strings.CutSuffix(text, lastMark)
	if from, err = strconv.Atoi(number); err != nil || from < 0 {
		return 0, false, fault.New(fault.Invalid, "invalid_request", "Last-Event-ID is %q; it is the id of an event of this job", clip(text)).At("header.Last-Event-ID", "not an id of an event")
	}
	return from, ended, nil
}

// eventWriter writes events, each at once.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    strings.Builder
}

// send writes one event, and reports whether the client takes more.
func (o *eventWriter) send(name, id string, v any) bool {
	body, err := json.Marshal(v) // on one line
	if err != nil {
		return false
	}
	if id != "" {
		fmt.Fprintf(&o.text, "id: %s\n", id)
	}
	fmt.Fprintf(&o.text, "event: %s\ndata: %s\n\n", name, body)
	return o.flush()
}

// comment is a sign of life.
func (o *eventWriter) comment() bool {
	o.text.WriteString(":\n\n")
	return o.flush()
}

func (o *eventWriter) flush() bool {
	_ = o.control.SetWriteDeadline(time.Now().Add(eventWrite)) // writers without deadlines are those of tests
	_, err := o.w.Write([]byte(o.text.String()))
	o.text.Reset()
	return err == nil && o.control.Flush() == nil
}

func (o *eventWriter) done() { _ = o.control.SetWriteDeadline(time.Time{}) }
