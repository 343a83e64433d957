package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/streams"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// streamer is what HTTP needs of the pipeline for streams.
type streamer interface {
	// Stream gives each response of a model to emit, in order; see backend.Streamer.
	Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error
}

// streamSide is what HTTP needs for streams. nil: there are none.
type streamSide struct {
	runner  streamer
	hub     *streams.Hub
	longest time.Duration // that a run may take
	most    int           // responses of a unary answer
	bytes   int64         // of its document
	sockets *sockets
	frames  frameCounts
}

// streamView is the first event of a stream, whose name is stream.
type streamView struct {
	ID    string      `json:"id" example:"3JQK5VT2W6ZB7M4XHNDRCAYEPF" doc:"Of the stream: who has it, and a key of the same tenant, can read it"`
	Model string      `json:"model" example:"countdown"`
	Links streamLinks `json:"links"`
}

type streamLinks struct {
	Self string `json:"self" example:"/v1/streams/3JQK5VT2W6ZB7M4XHNDRCAYEPF" doc:"Where to go on after the connection was lost"`
}

// responseView is an event with a response, whose name is response; it is written without going through this type.
type responseView struct {
	Version    string           `json:"version" example:"1" doc:"That answered"`
	Outputs    []map[string]any `json:"outputs" doc:"The tensors, as infer answers them for raw models"`
	Parameters map[string]any   `json:"parameters,omitempty" doc:"That the model gave with the response"`
}

// doneView is the last event of a stream that ended well, whose name is done.
type doneView struct {
	Responses int `json:"responses" example:"17" doc:"How many there were"`
}

// responsesView is the unary answer.
type responsesView struct {
	ID        string         `json:"id" doc:"Of this call"`
	Model     string         `json:"model" example:"countdown"`
	Responses []responseView `json:"responses"`
}

// part ends sockets, and streams that still run after a time.
func (side *streamSide) part(after time.Duration) {
	side.sockets.part()
	side.hub.Drain(after)
}

// close ends everything, and waits for it.
func (side *streamSide) close() error {
	side.sockets.close()
	return side.hub.Close()
}

// registerStreams adds the routes of streams.
func (s *server) registerStreams(e *gin.Engine) {
	e.POST("/v1/models/:model/stream", s.handle(s.beginStream))
	e.POST("/v1/models/:model/versions/:version/stream", s.handle(s.beginStream))
	e.GET("/v1/streams/:id", s.handle(s.resumeStream))
	e.GET("/v1/models/:model/ws", s.handle(s.socket))
	e.GET("/v1/models/:model/versions/:version/ws", s.handle(s.socket))
}

// streaming gives the side, or why there is none.
func (s *server) streaming() (*streamSide, error) {
	if s.streams == nil {
		return nil, fault.New(fault.NotFound, "not_found", "this gateway has no streams")
	}
	return s.streams, nil
}

// beginStream answers POST .../stream: a model's responses as events, or with aggregate=true all of them in one document.
func (s *server) beginStream(c *gin.Context) error {
	side, err := s.streaming()
	if err != nil {
		return err
	}
	aggregate, err := aggregateOf(c.Request)
	if err != nil {
		return err
	}
	times := httpLimits{Timeout: side.longest}
	if aggregate {
		times = s.limits
	}
	unlimited := c.Request.Context()
	ctx, cancel := context.WithTimeout(unlimited, times.Timeout) // also where the caller does not say: it is what the call is admitted for
	defer cancel()
	r, stop, err := times.within(c.Request.WithContext(ctx), stateOf(c).started)
	if err != nil {
		return err
	}
	defer stop()
	c.Request = r.WithContext(pipeline.WithHeader(r.Context(), r.Header.Get))
	model, version, err := s.target(c)
	if err != nil {
		return err
	}
	request, release, err := s.receiveTensors(c, model, version)
	if err != nil {
		return err
	}
	if aggregate {
		defer release()
		return s.aggregate(c, request)
	}
	reader, err := side.hub.Start(c.Request.Context(), caller.TenantOf(r.Context()), model, side.run(request, release))
	if err != nil {
		release()
		return err
	}
	return s.tellStream(unlimited, c, reader)
}

