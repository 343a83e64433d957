package sqs

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a store and AWS. It counts calls, answers some itself, and loses answers: AWS has done what it was asked, and nobody hears of it.
type proxy struct {
	*httptest.Server
	mu     sync.Mutex
	counts map[string]int
	answer func(operation string) (status int, body string) // 0: the call goes through; -1: its answer is lost; -2: nothing is answered
	free   chan struct{}                                    // closed to end the calls that are not answered
	lost   atomic.Int32
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{counts: map[string]int{}, free: make(chan struct{})}
	through := httputil.NewSingleHostReverseProxy(u)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	through.Transport = transport
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation := r.Header.Get("X-Amz-Target")
		if operation = operation[strings.LastIndex(operation, ".")+1:]; operation == "" {
			operation = r.Method + "Object"
		}
		p.mu.Lock()
		p.counts[operation]++
		answer := p.answer
		p.mu.Unlock()
		status, body := 0, ""
		if answer != nil {
			status, body = answer(operation)
		}
		switch {
		case status > 0:
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		case status == -2:
			select {
			case <-p.free:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		case status == -1:
			p.lost.Add(1)
			through.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			through.ServeHTTP(w, r)
		}
	}))
	p.Config.ErrorLog = nil
	t.Cleanup(func() {
		close(p.free)
		p.CloseClientConnections()
		p.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// says sets what the proxy does with calls from now on.
func (p *proxy) says(answer func(operation string) (int, string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// loses makes the proxy lose the next n answers of an operation.
func (p *proxy) loses(operation string, n int32) {
	var left atomic.Int32
	left.Store(n)
	p.says(func(o string) (int, string) {
		if o == operation && left.Add(-1) >= 0 {
			return -1, ""
		}
		return 0, ""
	})
}

// count is how often an operation was called since the last since.
func (p *proxy) count(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[operation]
}

// since gives the calls since the last time, but for those of idle long polls.
func (p *proxy) since() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	p.counts = map[string]int{}
	return c
}

// through is a URL with the proxy's address in it.
func (p *proxy) through(t *testing.T, c cloud, url string) string {
	t.Helper()
	if _, _, err := net.SplitHostPort(p.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(url, c.endpoint, p.URL, 1)
}
