package triton

import (
	"context"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/tritontest"
)

type spanKey struct{}

// A retry is a try of its own, on the endpoint where it is made; what is sent belongs to the try.
func TestEveryTryIsTold(t *testing.T) {
	a, b := fake(t), fake(t)
	type try struct {
		endpoint string
		code     codes.Code
	}
	var mu sync.Mutex
	var tries []try
	c := client(t, Config{Endpoints: []string{a.Addr(), b.Addr()}}, Deps{
		Attempt: func(ctx context.Context, endpoint string) (context.Context, func(error)) {
			return context.WithValue(ctx, spanKey{}, endpoint), func(err error) {
				mu.Lock()
				defer mu.Unlock()
				tries = append(tries, try{endpoint, status.Code(err)})
			}
		},
		Outgoing: func(ctx context.Context) map[string]string {
			if endpoint, ok := ctx.Value(spanKey{}).(string); ok {
				return map[string]string{"x-test": endpoint}
			}
			return nil
		},
	})
	statusOf(t, c, "m")
	a.Fail(tritontest.Fault{Model: "m", Times: 1, Code: codes.Unavailable, Text: "Server exiting"})
	b.Fail(tritontest.Fault{Model: "m", Times: 1, Code: codes.Unavailable, Text: "Server exiting"})
	_, _ = c.Infer(t.Context(), requestOf("m", 1)) // both refuse once, in either order
	must(t, c, requestOf("m", 1))
	mu.Lock()
	defer mu.Unlock()
	if len(tries) != 3 || tries[0].code != codes.Unavailable || tries[1].code != codes.Unavailable || tries[2].code != codes.OK || tries[0].endpoint == tries[1].endpoint {
		t.Fatalf("got %+v", tries)
	}
	for i, s := range []*tritontest.Server{a, b} {
		for _, header := range s.Headers() {
			if header != s.Addr() {
				t.Errorf("server %d got the try of %s", i, header)
			}
		}
	}
	if !slices.Contains(append(a.Headers(), b.Headers()...), tries[2].endpoint) {
		t.Error("the try's context was not what was sent")
	}
}
