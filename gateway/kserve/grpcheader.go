package kserve

import (
	"context"

	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/h2"
)

// withMetadata lets routes see the metadata of a call over gRPC. A context without any stays as it is.
func withMetadata(ctx context.Context) context.Context {
	if _, ok := metadata.FromIncomingContext(ctx); !ok {
		return ctx
	}
	return pipeline.WithHeader(ctx, func(name string) string {
		if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
			return values[0]
		}
		return ""
	})
}

// announced gives the context of a call that h2 carries its metadata where the model is a route. For other models nobody reads it, and it is not worth its price.
func (s *Server) announced(ctx context.Context, call *h2.ServerCall, model string) context.Context {
	if call == nil {
		return ctx
	}
	if t, err := s.target(model); err != nil || t.Source != catalog.FromRoute {
		return ctx
	}
	return incoming(ctx, call)
}
