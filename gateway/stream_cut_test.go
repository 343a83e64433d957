package gateway

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// cutter is a proxy that closes each connection after a random number of bytes of the answer.
type cutter struct {
	net.Listener
	to   string
	mu   sync.Mutex
	dice *rand.Rand
	cuts int
	most int // bytes; 0: nothing is cut any more
	all  sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to, dice: rand.New(rand.NewPCG(1, 2)), most: 4000}
	c.all.Go(c.accept)
	t.Cleanup(func() { _ = l.Close(); c.all.Wait() })
	return c
}

func (c *cutter) accept() {
	for {
		near, err := c.Accept()
		if err != nil {
			return
		}
		c.all.Go(func() { c.carry(near) })
	}
}

func (c *cutter) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	c.all.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
	c.mu.Lock()
	room := int64(1 << 40)
	if c.most > 0 {
		room = int64(c.dice.IntN(c.most))
	}
	c.mu.Unlock()
	if n, _ := io.CopyN(near, far, room); n == room {
		c.mu.Lock()
		c.cuts++
		c.mu.Unlock()
	}
}

func (c *cutter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// A client whose connection is cut 200 times, anywhere, gets each response once and in order.
func TestCutConnectionsLoseAndDoubleNothing(t *testing.T) {
	s := newStreamRig(t, func(c *Streams) { c.Most = 2000 })
	proxy := newCutter(t, strings.TrimPrefix(s.serve(t), "http://"))
	base := "http://" + proxy.Addr().String()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	const cuts, each = 200, 500
	whole := 0
	for proxy.count() < cuts {
		seen, self, last := 0, "", ""
		for tries := 0; ; tries++ {
			if tries > 1000 {
				t.Fatalf("%d responses after %d tries", seen, tries)
			}
			path, body := self, ""
			if self == "" { // its id has not come
				path, body = streamPath, inputs(each)
			}
			in, err := openStream(t.Context(), client, base+path, body, last)
			if err != nil {
				continue
			}
			self = in.Header.Get("Location")
			if in.StatusCode != 200 || self == "" {
				t.Fatalf("%d %v after %q", in.StatusCode, in.Header, last)
			}
			ended := false
			for e, more := in.next(); more; e, more = in.next() {
				switch e.name {
				case "response":
					var r struct{ Outputs []struct{ Data []int } }
					if err := json.Unmarshal([]byte(e.data), &r); err != nil {
						t.Fatalf("%+v: %v", e, err)
					}
					if seen++; r.Outputs[0].Data[0] != seen {
						t.Fatalf("response %d came where %d should", r.Outputs[0].Data[0], seen)
					}
					last = e.id
				case "done":
					ended = true
				case "error":
					t.Fatalf("%+v", e)
				}
			}
			in.Body.Close()
			if ended {
				break
			}
		}
		if seen != each {
			t.Fatalf("%d responses, not %d", seen, each)
		}
		whole++
	}
	t.Logf("%d streams, %d connections cut", whole, proxy.count())
	if n := s.streams.hub.Stats(); n.Resumed < cuts/2 || n.Behind != 0 {
		t.Errorf("%+v", n)
	}
}
