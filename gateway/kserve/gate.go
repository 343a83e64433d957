package kserve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"

	"triton-gateway/internal/caller"
	"triton-gateway/internal/h2"
	"triton-gateway/tritonpb"
)

// Gate decides who may make which call. Health over gRPC is open: it is not asked there.
type Gate interface {
	// Enter finds who makes a call over gRPC, of which only the headers have come, and whether they may. caller.From of the context that it gives knows them.
	// Errors are Unauthenticated and Forbidden; ErrWait where it would have to wait for the net and e.Wait is not set.
	Enter(ctx context.Context, e Entry) (under context.Context, err error)
	// Allow says whether the caller of ctx, who came in over HTTP, may make a call. The error is Forbidden.
	Allow(ctx context.Context, method string, admin bool) error
}

// Entry is a call over gRPC of which only the headers have come.
type Entry struct {
	Method string // such as ModelInfer; "" for one of no service here
	Admin  bool   // it came over the admin listener
	Wait   bool   // it may wait for the net
	// Header gives the values of a header, whose name is in lower case.
	Header func(name string) []string
	TLS    func() *tls.ConnectionState // nil: not encrypted
}

// ErrWait is Enter's error where only a look over the net can tell.
var ErrWait = errors.New("kserve: it has to wait")

const inferPrefix = "/inference.GRPCInferenceService/"

// healthCall reports whether everybody may make a call: that of health.
func healthCall(path string) bool {
	return strings.HasPrefix(path, "/"+healthgrpc.Health_ServiceDesc.ServiceName+"/")
}

// named is the name of a call that there is, "" of any other.
func (f *front) named(path string) string {
	if _, has := f.methods[path]; !has {
		return ""
	}
	return strings.TrimPrefix(path, inferPrefix)
}

// enter asks the gate when the headers of a call have come. It is called while the connection is read.
func (f *front) enter(h h2.Head) (under context.Context, soon bool, refused *h2.Status) {
	if f.Gate == nil && (f.Class == nil || !says(h.Header, headerPriority)) || healthCall(h.Method) {
		return nil, false, nil
	}
	name := f.named(h.Method)
	start := time.Now()
	under, err := f.admitted(context.Background(), Entry{Method: name, Admin: f.admin, Header: valuesIn(h.Header), TLS: h.TLS})
	if errors.Is(err, ErrWait) {
		return nil, true, nil
	}
	if err != nil {
		st, _ := f.status(err)
		f.observe(context.Background(), cmp.Or(name, "other"), "", st, start)
		return nil, false, wireStatus(st)
	}
	return under, false, nil
}

// late asks the gate about a call that could not be decided when its headers had come.
func (f *front) late(call *h2.ServerCall) (context.Context, error) {
	ctx := call.Context()
	if f.Gate == nil || healthCall(call.Method()) || caller.From(ctx) != nil {
		return ctx, nil
	}
	name := f.named(call.Method())
	start := time.Now()
	under, err := f.admitted(ctx, Entry{Method: name, Admin: f.admin, Wait: true, Header: valuesIn(call.Header()), TLS: call.TLS})
	if err != nil {
		st, _ := f.status(err)
		f.observe(ctx, cmp.Or(name, "other"), "", st, start)
	}
	return under, err
}

// headerPriority is the metadata by which a call says its class.
const headerPriority = "x-priority"

// admitted asks the gate, if there is one, and then for the class of the call.
func (s *Server) admitted(ctx context.Context, e Entry) (under context.Context, err error) {
	if under = ctx; s.Gate != nil {
		if under, err = s.Gate.Enter(ctx, e); err != nil {
			return nil, err
		}
	}
	if s.Class == nil {
		return under, nil
	}
	return s.Class(under, e.Header(headerPriority))
}

func says(header []h2.Field, name string) bool {
	for i := range header {
		if header[i].Name == name {
			return true
		}
	}
	return false
}

func valuesIn(header []h2.Field) func(string) []string {
	return func(name string) (values []string) {
		for i := range header {
			if header[i].Name == name {
				values = append(values, header[i].Value)
			}
		}
		return values
	}
}

// gated asks the gate about calls that come over a server of net/http.
func (s *Server) gated(next http.Handler, admin bool) http.Handler {
	if s.Gate == nil && s.Class == nil {
		return next
	}
	f := s.newFront(admin)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if healthCall(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		under, err := s.admitted(r.Context(), Entry{Method: f.named(r.URL.Path), Admin: admin, Wait: true,
			Header: func(name string) []string { return r.Header.Values(name) }, TLS: func() *tls.ConnectionState { return r.TLS }})
		if err != nil {
			s.refuseGRPC(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(under))
	})
}

// refuseGRPC ends a call of net/http's with headers alone, by https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: Trailers-Only.
func (s *Server) refuseGRPC(w http.ResponseWriter, err error) {
	st, _ := s.status(err)
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(int(st.Code())))
	h.Set("Grpc-Message", percent(st.Message()))
	w.WriteHeader(http.StatusOK)
}

// percent writes a message as gRPC's headers want it.
func percent(text string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		if c := text[i]; c >= ' ' && c <= '~' && c != '%' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// allow asks the gate about a call over HTTP, whose caller is known.
func (h *httpSide) allow(c *httpCall, method string) error {
	if h.Gate == nil {
		return nil
	}
	err := h.Gate.Allow(c.r.Context(), method, h.admin)
	c.early = c.early || err != nil // the body is not waited for
	return err
}

// operator reports whether a caller may do what operators do: on the admin listener, or with the scope for it.
func operator(ctx context.Context, admin bool) bool {
	c := caller.From(ctx)
	return admin || c != nil && c.Scopes.Has(caller.Admin)
}

// Methods are the calls of KServe v2 by their names, as Gate is asked about them: those of gRPC and those of HTTP.
func Methods() []string {
	var list []string
	for _, m := range tritonpb.GRPCInferenceService_ServiceDesc.Methods {
		list = append(list, m.MethodName)
	}
	for _, m := range tritonpb.GRPCInferenceService_ServiceDesc.Streams {
		list = append(list, m.StreamName)
	}
	return append(list, "SharedMemory") // HTTP has one path for what are several calls of gRPC
}
