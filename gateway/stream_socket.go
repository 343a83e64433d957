package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

const (
	// socketProtocol is the subprotocol of frames up and results down. A browser that sends a key names it besides: it takes no answer without one of those that it named.
	socketProtocol = "triton-gateway"
	// socketKeyPrefix begins the name of a subprotocol that is a key: a browser sets no header on a WebSocket.
	socketKeyPrefix = "key."
	mostSockets     = 256              // at a time
	socketPing      = 15 * time.Second // between two signs of life, and two looks at the key
	socketWrite     = 30 * time.Second // that a client may take for a result, and for the rest of a frame that has begun
)

// sockets are those that are open.
type sockets struct {
	parting context.Context // ends when they are to end
	part    context.CancelFunc

	mu     sync.Mutex
	open   int
	all    sync.WaitGroup
	closed bool
}

func newSockets() *sockets {
	s := new(sockets)
	s.parting, s.part = context.WithCancel(context.Background())
	return s
}

// enter counts one. The caller calls leave.
func (s *sockets) enter() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.parting.Err() != nil:
		return nil, fault.New(fault.Draining, "draining", "this gateway is shutting down; ask another one").After(time.Second)
	case s.open >= mostSockets:
		return nil, fault.New(fault.Busy, "queue_full", "%d sockets are open already; come again when one has closed", mostSockets).After(time.Second)
	}
	s.open++
	s.all.Add(1) // under mu, so that close waits for it
	return func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
		s.all.Done()
	}, nil
}

// count is how many are open.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// close ends all, and waits for them.
func (s *sockets) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.part()
	s.all.Wait()
}

// socket answers GET .../ws: pictures up, results down.
func (s *server) socket(c *gin.Context) error {
	side, err := s.streaming()
	if err != nil {
		return err
	}
	r := c.Request
	if r.ProtoMajor != 1 || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		c.Writer.Header().Set("Upgrade", "websocket")
		return fault.New(fault.Invalid, "invalid_request", "this is a WebSocket; open it as one, over HTTP/1.1").At("header.Upgrade", "not websocket")
	}
	if err := s.sameOrigin(r); err != nil {
		return err
	}
	base, err := socketOptions(r)
	if err != nil {
		return err
	}
	model, version, err := s.target(c)
	if err != nil {
		return err
	}
	if m, err := s.models.Lookup(model); err == nil {
		if _, err := m.Resolve(version); err != nil {
			return err
		}
	}
	leave, err := side.sockets.enter()
	if err != nil {
		return err
	}
	defer leave()
	conn, err := websocket.Accept(c.Writer, r, &websocket.AcceptOptions{Subprotocols: []string{socketProtocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}) // origins have been looked at
	if err != nil {                                                                                                                                                                        // it has answered
		stateOf(c).code = "invalid_request"
		return nil
	}
	f := &framer{server: s, side: side, conn: conn, base: base, model: model, version: version, request: r, id: requestID(c), tenant: stateOf(c).tenant(), wake: make(chan struct{}, 1)}
	f.serve(side.sockets.parting)
	return nil
}

// Hijack lets gin give the connection away.
func (st *state) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(st.ResponseWriter).Hijack()
}

// sameOrigin refuses pages of origins that may not call: browsers ask nobody before a page opens a WebSocket.
func (s *server) sameOrigin(r *http.Request) error {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return nil // no browser
	}
	_, host, _ := strings.Cut(values[0], "://")
	if len(values) == 1 && (s.rules.origins.allows(values[0]) || strings.EqualFold(host, r.Host)) {
		return nil
	}
	return fault.New(fault.Forbidden, "forbidden", "pages of %s may not call this gateway; cors.origins of its settings lists those that may", clip(values[0]))
}

// socketKey gives the keys that a page sends as the names of subprotocols; nil where there are none.
func socketKey(h http.Header) (keys []string) {
	for _, value := range h["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(value, ",") {
			if key, found := strings.CutPrefix(strings.TrimSpace(name), socketKeyPrefix); found {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
