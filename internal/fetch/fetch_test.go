package fetch

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/fault"
)

// reach is a fetcher that may ask these servers on this machine.
func reach(t *testing.T, servers ...*httptest.Server) Config {
	t.Helper()
	c := Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Bytes: 1 << 16, Timeout: 2 * time.Minute, Redirects: 3, Parallel: 4}
	for _, s := range servers {
		u, _ := url.Parse(s.URL)
		port, _ := strconv.Atoi(u.Port())
		c.Ports = append(c.Ports, port)
	}
	return c
}

func serve(t *testing.T, do http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(do)
	t.Cleanup(s.Close)
	return s
}

// get fetches a whole file.
func get(t *testing.T, f *Fetcher, text string) (data string, size int64, err error) {
	t.Helper()
	err = f.Get(t.Context(), text, func(n int64, body io.Reader) error {
		size = n
		b, err := io.ReadAll(body)
		data = string(b)
		return err
	})
	return data, size, err
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%v, not %s", err, code)
	}
}

// TestGet: the bytes as they are, and nothing of this machine in the question.
func TestGet(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	var mu sync.Mutex
	var heads []http.Header
	var s *httptest.Server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		heads = append(heads, r.Header.Clone())
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		if r.URL.Path == "/one" {
			http.Redirect(w, r, s.URL+"/two?secret=1", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/html") // is not believed
		_, _ = io.WriteString(w, "picture")
	})
	data, size, err := get(t, New(reach(t, s)), s.URL+"/one?token=x")
	if err != nil || data != "picture" || size != 7 || len(heads) != 2 {
		t.Fatalf("%q, %d, %v, %d questions", data, size, err, len(heads))
	}
	for _, h := range heads {
		if h.Get("User-Agent") != "triton-gateway" || h.Get("Accept-Encoding") != "identity" || h.Get("Cookie") != "" || h.Get("Referer") != "" || h.Get("Authorization") != "" || len(h) != 4 {
			t.Errorf("asked with %v", h)
		}
	}
}

// TestNotFetched: whatever is wrong on the other side, the caller is told the same, and in no other words.
func TestNotFetched(t *testing.T) {
	var other *httptest.Server
	hits := atomic.Int64{}
	other = serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/404":
			w.WriteHeader(404)
		case "/204":
			w.WriteHeader(204)
		case "/206":
			w.WriteHeader(206)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		case "/loop":
			http.Redirect(w, r, "/loop", 302)
		case "/port":
			http.Redirect(w, r, other.URL, 302)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		case "/user":
			w.Header().Set("Location", "http://u:p@"+r.Host+"/ok")
			w.WriteHeader(302)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254:"+r.Host[strings.LastIndexByte(r.Host, ':')+1:]+"/latest/meta-data", 307)
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 2*mostHeader))
		case "/hangup":
			panic(http.ErrAbortHandler)
		}
	})
	secure := httptest.NewTLSServer(http.NotFoundHandler()) // of an authority that nobody knows
	t.Cleanup(secure.Close)
	c := reach(t, s, secure)
	c.Timeout = 5 * time.Second // of asking for a name that does not exist, on a machine whose name server is away
	f := New(c)
	gone := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} // nobody listens there, and no connection begins there
	f.guard.ports = append(f.guard.ports, gone.Port)
	said := map[string]bool{}
	list := []string{secure.URL, "http://" + gone.String(), "http://10.0.0.1:" + strconv.Itoa(gone.Port), "http://[::1]:" + strconv.Itoa(gone.Port), "http://name.invalid:" + strconv.Itoa(gone.Port)}
	for _, path := range strings.Fields("/404 /204 /206 /gzip /loop /port /file /user /metadata /short /header /hangup") {
		list = append(list, s.URL+path)
	}
	for _, text := range list {
		_, _, err := get(t, f, text)
		wantCode(t, err, "url_not_fetched")
		var e *fault.Error
		if errors.As(err, &e) {
			said[e.Detail] = true
		}
	}
	if len(said) != 1 || hits.Load() != 0 {
		t.Errorf("%d different answers, %d calls elsewhere: %v", len(said), hits.Load(), said)
	}
}

