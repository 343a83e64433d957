package kserve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// wire is a connection on which a test says byte by byte what is sent.
type wire struct {
	net.Conn
	*bufio.Reader
}

func (h *httpRig) wire(t *testing.T) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &wire{conn, bufio.NewReader(conn)}
}

func (w *wire) send(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(w.Conn, format, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *wire) answer(t *testing.T) httpReply {
	t.Helper()
	res, err := http.ReadResponse(w.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return httpReply{res.StatusCode, res.Header, body}
}

func TestAFullQueueRefusesBeforeTheBodyIsRead(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	var asked [3]any
	full := true
	released := 0
	h.runner.admit = func(_ context.Context, model, version string, body int64) (func(), error) {
		asked = [3]any{model, version, body}
		if full {
			return nil, fault.New(fault.Busy, "queue_full", "the queue is full").After(1200 * time.Millisecond)
		}
		return func() { released++ }, nil
	}
	w := h.wire(t)
	w.send(t, "POST /v2/models/echo/versions/1/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
	res := w.answer(t) // not a byte of the body has been sent
	res.wantError(t, 429, "the queue is full")
	if res.header.Get("Retry-After") != "2" || asked != [3]any{"echo", "1", int64(1000000)} {
		t.Errorf("Retry-After %q, asked for %v", res.header.Get("Retry-After"), asked)
	}
	// The body that comes all the same is passed over, and the connection serves the next request.
	full = false
	w.send(t, "%s", strings.Repeat("x", 1000000))
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(goodJSON), goodJSON)
	if res := w.answer(t); res.status != 200 || released != 1 {
		t.Errorf("then %d %s, released %d times", res.status, res.body, released)
	}
}

// What is left of a refused request's body must not be read as the next request.
func TestARefusedBodyThatDoesNotComeEndsTheConnection(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.side.drain = 50 * time.Millisecond
	h.runner.admit = func(context.Context, string, string, int64) (func(), error) {
		return nil, fault.New(fault.Busy, "queue_full", "the queue is full")
	}
	for _, head := range []string{"Content-Length: 1000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "Content-Length: 100000000\r\n\r\nabc"} {
		w := h.wire(t)
		w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n%s", head)
		res := w.answer(t)
		res.wantError(t, 429, "the queue is full")
		var late net.Error
		if _, err := w.ReadByte(); err == nil || errors.As(err, &late) && late.Timeout() {
			t.Errorf("%q: the connection goes on: %v", head, err)
		}
	}
}

func TestBodiesOverTheLimitAreRefusedByTheirHeader(t *testing.T) {
	h := newHTTPRig(t, false, func(d *Deps) { d.Limits.Message = 1000 })
	w := h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
	w.answer(t).wantError(t, 413, "limits.body")
	w = h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n%s\r\n0\r\n\r\n", strings.Repeat(" ", 0x800))
	w.answer(t).wantError(t, 413, "limits.body")
	w = h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(goodJSON), goodJSON)
	if res := w.answer(t); res.status != 200 {
		t.Errorf("a chunked body: %d %s", res.status, res.body)
	}
	w = h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
	w.answer(t).wantError(t, 413, "limits.body") // and not 100 first
}

func TestDeadlinesAreTheCallersAndCapped(t *testing.T) {
	h := newHTTPRig(t, false, func(d *Deps) { d.Limits.Timeout = 500 * time.Second })
	var left time.Duration
	h.runner.pass = func(ctx context.Context, r *backend.Request) (*pipeline.Passed, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		if left < time.Second {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &pipeline.Passed{Response: echo(r)}, nil
	}
	for value, want := range map[string]time.Duration{"": 500, "200": 200, "75.5": 75500, "200s": 200, "10m": 500, "1e300": 500, "1000": 500} {
		if want < 1000 {
			want *= 1000
		}
		var headers []string
		if value != "" {
			headers = []string{headerTimeout, value}
		}
		h.infer(t, goodJSON, headers...)
		if got := left.Milliseconds(); got > int64(want) || got < int64(want)-60_000 {
			t.Errorf("%q: %d ms were left, want %d", value, got, want)
		}
	}
	h.infer(t, goodJSON, headerTimeout, "30ms").wantError(t, 504, "")
	// A body that does not come in time ends with it.
	w := h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nX-Request-Timeout: 0.05\r\nContent-Length: 100\r\n\r\nabc")
	w.answer(t).wantError(t, 504, "")
}

func TestACallerThatLeavesCancelsItsCall(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	begun, ended := make(chan struct{}), make(chan error, 1)
	h.runner.pass = func(ctx context.Context, _ *backend.Request) (*pipeline.Passed, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}
	w := h.wire(t)
	w.send(t, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(goodJSON), goodJSON)
	<-begun
	_ = w.Close()
	select {
	case err := <-ended:
		if err != context.Canceled {
			t.Errorf("ended by %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the call went on")
	}
}

// A backend may read a request's bytes after it has returned; nobody else may get them before.
func TestTheBodyStaysUntilItsLastHolderLetsGo(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	var late sync.WaitGroup
	release := make(chan struct{})
	h.runner.pass = func(_ context.Context, r *backend.Request) (*pipeline.Passed, error) {
		r.Memory.Retain()
		want, data := string(r.Inputs[0].Data), r.Inputs[0].Data
		late.Go(func() {
			<-release
			if string(data) != want {
				t.Errorf("the bytes became %q, want %q", data, want)
			}
			r.Memory.Release()
		})
		return &pipeline.Passed{Response: echo(r)}, nil
	}
	for i := range 50 {
		json := `{"inputs":[{"name":"IN","shape":[8],"datatype":"UINT8","parameters":{"binary_data_size":8}},{"name":"J","shape":[1],"datatype":"INT64","data":[5]}]}`
		h.do(t, "POST", "/v2/models/echo/infer", fmt.Appendf(nil, "%s%08d", json, i), headerLength, itoa(len(json)))
	}
	close(release)
	late.Wait()
}

func TestCallsOverHTTPAreObserved(t *testing.T) {
	seen := make(chan string, 6)
	h := newHTTPRig(t, false, func(d *Deps) {
		d.Observe = func(_ context.Context, protocol, method, model string, code Code, took time.Duration) {
			if took <= 0 {
				t.Errorf("took %v", took)
			}
			seen <- fmt.Sprint(protocol, " ", method, " ", model, " ", code.HTTP)
		}
	})
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v2/models/echo/infer", goodJSON, "http ModelInfer echo 200"},
		{"POST", "/v2/models/echo/infer", "{", "http ModelInfer echo 400"},
		{"POST", "/v2/models/nope/infer", "", "http ModelInfer  404"},
		{"GET", "/v2/models/echo/infer", "", "http ModelInfer  405"},
		{"GET", "/v2/models/echo", "", "http ModelMetadata echo 200"},
		{"GET", "/v2/x", "", "http   404"},
	} {
		h.do(t, c.method, c.path, []byte(c.body))
		if got := <-seen; got != c.want { // an answer may be read before its call has been counted
			t.Errorf("%s %s: %q, want %q", c.method, c.path, got, c.want)
		}
	}
}
