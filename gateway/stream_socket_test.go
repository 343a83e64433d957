package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
)

// told is a message of a socket.
type told struct {
	Seq, Dropped int
	Result       *struct{ Bytes int }
	Error        *problemDoc
}

// socketRig is a server with streams, and its address.
type socketRig struct {
	*streamRig
	url string
}

func newSocketRig(t *testing.T) *socketRig {
	s := &socketRig{streamRig: newStreamRig(t, nil)}
	s.url = s.serve(t)
	return s
}

// dial opens a socket. It is closed with the test.
func (s *socketRig) dial(t *testing.T, path string, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	c, res, err := websocket.Dial(t.Context(), s.url+path, o)
	if err != nil {
		if res != nil {
			body, _ := io.ReadAll(res.Body)
			t.Fatalf("%v: %s", err, body)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func send(t *testing.T, c *websocket.Conn, kind websocket.MessageType, data string) {
	t.Helper()
	if err := c.Write(t.Context(), kind, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *websocket.Conn) (m told) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kind, data, err := c.Read(ctx)
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("%v, %v", kind, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return m
}

const socketPath = "/v1/models/shapes/ws"

func TestFramesAreAnsweredInTurn(t *testing.T) {
	s := newSocketRig(t)
	c := s.dial(t, socketPath+"?top_k=3&confidence=0.5", nil)
	for seq, one := range []struct {
		options string
		topK    int
		mode    cache.Mode
	}{{"", 3, cache.NoStore}, {`{"top_k":1,"cache":"default"}`, 1, cache.Default}, {"", 3, cache.NoStore}} {
		if one.options != "" {
			send(t, c, websocket.MessageText, one.options)
		}
		send(t, c, websocket.MessageBinary, strings.Repeat("x", seq+1))
		m := hear(t, c)
		r := s.runner.last()
		if m.Seq != seq+1 || m.Dropped != 0 || m.Error != nil || m.Result.Bytes != seq+1 || *r.Options.TopK != one.topK || *r.Options.Confidence != 0.5 || r.Cache != one.mode || r.Model != "shapes" {
			t.Errorf("frame %d: %+v, asked %+v", seq+1, m, r)
		}
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	eventually(t, "the socket is let go", func() bool { return s.streams.sockets.count() == 0 && s.runner.admitted.Load() == 0 })
}

// Of 10,000 frames at once, one is at work, one waits, and the last one wins.
func TestTheLatestFrameWins(t *testing.T) {
	s := newSocketRig(t)
	pass := make(chan bool)
	s.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		select {
		case <-pass:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	c := s.dial(t, socketPath, nil)
	const frames = 10_000
	send(t, c, websocket.MessageBinary, "1")
	eventually(t, "the first is at work", func() bool { return s.runner.admitted.Load() == 1 })
	for n := 2; n <= frames; n++ {
		send(t, c, websocket.MessageBinary, strings.Repeat("x", n%7+1))
	}
	eventually(t, "the last one waits", func() bool { return s.streams.frames.dropped.Load() == frames-2 }) // those that have come are counted before that
	close(pass)
	if m := hear(t, c); m.Seq != 1 || m.Dropped != frames-2 || m.Result.Bytes != 1 {
		t.Errorf("the first: %+v", m)
	}
	if m := hear(t, c); m.Seq != frames || m.Dropped != frames-2 || m.Result.Bytes != frames%7+1 {
		t.Errorf("the last: %+v", m)
	}
	if came, dropped := s.streams.frames.came.Load(), s.streams.frames.dropped.Load(); came != frames || dropped != frames-2 {
		t.Errorf("%d came, %d were dropped", came, dropped)
	}
}

func TestAFrameHasADeadline(t *testing.T) {
	s := newSocketRig(t)
	s.runner.before = func(ctx context.Context, r *pipeline.Request) (bool, error) {
		if len(r.Item.Image.Bytes) > 1 {
			return false, nil
		}
		<-ctx.Done()
		return true, ctx.Err()
	}
	c := s.dial(t, socketPath+"?deadline=20ms", nil)
	send(t, c, websocket.MessageBinary, "1")
	if m := hear(t, c); m.Seq != 1 || m.Error == nil || m.Error.Code != "deadline_exceeded" {
		t.Errorf("%+v", m)
	}
	send(t, c, websocket.MessageText, `{"deadline":"1m"}`)
	send(t, c, websocket.MessageBinary, "22")
	if m := hear(t, c); m.Seq != 2 || m.Result == nil {
		t.Errorf("%+v", m)
	}
	if n := s.streams.frames.failed.Load(); n != 1 {
		t.Errorf("%d failed", n)
	}
}

func TestBadFramesEndTheSocket(t *testing.T) {
	s := newSocketRig(t)
	for name, c := range map[string]struct {
		kind websocket.MessageType
		data string
		code websocket.StatusCode
		says bool // an error before the end
	}{
		"a frame that is too large": {websocket.MessageBinary, strings.Repeat("x", testBodyLimit+1), websocket.StatusMessageTooBig, false},
		"a text that is no options": {websocket.MessageText, "iVBORw0KGgo=", websocket.StatusPolicyViolation, true},
		"an unknown option":         {websocket.MessageText, `{"topk":1}`, websocket.StatusPolicyViolation, true},
		"a bad option":              {websocket.MessageText, `{"confidence":2}`, websocket.StatusPolicyViolation, true},
		"a bad deadline":            {websocket.MessageText, `{"deadline":"soon"}`, websocket.StatusPolicyViolation, true},
		"more after the options":    {websocket.MessageText, `{}{}`, websocket.StatusPolicyViolation, true},
		"depth":                     {websocket.MessageText, strings.Repeat("[", 30000), websocket.StatusPolicyViolation, true},
		"long options":              {websocket.MessageText, `{"classes":"` + strings.Repeat("x", 70000) + `"}`, websocket.StatusPolicyViolation, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t, socketPath, nil)
			send(t, conn, c.kind, c.data)
			if c.says {
				if m := hear(t, conn); m.Seq != 1 || m.Error == nil || m.Error.Code != "invalid_request" {
					t.Errorf("%+v", m)
				}
			}
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != c.code {
				t.Errorf("%v", err)
			}
		})
	}
	if n := s.runner.count(); n != 0 {
		t.Errorf("%d frames reached the model", n)
	}
	eventually(t, "all are let go", func() bool { return s.streams.sockets.count() == 0 })
}

func TestSocketsThatAreNotOpened(t *testing.T) {
	s := newSocketRig(t)
	s.rules.origins = (&CORS{Origins: []string{"https://app.example.com"}}).open()
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for path, want := range map[string]string{
		"/v1/models/nope/ws": "404 model_not_found", "/v1/models/shapes/versions/9/ws": "404 version_not_found", socketPath + "?topk=1": "400 invalid_request", socketPath + "?deadline=-1s": "400 invalid_request",
	} {
		res, body := s.do(t, "GET", path, "", "", upgrade...)
		if p := decode[problemDoc](t, body); fmt.Sprint(res.StatusCode, " ", p.Code) != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, body := s.do(t, "GET", socketPath, "", ""); res.StatusCode != 400 || res.Header.Get("Upgrade") != "websocket" {
		t.Errorf("no WebSocket: %d %s", res.StatusCode, body)
	}
	for origin, allowed := range map[string]bool{"": true, s.url: true, "https://app.example.com": true, "https://evil.example.com": false, "null": false, "https://app.example.com.evil.org": false, "http://app.example.com": false} {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		c, res, err := websocket.Dial(t.Context(), s.url+socketPath, &websocket.DialOptions{HTTPHeader: h})
		if allowed != (err == nil) || !allowed && res.StatusCode != 403 {
			t.Errorf("origin %q: %v", origin, err)
		}
		if err == nil {
			_ = c.CloseNow()
		}
	}
	eventually(t, "they are let go", func() bool { return s.streams.sockets.count() == 0 })
	s.streams.sockets.open = mostSockets
	if res, body := s.do(t, "GET", socketPath, "", "", upgrade...); res.StatusCode != 429 {
		t.Errorf("too many: %d %s", res.StatusCode, body)
	}
	s.streams.sockets.open = 0
}

// A browser names its key as a subprotocol, and takes an answer with one of those that it has named alone.
func TestAKeyAsASubprotocol(t *testing.T) {
	g := newGatedRig(t)
	c := defaultStreams()
	g.server.streams = c.open(&fakeStreamer{})
	defer g.server.streams.close()
	server := httptest.NewServer(g.server.handler())
	defer server.Close()
	for names, want := range map[string]int{"triton-gateway,key.infer-a": 101, "triton-gateway,key.jobs-a": 403, "triton-gateway,key.nobody": 401, "triton-gateway": 401, "key.infer-a": 101, "": 401} {
		o := &websocket.DialOptions{}
		if names != "" {
			o.Subprotocols = strings.Split(names, ",")
		}
		conn, res, err := websocket.Dial(t.Context(), server.URL+socketPath, o)
		if res == nil || res.StatusCode != want {
			t.Errorf("%s: %v", names, err)
			continue
		}
		if want != 101 {
			continue
		}
		if got := conn.Subprotocol(); strings.HasPrefix(names, socketProtocol) != (got == socketProtocol) || strings.Contains(got, "key") {
			t.Errorf("%s: answered with %q", names, got)
		}
		send(t, conn, websocket.MessageBinary, "x")
		if m := hear(t, conn); m.Result == nil || g.runner.last().Tenant != "a" {
			t.Errorf("%s: %+v for tenant %q", names, m, g.runner.last().Tenant)
		}
		_ = conn.CloseNow()
	}
}

func TestNothingIsLeftOfSockets(t *testing.T) {
	s := newStreamRig(t, nil)
	s.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) { <-ctx.Done(); return true, ctx.Err() }
	server := httptest.NewServer(s.http)
	defer server.Close()
	before := goleak.IgnoreCurrent()
	var conns []*websocket.Conn
	for range 20 {
		c, _, err := websocket.Dial(t.Context(), server.URL+socketPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			send(t, c, websocket.MessageBinary, "x")
		}
		conns = append(conns, c)
	}
	for _, c := range conns[:10] {
		_ = c.CloseNow() // as a client that is gone
	}
	eventually(t, "ten are left", func() bool { return s.streams.sockets.count() == 10 })
	s.streams.sockets.part()
	for _, c := range conns[10:] {
		for {
			if _, _, err := c.Read(t.Context()); err != nil {
				if websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Errorf("%v", err)
				}
				break
			}
		}
	}
	eventually(t, "none is left", func() bool { return s.streams.sockets.count() == 0 })
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if n := s.runner.admitted.Load(); n != 0 {
		t.Errorf("%d places are kept", n)
	}
	if used := s.budget.Stats().Used; used != 0 {
		t.Errorf("%d bytes are kept", used)
	}
	if _, res, err := websocket.Dial(t.Context(), server.URL+socketPath, nil); err == nil || res.StatusCode != 503 {
		t.Errorf("after the end: %v", err)
	}
}

// FuzzFrameOptions: whatever a client sends is options, or refused by its name.
func FuzzFrameOptions(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"top_k":1}`, `{"classes":["a","b"],"deadline":"1s","cache":"no-cache"}`, `{"deadline":1}`, `{"iou":1e99}`, "[", `{"top_k":1,"top_k":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := readFrameOptions(text, frameOptions{deadline: time.Hour})
		if err == nil && (o.deadline <= 0 || o.cache > cache.NoStore) {
			t.Errorf("%s: %+v", text, o)
		}
	})
}
