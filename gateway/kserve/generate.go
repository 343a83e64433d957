package kserve

import (
	"context"
	"errors"
	"net/http"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// CheckParams refuses parameters of a request that the protocol does not have, in Triton's words, and takes out what a caller may not set. The error is Invalid.
func CheckParams(params map[string]any) error { return checkParams(params) }

// generate answers POST .../generate by Triton's generate extension (docs/protocol/extension_generate.md of triton-inference-server/server): members of a plain JSON
// object are inputs by name or else parameters, and outputs are members of the answer. The model has to give one response.
//
// In one thing it differs: where there are none or several, Triton sends its error with the status 200.
func (h *httpSide) generate(ctx context.Context, c *httpCall) error {
	return h.generated(ctx, c, func(ctx context.Context, request *backend.Request) error {
		var body []byte
		n := 0
		err := h.Runner.Stream(ctx, request, func(r *backend.Response) (err error) {
			if n++; n > 1 {
				return errNotOne
			}
			body, err = appendGenerated(nil, c.model, r)
			return err
		})
		switch {
		case err != nil && n > 0 && fault.KindOf(err) == fault.Upstream, err == nil && n == 0: // to Triton the failure is a response too
			return errNotOne
		case err != nil:
			return err
		}
		c.send(http.StatusOK, body)
		return nil
	})
}

var errNotOne = fault.New(fault.Invalid, "invalid_request", "generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses")

// generateStream answers POST .../generate_stream: each response is an event. What fails before the first one has a status; later failures are events.
func (h *httpSide) generateStream(ctx context.Context, c *httpCall) error {
	return h.generated(ctx, c, func(ctx context.Context, request *backend.Request) error {
		out := eventStream{httpCall: c}
		err := h.Runner.Stream(ctx, request, func(r *backend.Response) error {
			body, err := appendGenerated([]byte("data: "), c.model, r)
			if err != nil {
				return err
			}
			return out.send(body)
		})
		switch {
		case err == nil:
			return out.begin() // a model may give no response
		case !out.begun:
			return err
		case errors.Is(err, errLeft) || c.r.Context().Err() != nil:
			return nil
		}
		_, text, _ := h.failure(err)
		_ = out.send(appendMember([]byte(`data: {"error":`), text))
		return nil
	})
}

// generated reads the request and runs it.
func (h *httpSide) generated(ctx context.Context, c *httpCall, run func(context.Context, *backend.Request) error) error {
	return h.opened(ctx, c, func(t *target) error {
		if t.image {
			return fault.New(fault.Unsupported, "unsupported_model", "model %q takes files, which JSON does not hold; send them to /v1/models/%s/infer", clip(c.model), clip(t.Name))
		}
		return nil
	}, func(ctx context.Context, t *target, memory *lease, room []byte) error {
		q := generateRequest{jsonRequest: jsonRequest{jsonReader: jsonReader{b: room[rawRoom:]}, limits: h.Limits, lease: memory}, config: t.config}
		if err := q.parse(); err != nil {
			return err
		}
		if err := checkParams(q.params); err != nil {
			return err
		}
		return run(ctx, &backend.Request{Model: c.model, Version: c.version, Memory: memory, Inputs: tensorsOf(q.inputs), Params: q.params})
	})
}

// eventStream writes events, each at once.
type eventStream struct {
	*httpCall
	begun bool
}

// errLeft is that of a caller who takes no more events.
var errLeft = fault.New(fault.Canceled, "client_closed", "the caller has left the stream")

func (s *eventStream) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	header := s.Header()
	header["Content-Type"] = eventType
	header["Cache-Control"] = noStore
	header["X-Accel-Buffering"] = noBuffering // nginx keeps answers back otherwise
	s.WriteHeader(http.StatusOK)
	return nil
}

// send writes one event without its end, at which body stands.
func (s *eventStream) send(body []byte) error {
	_ = s.begin()
	if _, err := s.Write(append(body, "\n\n"...)); err != nil {
		return errLeft
	}
	if http.NewResponseController(s.ResponseWriter).Flush() != nil {
		return errLeft
	}
	return nil
}

var (
	eventType   = []string{"text/event-stream; charset=utf-8"}
	noStore     = []string{"no-store"}
	noBuffering = []string{"no"}
)

// appendGenerated writes a response as generate has it: outputs and parameters by name, sorted, of which a single element stands without an array.
func appendGenerated(b []byte, model string, r *backend.Response) ([]byte, error) {
	members := map[string]func([]byte) ([]byte, error){
		"model_name":    func(b []byte) ([]byte, error) { return appendString(b, []byte(model)), nil },
		"model_version": func(b []byte) ([]byte, error) { return appendString(b, []byte(r.Version)), nil },
	}
	for name, value := range r.Params {
		if _, taken := members[name]; !taken && name != paramFinal {
			members[name] = func(b []byte) ([]byte, error) { return appendScalar(b, value), nil }
		}
	}
	for i := range r.Outputs {
		t := &r.Outputs[i]
		if _, taken := members[t.Name]; taken {
			continue
		}
		members[t.Name] = func(b []byte) ([]byte, error) {
			from := len(b)
			b, err := appendData(b, t)
			if n, bad := tensor.Elements(t.Shape); err == nil && bad == nil && n == 1 { // [x] becomes x
				copy(b[from:], b[from+1:len(b)-1])
				b = b[:len(b)-2]
			}
			return b, err
		}
	}
	return appendMembers(b, members)
}
