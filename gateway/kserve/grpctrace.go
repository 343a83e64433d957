package kserve

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// traced puts a call that carries tensors under a span: see Deps.Trace.
func (s *Server) traced(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	had := stream.Context()
	ctx, end := s.Trace(had, methodName(info.FullMethod), func(key string) string {
		if values := metadata.ValueFromIncomingContext(had, key); len(values) == 1 {
			return values[0]
		}
		return ""
	})
	if ctx != had {
		stream = &tracedStream{stream, ctx}
	}
	err := handler(service, stream)
	if end != nil {
		st := status.Convert(err)
		end(Code{GRPC: uint32(st.Code())}, st.Message())
	}
	return err
}

// tracedStream is a stream under a span.
type tracedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is the span's.
func (s *tracedStream) Context() context.Context { return s.ctx }
