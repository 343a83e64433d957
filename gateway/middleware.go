package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"triton-gateway/gateway/telemetry"
	"triton-gateway/internal/fault"
)

const headerRequestID = "X-Request-Id"

// state is what is kept of one request for its log line and metrics. It is the ResponseWriter below gin's, pooled, so that
// the whole chain costs no allocation of its own. It must not be used after the request.
type state struct {
	http.ResponseWriter
	passport
	started time.Time
	id      string
	route   string // template of the path; "" before a route has been found
	model   string // as asked for
	code    string // of the problem, if there was one
	cause   error  // of a status >= 500
	cached  string // Cache-Status in short: hit, miss, ...
	span    telemetry.Span
	status  int
	sent    int64
	value   [1]string // backs the request id's header
	private bool      // the answer is for who asks alone
}

// WriteHeader notes the status.
func (st *state) WriteHeader(status int) {
	if st.status == 0 || st.status < 200 {
		st.status = status
		if st.private && status >= 200 {
			keepPrivate(st.Header())
		}
	}
	st.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (st *state) Write(b []byte) (int, error) {
	if st.status == 0 {
		st.WriteHeader(http.StatusOK)
	}
	n, err := st.ResponseWriter.Write(b)
	st.sent += int64(n)
	return n, err
}

// Flush sends what is buffered, where the server can.
func (st *state) Flush() { _ = http.NewResponseController(st.ResponseWriter).Flush() }

// Unwrap gives the server's own writer, for http.ResponseController.
func (st *state) Unwrap() http.ResponseWriter { return st.ResponseWriter }

// stateOf finds the state that chain put below gin.
func stateOf(c *gin.Context) *state {
	if w, ok := c.Writer.(interface{ Unwrap() http.ResponseWriter }); ok {
		if st, ok := w.Unwrap().(*state); ok {
			return st
		}
	}
	return &state{} // a handler run without the chain, in a test
}

func requestID(c *gin.Context) string { return stateOf(c).id }

// chain is what every request goes through: an id, security headers, one log line, metrics, and a panic as a problem document.
func (s *server) chain(next http.Handler) http.Handler {
	pool := sync.Pool{New: func() any { return new(state) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := pool.Get().(*state)
		*st = state{ResponseWriter: w, started: s.now(), id: acceptID(r.Header), private: personal(r.Header)}
		st.value[0] = st.id
		h := w.Header()
		h[headerRequestID] = st.value[:1:1]
		setSecurity(h)
		r = s.begin(st, r)
		s.metrics.inflight.Inc()
		defer func() {
			p := recover()
			defer func() { // also where recovered panics, which ends the connection
				s.metrics.inflight.Dec()
				s.finish(st, r)
				st.ResponseWriter = nil
				pool.Put(st)
			}()
			if p != nil {
				s.recovered(st, r, p)
			}
		}()
		next.ServeHTTP(st, r)
	})
}

// acceptID takes the caller's request id if it is harmless in logs and headers, or makes one.
func acceptID(h http.Header) string {
	if v := h[headerRequestID]; len(v) == 1 && saneID(v[0]) {
		return v[0]
	}
	return ulid.Make().String()
}

func saneID(id string) bool {
	if len(id) < 1 || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch b := id[i]; {
		case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '-', b == '_', b == '.', b == ':', b == '/', b == '+', b == '=':
		default:
			return false
		}
	}
	return true
}

// recovered answers a panic. What had been sent already cannot be mended: the connection is closed then.
func (s *server) recovered(st *state, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
		if st.status == 0 { // otherwise it was answered, and only the rest of its body was not waited for
			st.status = statusClientClosed
		}
		panic(p)
	}
	err := fault.New(fault.Internal, "internal", "").Wrap(fmt.Errorf("panic: %v", p))
	st.code, st.cause = "internal", err
	s.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request_id", st.id), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	if st.status != 0 {
		st.status = http.StatusInternalServerError
		panic(http.ErrAbortHandler)
	}
	writeProblem(st, r, newProblem(err, st.id))
}

