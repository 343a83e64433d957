package kserve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

// retryAfterTrailer says in whole seconds when to come again.
const retryAfterTrailer = "retry-after"

// status makes what a caller gets of an error, and the trailer that belongs to it, nil for none. A nil status is OK.
func (s *Server) status(err error) (*status.Status, metadata.MD) {
	if err == nil {
		return nil, nil
	}
	var f *fault.Error
	if st, ok := status.FromError(err); ok && !errors.As(err, &f) {
		return st, nil // grpc's own: a message that is too large, a stream that was cut
	}
	code, text, after := s.failure(err)
	var trailer metadata.MD
	if after > 0 {
		trailer = metadata.Pairs(retryAfterTrailer, strconv.FormatInt(int64(math.Ceil(after.Seconds())), 10))
	}
	return status.New(codes.Code(code.GRPC), text), trailer
}

// observe tells Observe of a call that has ended.
func (s *Server) observe(ctx context.Context, method, model string, st *status.Status, start time.Time) {
	if s.Observe == nil {
		return
	}
	if model != "" {
		if _, err := s.target(model); fault.KindOf(err) == fault.NotFound && err != nil {
			model = "" // names that callers make up are no labels
		}
	}
	code := Code{GRPC: uint32(st.Code())}
	s.Observe(ctx, "grpc", method, model, code, time.Since(start))
}

// crashed makes an error of a panic. Called by defer.
func (s *Server) crashed(err *error) {
	if p := recover(); p != nil {
		s.Log.Error("panic in a gRPC call", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = fault.New(fault.Internal, "internal", "the gateway failed").Wrap(fmt.Errorf("panic: %v", p))
	}
}

// unary is around every call but those that carry tensors: its time is limited, its errors become statuses, and it is counted.
func (c *calls) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start := time.Now()
	limited, cancel := c.limited(ctx)
	defer cancel()
	answer, err := func() (answer any, err error) {
		defer c.crashed(&err)
		under, leave, err := c.countUnary(limited, info.FullMethod)
		if err != nil {
			return nil, err
		}
		defer leave()
		return handler(under, request)
	}()
	st, trailer := c.status(err)
	if trailer != nil {
		_ = grpc.SetTrailer(ctx, trailer) // fails only after the call
	}
	c.observe(ctx, methodName(info.FullMethod), namedBy(request), st, start)
	return answer, st.Err()
}

// limited bounds a call's time: the caller's own deadline, if it is nearer than Limits.Timeout.
func (s *Server) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.Limits.Timeout <= 0 {
		return ctx, func() {}
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= s.Limits.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.Limits.Timeout)
}

func methodName(full string) string {
	for i := len(full) - 1; i >= 0; i-- {
		if full[i] == '/' {
			return full[i+1:]
		}
	}
	return full
}

// namedBy is the model that a request names.
func namedBy(request any) string {
	switch r := request.(type) {
	case interface{ GetModelName() string }:
		return r.GetModelName()
	case interface{ GetName() string }:
		return r.GetName()
	}
	return ""
}
