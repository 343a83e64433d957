package kserve

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"triton-gateway/gateway/backend"
)

// modelInfer is the call ModelInfer. Its handler runs when the call's header has come, so that a full gateway answers before the tensors are read.
func (c *calls) modelInfer(stream grpc.ServerStream) error {
	start := time.Now()
	m := newInferMessage(c.Limits.Inputs)
	answer, err := c.inferOne(stream, m)
	if err == nil {
		err = stream.SendMsg(answer)
	}
	st, trailer := c.status(err)
	if trailer != nil {
		stream.SetTrailer(trailer)
	}
	c.observe(stream.Context(), "ModelInfer", m.model, st, start)
	return st.Err()
}

func (c *calls) inferOne(stream grpc.ServerStream, m *inferMessage) (answer *inferAnswer, err error) {
	defer c.crashed(&err)
	ctx, cancel := c.limited(stream.Context())
	defer cancel()
	release, err := c.Runner.Admit(ctx, "", "", -1)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := stream.RecvMsg(m); err != nil {
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
	releaseModel, err := c.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	defer releaseModel()
	passed, err := c.infer(ctx, r)
	if err != nil {
		return nil, err
	}
	return &inferAnswer{model: m.model, id: m.id, Response: passed.Response}, nil
}

// admit asks whether a request whose model is known may come in.
func (s *Server) admit(ctx context.Context, r *backend.Request) (release func(), err error) {
	t, err := s.target(r.Model)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for i := range r.Inputs {
		size += int64(len(r.Inputs[i].Data))
	}
	return s.Runner.Admit(ctx, t.Name, r.Version, size)
}
