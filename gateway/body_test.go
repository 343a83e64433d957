package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
)

func newPool(limitBytes, budget int64) *bodyPool {
	return &bodyPool{limit: limitBytes, budget: limit.NewBytes(budget)}
}

// chunked hides the length of a body.
type chunked struct{ io.Reader }

func (chunked) Close() error { return nil }

func post(body string, known bool) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	if !known {
		r.Body, r.ContentLength = chunked{strings.NewReader(body)}, -1
	}
	return r
}

func TestBodyOfEverySize(t *testing.T) {
	p := newPool(1<<20, 4<<20)
	for _, size := range []int{1, 4095, 4096, 4097, firstChunk - 1, firstChunk, firstChunk + 1, 300_000, 1 << 20} {
		text := strings.Repeat("x", size-1) + "y"
		for _, known := range []bool{true, false} {
			b, err := p.read(httptest.NewRecorder(), post(text, known))
			if err != nil || string(b.Bytes) != text {
				t.Fatalf("%d bytes, length known %v: %v", size, known, err)
			}
			b.Release()
		}
	}
	for _, known := range []bool{true, false} {
		_, err := p.read(httptest.NewRecorder(), post(strings.Repeat("x", 1<<20+1), known))
		if fault.KindOf(err) != fault.TooLarge || !strings.Contains(err.Error(), "limits.body") {
			t.Errorf("over the limit, length known %v: %v", known, err)
		}
	}
	if used := p.budget.(*limit.Bytes).Stats().Used; used != 0 {
		t.Errorf("%d bytes of the budget are not given back", used)
	}
}

func TestLargeBodyIsRefusedUnread(t *testing.T) {
	p := newPool(10, 100)
	r := post(strings.Repeat("x", 11), true)
	r.Body = io.NopCloser(failing{t})
	if _, err := p.read(httptest.NewRecorder(), r); fault.KindOf(err) != fault.TooLarge {
		t.Error(err)
	}
}

type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body was read")
	return 0, io.EOF
}

func TestCutBody(t *testing.T) {
	p := newPool(1<<20, 4<<20)
	r := post("short", true)
	r.ContentLength = 10
	if _, err := p.read(httptest.NewRecorder(), r); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	r = post("", false)
	r.Body = chunked{io.MultiReader(strings.NewReader("half"), broken{io.ErrUnexpectedEOF})}
	if _, err := p.read(httptest.NewRecorder(), r); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "ended before") {
		t.Error("a cut chunked body was taken:", err)
	}
	if used := p.budget.(*limit.Bytes).Stats().Used; used != 0 {
		t.Errorf("%d bytes of the budget are not given back", used)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestBudgetIsHeldUntilTheLastHolderLetsGo(t *testing.T) {
	p := newPool(1<<20, 1000)
	first, err := p.read(httptest.NewRecorder(), post(strings.Repeat("x", 600), true))
	if err != nil {
		t.Fatal(err)
	}
	first.Retain() // a computation that outlives the request
	first.Release()
	_, err = p.read(httptest.NewRecorder(), post(strings.Repeat("x", 600), true))
	var f *fault.Error
	if fault.KindOf(err) != fault.Busy {
		t.Fatalf("got %v, want queue_full (%v)", err, f)
	}
	first.Release()
	again, err := p.read(httptest.NewRecorder(), post(strings.Repeat("x", 600), true))
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

// TestBuffersNeverMix has many clients send their own bytes while freed buffers are poisoned.
func TestBuffersNeverMix(t *testing.T) {
	r := newRig(t)
	r.bodies.freed = func(b []byte) {
		for i := range b[:min(len(b), 4096)] {
			b[i] = 0xDB
		}
	}
	server := httptest.NewServer(r.http)
	defer server.Close()
	client := server.Client()
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 20 {
				data := bytes.Repeat(fmt.Appendf(nil, "%d-%d|", w, i), 50*(i+1))
				res, err := client.Post(server.URL+"/v1/models/shapes/infer", "image/png", bytes.NewReader(data))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if want := fmt.Sprintf("%x", sha256.Sum256(data)); !strings.Contains(string(body), want) {
					t.Errorf("client %d got another's answer: %s", w, body)
				}
			}
		})
	}
	workers.Wait()
	client.CloseIdleConnections()
}

// TestReadDeadlineDoesNotEndTheRequest keeps a model busy for longer than no time at all and checks that the context lives.
func TestReadDeadlineIsTakenAway(t *testing.T) {
	r := newRig(t)
	deadline := make(chan error, 1)
	r.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		deadline <- ctx.Err()
		return false, nil
	}
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	req := post("x", true)
	req.URL.Path = "/v1/models/shapes/infer"
	req.Header.Set("Content-Type", "image/png")
	r.http.ServeHTTP(w, req)
	if err := <-deadline; err != nil {
		t.Error(err)
	}
	if len(w.set) < 2 || w.set[0] || !w.set[len(w.set)-1] {
		t.Errorf("the deadline was not set and taken away: %v", w.set)
	}
}

// TestSlowClientIsGivenUp uses a body whose reads run into the deadline.
func TestSlowClientIsGivenUp(t *testing.T) {
	p := newPool(1<<20, 4<<20)
	r := post("", false)
	r.Body = chunked{io.MultiReader(strings.NewReader("half"), broken{timeout{}})}
	w := httptest.NewRecorder()
	if _, err := p.read(w, r); fault.KindOf(err) != fault.Timeout || w.Header().Get("Connection") != "close" {
		t.Error(err, w.Header())
	}
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// TestClientGone closes the connection in the middle of an upload; the log says 499.
func TestClientGone(t *testing.T) {
	r := newRig(t)
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer close(done)
		r.http.ServeHTTP(w, req)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "POST /v1/models/shapes/infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf")
	_ = conn.Close()
	<-done
	line := ""
	for s := bufio.NewScanner(r.log); s.Scan(); {
		line = s.Text()
	}
	if !strings.Contains(line, `"status":499`) && !strings.Contains(line, `"status":400`) || r.runner.count() != 0 || r.budget.Stats().Used != 0 {
		t.Errorf("%s", line)
	}
}

// deadlines remembers whether each read deadline that was set is none.
type deadlines struct {
	*httptest.ResponseRecorder
	set []bool
}

// SetReadDeadline is found by http.ResponseController.
func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t.IsZero())
	return nil
}
