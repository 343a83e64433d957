package kserve

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/h2"
)

const inferPath = "/inference.GRPCInferenceService/ModelInfer"

// front answers the calls of a listener of its own. Package h2 carries them with fewer hand-overs between goroutines than grpc-go's server; who answers which is
// in the descriptions that grpc-go serves from as well.
type front struct {
	*calls
	codec
	limit    int // bytes of a message
	methods  map[string]method
	services map[string]bool
}

// method is who answers a call: unary or stream.
type method struct {
	service any
	unary   grpc.MethodHandler
	stream  grpc.StreamHandler
	early   bool // it begins before there is a message
}

func (s *Server) newFront(admin bool) *front {
	f := &front{calls: &calls{Server: s, admin: admin}, codec: codec{&s.buffers}, limit: messageLimit(s.Limits.Message),
		methods: map[string]method{}, services: map[string]bool{}}
	f.register(service(), f.calls)
	f.register(&healthgrpc.Health_ServiceDesc, &health{Server: s})
	return f
}

func (f *front) register(d *grpc.ServiceDesc, service any) {
	f.services[d.ServiceName] = true
	prefix := "/" + d.ServiceName + "/"
	for _, m := range d.Methods {
		f.methods[prefix+m.MethodName] = method{service: service, unary: m.Handler}
	}
	for _, m := range d.Streams {
		f.methods[prefix+m.StreamName] = method{service: service, stream: m.Handler, early: m.ClientStreams && m.ServerStreams}
	}
}

func (f *front) early(path string) bool { return f.methods[path].early }

// serve answers one call.
func (f *front) serve(call *h2.ServerCall) {
	path := call.Method()
	ctx, err := f.late(call)
	switch {
	case err != nil:
		st, _ := f.status(err)
		_ = call.End(wireStatus(st), nil) // that the client has gone by then is of no interest
		return
	case path == inferPath:
		f.serveInfer(ctx, call)
		return
	}
	s := newCallStream(f, call, incoming(ctx, call))
	switch m := f.methods[path]; {
	case m.unary != nil:
		err = s.unary(m)
	case m.stream == nil:
		err = f.unknown(path)
	case f.Trace != nil:
		err = f.traced(m.service, s, &grpc.StreamServerInfo{FullMethod: path}, m.stream)
	default:
		err = m.stream(m.service, s)
	}
	s.end(status.Convert(err))
}

// serveInfer answers ModelInfer: in one piece, without anything that only streams need.
func (f *front) serveInfer(ctx context.Context, call *h2.ServerCall) {
	start := time.Now()
	end := func(Code, string) {}
	if f.Trace != nil {
		under, tell := f.Trace(ctx, "ModelInfer", func(key string) string { return only(call.Header(), key) })
		ctx = under
		if tell != nil {
			end = tell
		}
	}
	s := newCallStream(f, call, ctx)
	m := newInferMessage(f.Limits.Inputs)
	m.call = call
	if f.Meter != nil {
		ctx, m.tell = withPeer(ctx, call.Peer()), s.tell
	}
	answer, err := f.inferOne(ctx, m, s.RecvMsg)
	if err == nil {
		answer.tellRoute(s)
		err = s.reply(answer)
	}
	st, trailer := f.status(err)
	if err != nil {
		s.SetTrailer(trailer)
		s.end(st)
	}
	f.observe(ctx, "ModelInfer", m.model, st, start)
	end(Code{GRPC: uint32(st.Code())}, st.Message())
}

// unknown is what grpc-go says of a method that there is not.
func (f *front) unknown(path string) error {
	service, name, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case !found:
		return status.Errorf(codes.Unimplemented, "malformed method name: %q", path)
	case !f.services[service]:
		return status.Errorf(codes.Unimplemented, "unknown service %v", service)
	}
	return status.Errorf(codes.Unimplemented, "unknown method %v for service %v", name, service)
}

// only is the one value of a header, "" where it has none or several.
func only(header []h2.Field, key string) string {
	value, count := "", 0
	for i := range header {
		if header[i].Name == key {
			value = header[i].Value
			count++
		}
	}
	if count != 1 {
		return ""
	}
	return value
}

// toStatus makes grpc's error of h2's.
func toStatus(err error) error {
	var s *h2.Status
	if errors.As(err, &s) {
		return status.Error(codes.Code(s.Code), s.Message)
	}
	return status.FromContextError(err).Err()
}
