package kserve

import (
	"context"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/h2"
)

// Meter counts what callers use. It is asked about calls over gRPC; calls over HTTP are counted before they come here.
type Meter interface {
	// Enter asks whether a call may come in whose tensors have so many bytes; address is the caller's, host:port. The pass is nil where the caller has no quota. The
	// error is RateLimited; the pass then only gives RateLimit.
	Enter(ctx context.Context, address string, bytes int64) (Pass, error)
	// Look gives what RateLimit of a pass would, and the error that Enter would give, as far as that is known without waiting. It costs nothing.
	Look(ctx context.Context, address string) (policy, state []string, err error)
}

// Pass is a call that was let in, and the context that it runs under.
type Pass interface {
	context.Context
	// Leave ends it. Calling it again does nothing.
	Leave()
	// RateLimit gives the values of the headers RateLimit-Policy and RateLimit.
	RateLimit() (policy, state []string)
	// Would gives the limit that would have refused the call if this were no dry run; "" for none.
	Would() (limit string, after time.Duration)
}

// Names of the metadata, as of the headers over HTTP.
const (
	policyHeader = "ratelimit-policy"
	stateHeader  = "ratelimit"
	wouldHeader  = "x-quota-would-refuse"
)

// count puts a call under its caller's quota. tell hears what the caller is to be told, and may be nil. The call ends with leave.
func (c *calls) count(ctx context.Context, bytes int64, tell teller) (under context.Context, leave func(), err error) {
	if c.Meter == nil || c.admin {
		return ctx, func() {}, nil
	}
	p, err := c.Meter.Enter(ctx, addressIn(ctx), bytes)
	if p == nil {
		return ctx, func() {}, err
	}
	if tell != nil {
		policy, state := p.RateLimit()
		md := limitsOf(policy, state)
		if limit, _ := p.Would(); limit != "" {
			md[wouldHeader] = []string{limit}
		}
		tell(md)
	}
	if err != nil {
		return ctx, func() {}, err
	}
	return p, p.Leave, nil
}

func limitsOf(policy, state []string) metadata.MD {
	md := metadata.MD{}
	if len(state) > 0 {
		md[policyHeader], md[stateHeader] = policy, state
	}
	return md
}

// counted reports whether a call without tensors counts: not those by which others see how the gateway is.
func counted(method string) bool {
	if !strings.HasPrefix(method, "/inference.GRPCInferenceService/") {
		return false
	}
	switch methodName(method) {
	case "ServerLive", "ServerReady":
		return false
	}
	return true
}

// countUnary is count for calls that have one message each way, and no tensors.
func (c *calls) countUnary(ctx context.Context, method string) (under context.Context, leave func(), err error) {
	if !counted(method) {
		return ctx, func() {}, nil
	}
	return c.count(ctx, 0, func(md metadata.MD) { _ = grpc.SetHeader(ctx, md) }) // fails only after the answer has begun
}

// lookQuota is the error of a call of which only the beginning has come, if its caller is known to have used up a quota, and what the caller is told besides.
func (f *front) lookQuota(call *h2.ServerCall) ([]h2.Field, error) {
	if f.Meter == nil || f.admin {
		return nil, nil
	}
	policy, state, err := f.Meter.Look(call.Context(), call.Peer().String())
	if err == nil {
		return nil, nil
	}
	return onWire(limitsOf(policy, state)), err
}

// teller hears what a caller is to be told of its quota.
type teller func(metadata.MD)

// tell has it sent before the first message, or at the end where there is none.
func (s *callStream) tell(md metadata.MD) { s.header = append(s.header, onWire(md)...) }

// tellQuota tells the caller of a stream, before its first message, what is left.
func (c *calls) tellQuota(stream grpc.ServerStream) {
	if c.Meter == nil || c.admin {
		return
	}
	policy, state, _ := c.Meter.Look(stream.Context(), addressIn(stream.Context())) // each message is asked about
	_ = stream.SetHeader(limitsOf(policy, state))                                   // fails only after the answer has begun
}

// sizeOf is the bytes of a request's tensors.
func sizeOf(r *backend.Request) (size int64) {
	for i := range r.Inputs {
		size += int64(len(r.Inputs[i].Data))
	}
	return size
}

// withPeer lets addressIn find who is at the other end.
func withPeer(ctx context.Context, address net.Addr) context.Context {
	return peer.NewContext(ctx, &peer.Peer{Addr: address})
}

// addressIn is the address at the other end; "" where it is not known.
func addressIn(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}
