package kserve

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/backend"
)

// modelInfer is the call ModelInfer on the admin listener. gRPC tells the model in the message, not in the header, so a full gateway refuses a call here once
// it has been read; [front.glance] sees it sooner.
func (c *calls) modelInfer(stream grpc.ServerStream) error {
	start := time.Now()
	m := newInferMessage(c.Limits.Inputs)
	answer, err := c.inferOne(stream.Context(), m, stream.RecvMsg)
	if err == nil {
		answer.tellRoute(stream)
		err = stream.SendMsg(answer)
	}
	st, trailer := c.status(err)
	if trailer != nil {
		stream.SetTrailer(trailer)
	}
	c.observe(stream.Context(), "ModelInfer", m.model, st, start)
	return st.Err()
}

// inferOne answers the one request of a call, which receive reads.
func (c *calls) inferOne(ctx context.Context, m *inferMessage, receive func(any) error) (answer *inferAnswer, err error) {
	defer c.crashed(&err)
	ctx, cancel := c.limited(ctx)
	defer cancel()
	if err := receive(m); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, invalid("body", "the call holds no ModelInferRequest")
		}
		return nil, err
	}
	defer m.release()
	r, err := m.take()
	if err != nil {
		return nil, err
	}
	ctx, leave, err := c.count(ctx, sizeOf(r), m.tell)
	if err != nil {
		return nil, err
	}
	defer leave()
	release, err := c.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	defer release()
	passed, err := c.infer(c.announced(ctx, m.call, r.Model), r)
	if err != nil {
		return nil, err
	}
	return &inferAnswer{model: m.model, id: m.id, Response: passed.Response, routed: passed.Routed}, nil
}

// routeTrailer says what has answered a request for a route, as the header X-Route does over HTTP.
const routeTrailer = "x-route"

// tellRoute puts it into a call's trailer; there is nothing to say where a model was named.
func (a *inferAnswer) tellRoute(call interface{ SetTrailer(metadata.MD) }) {
	if a.routed != nil {
		call.SetTrailer(metadata.Pairs(routeTrailer, a.routed.String()))
	}
}

// admit asks whether a request may come in, and takes its memory.
func (s *Server) admit(ctx context.Context, r *backend.Request) (release func(), err error) {
	t, err := s.target(r.Model)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for i := range r.Inputs {
		size += int64(len(r.Inputs[i].Data))
	}
	leave, err := s.Runner.Admit(ctx, t.Name, r.Version, size)
	if err != nil {
		return nil, err
	}
	free, err := s.Bytes(ctx, size)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { free(); leave() }, nil
}
