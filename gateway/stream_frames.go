package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// frame is a picture that came over a socket.
type frame struct {
	seq     uint64 // from 1 on
	body    *pipeline.Body
	options frameOptions
	came    time.Time
}

// framer answers the frames of one socket. One frame is worked on and one waits; one that comes meanwhile takes the place of the one that waits.
type framer struct {
	*server
	side           *streamSide
	conn           *websocket.Conn
	base           frameOptions // where a frame does not say
	model, version string
	request        *http.Request // that opened the socket
	id, tenant     string
	wake           chan struct{} // a frame waits

	mu      sync.Mutex
	waiting *frame
	dropped uint64
}

// errBadText ends a socket whose client sends texts that are no options.
var errBadText = errors.New("a text that holds no options")

// serve works until the client leaves, breaks a rule, or parting ends. It closes the connection.
func (f *framer) serve(parting context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.request.Context()))
	defer cancel()
	defer f.conn.CloseNow()
	f.conn.SetReadLimit(f.limits.Body)
	var all sync.WaitGroup
	all.Go(func() { defer cancel(); f.work(ctx) })
	all.Go(func() { defer cancel(); f.watch(ctx, parting) })
	err := f.read(ctx)
	if errors.Is(err, errBadText) {
		_ = f.conn.Close(websocket.StatusPolicyViolation, "a text has to be options in JSON, before its picture")
	}
	cancel()
	all.Wait()
	if f.waiting != nil {
		f.waiting.body.Release()
	}
}

// watch asks whether the client still lives, and whether its key still holds.
func (f *framer) watch(ctx, parting context.Context) {
	tick := time.NewTicker(socketPing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-parting.Done():
			_ = f.conn.Close(websocket.StatusGoingAway, "this gateway is shutting down")
			return
		case <-tick.C:
		}
		if f.gate != nil {
			if _, err := f.gate.callers.Caller(ctx, presented(f.request)); fault.KindOf(err) == fault.Unauthenticated && err != nil {
				_ = f.conn.Close(websocket.StatusPolicyViolation, "the key holds no longer")
				return
			}
		}
		alive, cancel := context.WithTimeout(ctx, socketPing)
		err := f.conn.Ping(alive)
		cancel()
		if err != nil {
			return
		}
	}
}

// read takes frames until the connection ends.
func (f *framer) read(ctx context.Context) error {
	options := f.base
	for seq := uint64(1); ; {
		kind, in, err := f.conn.Reader(ctx)
		if err != nil {
			return err
		}
		if kind == websocket.MessageText {
			text, err := io.ReadAll(io.LimitReader(in, longestOptions+1))
			if err != nil {
				return err
			}
			if options, err = readFrameOptions(text, f.base); err != nil {
				f.tell(ctx, seq, newProblem(err, f.id))
				return errBadText
			}
			continue
		}
		body, err := f.receive(ctx, in)
		switch {
		case err == nil:
			f.put(&frame{seq, body, options, time.Now()})
		case fault.KindOf(err) == fault.Internal: // the connection's own
			return err
		default: // there is no memory for it
			if _, err := io.Copy(io.Discard, in); err != nil {
				return err
			}
			f.tell(ctx, seq, newProblem(err, f.id))
		}
		seq++
		options = f.base
	}
}

// receive reads a picture into memory that all bodies share. Errors of the budget are faults; others are the connection's.
func (f *framer) receive(ctx context.Context, in io.Reader) (*pipeline.Body, error) {
	slow := time.AfterFunc(socketWrite, func() { _ = f.conn.CloseNow() })
	defer slow.Stop()
	pool := f.bodies
	b, err := pool.take(ctx, min(firstChunk, pool.limit))
	if err != nil {
		return nil, err
	}
	for n := 0; ; {
		m, err := in.Read(b.data[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF):
			return pipeline.NewBody(b.data[:n:n], b.free), nil
		case err != nil:
			pool.put(b)
			return nil, err
		}
		if n < len(b.data) {
			continue
		}
		larger, err := pool.take(ctx, 2*int64(n))
		if err != nil {
			pool.put(b)
			return nil, err
		}
		copy(larger.data, b.data[:n])
		pool.put(b)
		b = larger
	}
}

// put lets a frame wait; the latest wins.
func (f *framer) put(next *frame) {
	f.side.frames.came.Add(1)
	f.mu.Lock()
	old := f.waiting
	f.waiting = next
	if old != nil {
		f.dropped++
	}
	f.mu.Unlock()
	if old != nil {
		f.side.frames.dropped.Add(1)
		old.body.Release()
	}
	select {
	case f.wake <- struct{}{}:
	default: // it will look
	}
}

// work answers frames until ctx ends or the client takes no more.
func (f *framer) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		f.mu.Lock()
		next := f.waiting
		f.waiting = nil
		f.mu.Unlock()
		if next == nil {
			continue
		}
		a, err := f.answer(ctx, next)
		next.body.Release()
		if ctx.Err() != nil {
			return
		}
		told := false
		if err != nil {
			f.side.frames.failed.Add(1)
			told = f.tell(ctx, next.seq, newProblem(err, f.id))
		} else {
			told = f.say(ctx, next, a)
		}
		if !told {
			return
		}
	}
}

// answer runs one frame, as a request of infer.
func (f *framer) answer(ctx context.Context, n *frame) (*pipeline.Answer, error) {
	ctx, cancel := context.WithDeadline(ctx, n.came.Add(min(n.options.deadline, f.limits.Timeout)))
	defer cancel()
	if f.quotas != nil {
		p, err := f.quotas.ofCalls().Enter(ctx, f.request.RemoteAddr, int64(len(n.body.Bytes)))
		if err != nil {
			return nil, err
		}
		if p != nil {
			defer p.Leave()
			ctx = p
		}
	}
	if err := f.runner.Decodable(ctx); err != nil {
		return nil, err
	}
	release, err := f.runner.Admit(ctx, f.model, f.version, int64(len(n.body.Bytes)))
	if err != nil {
		return nil, err
	}
	defer release()
	return f.runner.Run(ctx, &pipeline.Request{Model: f.model, Version: f.version, Tenant: f.tenant, ID: f.id + "/" + strconv.FormatUint(n.seq, 10),
		Item: pipeline.Item{Image: n.body}, Options: n.options.post, Cache: n.options.cache, Header: f.request.Header})
}

// head begins a message about a frame.
func (f *framer) head(seq uint64) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := strconv.AppendUint([]byte(`{"seq":`), seq, 10)
	return strconv.AppendUint(append(b, `,"dropped":`...), f.dropped, 10)
}

// say sends a result.
func (f *framer) say(ctx context.Context, n *frame, a *pipeline.Answer) bool {
	_, short := cacheStatus(a, n.options.cache)
	f.observe(f.tenant, a, short)
	b := append(append(f.head(n.seq), `,"result":`...), a.Body...)
	if a.FromCache {
		b = append(b, tailCached...)
	} else {
		b = append(b, tailFresh...)
	}
	return f.write(ctx, append(b, '}'))
}

// tell sends an error.
func (f *framer) tell(ctx context.Context, seq uint64, p *problem) bool {
	doc, _ := json.Marshal(p) // strings, numbers and booleans only: cannot fail
	return f.write(ctx, append(append(append(f.head(seq), `,"error":`...), doc...), '}'))
}

func (f *framer) write(ctx context.Context, text []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, socketWrite)
	defer cancel()
	return f.conn.Write(ctx, websocket.MessageText, text) == nil
}