// begin takes over the caller's trace and begins the request's span. A request without either is given back as it is.
func (s *server) begin(st *state, r *http.Request) *http.Request {
	had := r.Context()
	ctx := had
	if len(r.Header["Traceparent"]) == 1 { // the standard wants one; two or more are none
		ctx = telemetry.Extract(ctx, r.Header.Get)
	}
	if !quiet(r.URL.Path) {
		ctx, st.span = s.metrics.tracer.Start(ctx, "HTTP", telemetry.Server)
	}
	if ctx == had {
		return r
	}
	return r.WithContext(ctx)
}

// end puts what the request was into its span. Names and attributes are those of OpenTelemetry's semantic conventions for HTTP; the query
// is left out, since it may hold anything.
func (s *server) end(st *state, r *http.Request) {
	if !st.span.Recording() {
		return
	}
	if st.route != "" {
		st.span.Rename(r.Method + " " + st.route)
		st.span.Set(telemetry.String("http.route", st.route))
	}
	st.span.Set(
		telemetry.String("http.request.method", clip(r.Method)),
		telemetry.String("url.path", clip(r.URL.Path)),
		telemetry.Int("http.response.status_code", int64(st.status)),
		telemetry.Int("http.response.body.size", st.sent),
		telemetry.String("gateway.request_id", st.id),
	)
	for _, more := range [...]telemetry.Attr{telemetry.String("gateway.model", clip(st.model)), telemetry.String("gateway.cache", st.cached), telemetry.String("gateway.code", st.code)} {
		if more.Value.AsString() != "" {
			st.span.Set(more)
		}
	}
	if st.who != nil {
		st.span.Set(telemetry.String("enduser.id", st.who.ID), telemetry.String("gateway.tenant", st.who.Tenant))
	}
	var err error
	if st.status >= http.StatusInternalServerError { // a caller's mistake is no error of the server's span
		if err = st.cause; err == nil {
			err = fault.New(fault.Upstream, "http_"+s.metrics.code(st.status), "%s", http.StatusText(st.status))
		}
	}
	st.span.End(err)
}

// finish writes the log line, the metrics and the span of a request.
func (s *server) finish(st *state, r *http.Request) {
	took := s.now().Sub(st.started)
	if st.status == 0 {
		st.status = http.StatusOK
	}
	s.metrics.request(r.Context(), st.route, r.Method, st.status, took)
	s.end(st, r)
	if st.status == http.StatusUnauthorized || st.status == http.StatusForbidden {
		s.auditRefused(st, r)
	}
	level := slog.LevelInfo
	if st.route == "" || quiet(r.URL.Path) {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := [11]slog.Attr{
		slog.String("request_id", st.id),
		slog.String("method", r.Method),
		slog.String("path", clip(r.URL.Path)),
		slog.Int("status", st.status),
		slog.Float64("took_ms", float64(took.Microseconds())/1000),
		slog.Int64("sent", st.sent),
	}
	n := 6
	for _, more := range [...]slog.Attr{slog.String("model", clip(st.model)), slog.String("cache", st.cached), slog.String("code", st.code)} {
		if more.Value.String() != "" {
			attrs[n] = more
			n++
		}
	}
	if st.who != nil {
		attrs[n], attrs[n+1] = slog.String("key", st.who.ID), slog.String("tenant", st.who.Tenant)
		n += 2
	}
	record := slog.NewRecord(st.started.Add(took), level, "request", 0) // the place in the code would say nothing
	record.AddAttrs(attrs[:n]...)
	_ = s.log.Handler().Handle(r.Context(), record)
}

// quiet paths are asked all the time by machines; they are logged at debug level.
func quiet(path string) bool {
	switch path {
	case "/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready":
		return true
	}
	return false
}

// mark notes the route's template and the model; it is the first handler of every route.
func mark(c *gin.Context) {
	st := stateOf(c)
	st.route, st.model = c.FullPath(), c.Param("model")
}