// run is a run of the hub; release is called at its end.
func (side *streamSide) run(request *backend.Request, release func()) streams.Run {
	return func(ctx context.Context, emit func([]byte) error) error {
		defer release()
		return side.runner.Stream(ctx, request, func(r *backend.Response) error { return emit(appendResponse(nil, r)) })
	}
}

// appendResponse writes a response as one line of JSON.
func appendResponse(b []byte, r *backend.Response) []byte {
	b = appendText(append(b, `{"version":`...), r.Version)
	b = append(b, ',')
	if len(r.Outputs) == 0 {
		b = append(b, `"outputs":[]`...)
	} else {
		b = (&postprocess.Result{Outputs: r.Outputs}).AppendJSON(b)
	}
	params := make(map[string]any, len(r.Params))
	for name, v := range r.Params {
		if name != paramFinal {
			params[name] = v
		}
	}
	if len(params) > 0 {
		if text, err := json.Marshal(params); err == nil { // numbers that JSON does not have are left out
			b = append(append(b, `,"parameters":`...), text...)
		}
	}
	return append(b, '}')
}

// paramFinal says on each response whether it is the last; here the events say it.
const paramFinal = "triton_final_response"

// resumeStream answers GET /v1/streams/{id}.
func (s *server) resumeStream(c *gin.Context) error {
	side, err := s.streaming()
	if err != nil {
		return err
	}
	from, ended, err := lastEvent(c.Request)
	if err != nil {
		return err
	}
	reader, err := side.hub.Open(caller.TenantOf(c.Request.Context()), c.Param("id"), from)
	if err != nil {
		return err
	}
	if ended {
		reader.Close()
		noMoreEvents(c)
		return nil
	}
	return s.tellStream(c.Request.Context(), c, reader)
}

// tellStream sends the events to the last one, or until ctx ends because the client has left.
func (s *server) tellStream(ctx context.Context, c *gin.Context, reader *streams.Reader) error {
	defer reader.Close()
	model, _ := reader.About().(string)
	stateOf(c).model = model
	self := "/v1/streams/" + reader.ID()
	c.Writer.Header().Set("Location", self)
	out := beginEvents(c)
	defer out.done()
	if !out.send("stream", "", streamView{ID: reader.ID(), Model: model, Links: streamLinks{self}}) {
		return nil
	}
	alive := time.NewTicker(noteTimeout)
	defer alive.Stop()
	for {
		e, found, changed, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			out.send("done", strconv.Itoa(reader.Taken())+lastMark, doneView{reader.Taken()})
			return nil
		case err != nil:
			p := newProblem(err, requestID(c))
			s.note(c, err, p)
			out.send("error", strconv.Itoa(reader.Taken())+lastMark, p)
			return nil
		case found:
			if !out.put("response", strconv.Itoa(e.Number), e.Data) {
				return nil
			}
			continue
		}
		select {
		case <-changed:
		case <-alive.C:
			if !out.comment() {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// aggregate answers with all responses in one document.
func (s *server) aggregate(c *gin.Context, request *backend.Request) error {
	b := appendText([]byte(`{"id":`), requestID(c))
	b = append(appendText(append(b, `,"model":`...), request.Model), `,"responses":[`...)
	n := 0
	err := s.streams.runner.Stream(c.Request.Context(), request, func(r *backend.Response) error {
		if n++; n > 1 {
			b = append(b, ',')
		}
		if b = appendResponse(b, r); n > s.streams.most || int64(len(b)) > s.streams.bytes {
			return fault.New(fault.TooLarge, "response_too_large", "the model gives more than %d responses or %d bytes, the most that one answer holds; ask without aggregate", s.streams.most, s.streams.bytes).
				At("query.aggregate", "too many responses")
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, typeJSON, append(b, "]}"...))
	return nil
}
