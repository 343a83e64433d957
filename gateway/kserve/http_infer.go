package kserve

import (
	"context"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// inferTensors answers POST .../infer. What can be refused without the body is refused before it is read.
func (h *httpSide) inferTensors(ctx context.Context, c *httpCall) error {
	return h.opened(ctx, c, func(t *target) error {
		if t.config.Decoupled {
			return fault.New(fault.Unsupported, "unsupported_model", "HTTP end point doesn't support models with decoupled transaction policy; call the model over gRPC, with ModelStreamInfer")
		}
		return nil
	}, func(ctx context.Context, t *target, memory *lease, room []byte) error {
		q, request, err := h.read(c, t, memory, room)
		if err != nil {
			return err
		}
		passed, err := h.infer(ctx, request)
		if err != nil {
			return err
		}
		return h.answer(c, q, passed)
	})
}

// opened is the opening of every call with a body: it finds the model, has suits refuse what can be refused without the body, receives that, and runs the call. To a route
// it shows the request's header.
func (h *httpSide) opened(ctx context.Context, c *httpCall, suits func(*target) error, run func(ctx context.Context, t *target, memory *lease, room []byte) error) error {
	c.early = true
	t, err := h.target(c.model)
	if err != nil {
		return err
	}
	c.known = true
	if _, err := t.Resolve(c.version); err != nil {
		return err
	}
	if err := suits(&t); err != nil {
		return err
	}
	memory, room, release, err := h.receive(ctx, c, t.Name)
	if err != nil {
		return err
	}
	defer release()
	defer memory.Release()
	c.early = false
	if t.Source == catalog.FromRoute {
		ctx = pipeline.WithHeader(ctx, c.r.Header.Get)
	}
	return run(ctx, &t, memory, room)
}

// receive asks for a place, and reads the body; a client that sends slowly keeps no place meanwhile. On success the caller releases both.
func (h *httpSide) receive(ctx context.Context, c *httpCall, model string) (memory *lease, room []byte, release func(), err error) {
	release, err = h.places.Receive(c.r.ContentLength,
		func(bytes int64) (func(), error) { return h.Runner.Admit(ctx, model, c.version, bytes) },
		func() (int64, error) {
			var err error
			memory, room, err = h.body(ctx, c.ResponseWriter, c.r)
			return int64(len(room) - rawRoom), err
		})
	if err != nil && memory != nil {
		memory.Release()
	}
	return memory, room, release, err
}

// read makes the request that a body holds.
func (h *httpSide) read(c *httpCall, t *target, memory *lease, room []byte) (*jsonRequest, *backend.Request, error) {
	q := &jsonRequest{limits: h.Limits, lease: memory}
	request := &backend.Request{Model: c.model, Version: c.version, Memory: memory}
	text, blobs, bare, err := splitBody(c.r.Header[headerLength], room[rawRoom:])
	if err != nil {
		return nil, nil, err
	}
	if bare {
		input, err := rawInput(t.config, c.model, room)
		if err != nil {
			return nil, nil, err
		}
		q.binary, request.Inputs = true, []tensor.Tensor{input}
		return q, request, nil
	}
	q.b = text
	if err := q.parse(); err != nil {
		return nil, nil, err
	}
	if err := bindBlobs(q.inputs, blobs, c.model); err != nil {
		return nil, nil, err
	}
	if err := checkParams(q.params); err != nil {
		return nil, nil, err
	}
	if err := q.outputsFit(t); err != nil {
		return nil, nil, err
	}
	request.ID, request.Params = q.id, q.params
	request.Inputs, request.Outputs = tensorsOf(q.inputs), outputsOf(q.outputs)
	return q, request, nil
}

// outputsFit refuses, before the model runs, outputs that could not be sent as they are asked for.
func (q *jsonRequest) outputsFit(t *target) error {
	for i := range q.outputs {
		o := t.config.Output(q.outputs[i].Name)
		if o != nil && (o.DType == tensor.FP16 || o.DType == tensor.BF16) && !q.outputs[i].binary && q.outputs[i].Classes == 0 {
			return noHalfs(o.Name, o.DType)
		}
	}
	return nil
}

// asBinary reports whether an output is to come as binary data. As in Triton, the request's binary_data_output counts for outputs that it does
// not name; one that is named without binary_data comes as JSON.
func (q *jsonRequest) asBinary(name string) bool {
	for i := range q.outputs {
		if q.outputs[i].Name == name {
			return q.outputs[i].binary
		}
	}
	return q.binary
}
