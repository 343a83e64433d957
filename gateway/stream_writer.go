package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

const (
	// lastMark ends the id of the last event, so that whoever has seen it and comes again is told that there is no more.
	lastMark    = "-end"
	eventWrite  = 30 * time.Second // that a client may take for an event
	eventReturn = time.Second      // after which a client comes again
)

// beginEvents answers with server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html. The caller calls done at the end.
func beginEvents(c *gin.Context) *eventWriter {
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx keeps answers back otherwise
	c.Writer.WriteHeader(http.StatusOK)
	out := &eventWriter{w: c.Writer, control: http.NewResponseController(c.Writer)}
	fmt.Fprintf(&out.text, "retry: %d\n", eventReturn.Milliseconds())
	return out
}

// noMoreEvents tells an EventSource to come no more.
func noMoreEvents(c *gin.Context) {
	c.Writer.WriteHeader(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
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
		return 0, false, fault.New(fault.Invalid, "invalid_request", "Last-Event-ID is %q; it is the id of an event that was sent before", clip(text)).At("header.Last-Event-ID", "not an id of an event")
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
	return o.put(name, id, body)
}

// put is send for data that are JSON on one line.
func (o *eventWriter) put(name, id string, body []byte) bool {
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