func TestRefusedAtOnce(t *testing.T) {
	f := New(Config{Hosts: []string{"images.test"}, Ports: []int{80, 443}, Bytes: 1, Timeout: time.Second, Parallel: 1})
	for text, want := range map[string]string{"https://other.test/": "fetch.hosts", "http://127.0.0.1/": "fetch.hosts", "ftp://images.test": "scheme", "http://images.test:8080/": "fetch.ports", "x": "no URL"} {
		_, _, err := get(t, f, text)
		wantCode(t, err, "invalid_request")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

// TestRebinding: a name whose server says one address at first and this machine afterwards, or both at once. Each connection asks once, and what is dialled counts.
func TestRebinding(t *testing.T) {
	hits := atomic.Int64{}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { hits.Add(1); _, _ = io.WriteString(w, "inside") })
	u, _ := url.Parse(s.URL)
	for name, answer := range map[string]func(n int) []string{
		"this machine": func(int) []string { return []string{"127.0.0.1"} },
		"metadata":     func(int) []string { return []string{"169.254.169.254"} },
		"several":      func(int) []string { return []string{"10.0.0.1", "127.0.0.1", "192.168.0.1"} },
	} {
		t.Run(name, func(t *testing.T) {
			names := &nameServer{answer: answer}
			c := reach(t, s)
			c.Allow, c.Resolver = nil, names.resolver(t)
			_, _, err := get(t, New(c), "http://rebind.test:"+u.Port())
			wantCode(t, err, "url_not_fetched")
			if hits.Load() != 0 || names.questions() != 1 {
				t.Errorf("%d calls, %d questions", hits.Load(), names.questions())
			}
		})
	}
	// The same name is fetched where its network is allowed: it was the address that was refused. The second answer is never asked for.
	names := &nameServer{answer: func(n int) []string { return []string{[]string{"127.0.0.1", "10.0.0.1"}[min(n, 2)-1]} }}
	c := reach(t, s)
	c.Resolver = names.resolver(t)
	if data, _, err := get(t, New(c), "http://rebind.test:"+u.Port()); err != nil || data != "inside" || names.questions() != 1 {
		t.Errorf("%q, %v, %d questions", data, err, names.questions())
	}
}

// TestRedirects: so many and no more.
func TestRedirects(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		if n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusMovedPermanently)
		}
		_, _ = io.WriteString(w, "end")
	})
	for _, c := range []struct {
		allowed, chain int
		ok             bool
	}{{0, 0, true}, {0, 1, false}, {3, 3, true}, {3, 4, false}} {
		config := reach(t, s)
		config.Redirects = c.allowed
		if _, _, err := get(t, New(config), fmt.Sprintf("%s/%d", s.URL, c.chain)); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestTooLarge: an announced size is believed where it is too large; one that is too small, or none, is found out while reading.
func TestTooLarge(t *testing.T) {
	sent := atomic.Int64{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/announced" {
			w.Header().Set("Content-Length", "99999999999")
			return
		}
		for block := make([]byte, 4096); r.Context().Err() == nil; sent.Add(4096) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	f := New(reach(t, s))
	for _, path := range []string{"/announced", "/endless"} {
		_, _, err := get(t, f, s.URL+path)
		wantCode(t, err, "body_too_large")
	}
	whole := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "123") })
	c := reach(t, whole)
	c.Bytes = 3
	if data, _, err := get(t, New(c), whole.URL); err != nil || data != "123" {
		t.Errorf("a file of just the size: %q, %v", data, err)
	}
}

// TestSlow: a server that says its header, or its body, a byte at a time is left when the time is over, and one that lies about its length does not keep us.
func TestSlow(t *testing.T) {
	for name, head := range map[string]string{"header": "HTTP/1.1 200 OK\r\nX: ", "body": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			left := make(chan struct{})
			go func() {
				defer close(left)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, head)
				for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
					if _, err := io.WriteString(conn, "x"); err != nil {
						tick.Stop()
						return
					}
				}
			}()
			c := Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []int{l.Addr().(*net.TCPAddr).Port}, Bytes: 1 << 20, Timeout: 300 * time.Millisecond, Parallel: 1}
			if name == "nothing" { // it is no HTTP at all
				c.Timeout = 5 * time.Second
			}
			_, _, err = get(t, New(c), "http://"+l.Addr().String())
			wantCode(t, err, "url_not_fetched")
			_ = l.Close()
			<-left // the connection was closed
		})
	}
}

// TestTurns: so many at one time; whoever comes too late is told to come again, and whoever leaves waits no longer.
func TestTurns(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-free })
	c := reach(t, s)
	c.Parallel = 1
	f := New(c)
	ended := make(chan error)
	go func() { _, _, err := get(t, f, s.URL); ended <- err }()
	<-begun
	_, _, err := get(t, f, s.URL)
	wantCode(t, err, "queue_full")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, f.Get(gone, s.URL, nil), "client_closed")
	close(free)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestReaderFails: what the reader says counts, such as that there is no memory.
func TestReaderFails(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
	busy := fault.New(fault.Busy, "queue_full", "no memory")
	err := New(reach(t, s)).Get(t.Context(), s.URL, func(int64, io.Reader) error { return busy })
	if !errors.Is(err, busy) {
		t.Errorf("%v", err)
	}
}
