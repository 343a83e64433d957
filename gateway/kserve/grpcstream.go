package kserve

import (
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// inFlight bounds the requests of one stream that are being worked on. When they are so many, the stream is not read, and flow control holds the
// caller back.
const inFlight = 64

// streamCall is one ModelStreamInfer. The handler's goroutine waits for the end; one goroutine reads, one writes, and each request has one of its own.
//
// Answers of models with one response leave in the order of their requests: each waits for its turn, which the one before it passes on. Responses of
// decoupled models leave when they come. Requests of one sequence run one after the other.
type streamCall struct {
	*calls
	stream   grpc.ServerStream
	ctx      context.Context
	cancel   context.CancelFunc
	strict   bool                  // failures end the stream with a status
	out      chan *streamAnswer    // to the writer
	slots    chan struct{}         // one for each request under way
	requests sync.WaitGroup        // under way
	turn     <-chan struct{}       // closed when the last answer in order has been given to the writer; the reader's
	mu       sync.Mutex            // guards what follows
	lines    map[any]chan struct{} // by sequence id: closed when its last request has ended
	err      error                 // what ends the stream: the first failure
}

type streamAnswer struct {
	inferAnswer
	err error // of a request; goes out as a status where strict
}

// modelStreamInfer is the call ModelStreamInfer.
func (c *calls) modelStreamInfer(stream grpc.ServerStream) error {
	start := time.Now()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	first := make(chan struct{})
	close(first)
	s := &streamCall{calls: c, stream: stream, ctx: ctx, cancel: cancel, strict: wantsStatus(ctx), turn: first,
		out: make(chan *streamAnswer), slots: make(chan struct{}, inFlight), lines: map[any]chan struct{}{}}
	c.tellQuota(stream)
	err := s.serve()
	st, trailer := c.status(err)
	if trailer != nil {
		stream.SetTrailer(trailer)
	}
	c.observe(stream.Context(), "ModelStreamInfer", "", st, start)
	return st.Err()
}

// wantsStatus reports whether the caller asked for real statuses in place of error messages.
func wantsStatus(ctx context.Context) bool {
	list := metadata.ValueFromIncomingContext(ctx, "triton_grpc_error")
	return len(list) > 0 && list[0] == "true"
}

func (s *streamCall) serve() error {
	written := make(chan struct{})
	go func() { defer close(written); s.write() }()
	read := make(chan struct{})
	go func() { defer close(read); s.read() }()

	// The reader ends when the caller is done, or with the stream; where the gateway stops, or the stream has failed, it may still wait for a message that
	// never comes, and ends when this handler has returned.
	select {
	case <-read:
	case <-s.ctx.Done():
	case <-s.servers.stopping:
		s.fail(fault.New(fault.Draining, "draining", "the gateway is shutting down; open a new stream"), false)
	}
	s.mu.Lock() // no request starts once the wait below has begun: see begin
	if s.err == nil {
		s.err = errEnded
	}
	s.mu.Unlock()
	s.requests.Wait()
	close(s.out)
	<-written
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, errEnded) {
		return nil
	}
	return s.err
}

// errEnded marks a stream that has come to its regular end.
var errEnded = errors.New("the stream has ended")

// fail keeps the first failure. With now, what is under way is cancelled.
func (s *streamCall) fail(err error, now bool) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	if now {
		s.cancel()
	}
}

// read takes requests off the stream until it ends, and starts them.
func (s *streamCall) read() {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			s.fail(s.ctx.Err(), false)
			return
		}
		m := newInferMessage(s.Limits.Inputs)
		err := s.stream.RecvMsg(m)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.fail(err, true)
			return
		case errors.Is(m.err, errWire): // what comes behind cannot be trusted either
			m.release()
			s.fail(m.err, true)
			return
		}
		if !s.begin(m) {
			m.release()
			return
		}
	}
}

// begin starts a request. It reports false once the stream takes no more.
func (s *streamCall) begin(m *inferMessage) bool {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return false
	}
	s.requests.Add(1)
	s.mu.Unlock()

	job := &streamJob{streamCall: s, message: m}
	var t target
	job.request, job.err = m.take()
	if job.err == nil {
		t, job.err = s.target(m.model)
	}
	job.decoupled = job.err == nil && !t.image && t.config != nil && t.config.Decoupled
	if !job.decoupled {
		job.before = s.turn
		job.after = make(chan struct{})
		s.turn = job.after
	}
	job.line()
	go job.run()
	return true
}

// write sends answers. It goes on taking them after a failure, so that nobody waits for it.
func (s *streamCall) write() {
	for a := range s.out {
		if s.ctx.Err() != nil {
			continue
		}
		if a.err != nil && s.strict {
			s.fail(a.err, true)
			continue
		}
		a.stream = true
		if err := s.stream.SendMsg(&a.inferAnswer); err != nil {
			s.fail(err, true)
		}
	}
}

// streamJob is one request of a stream.
type streamJob struct {
	*streamCall
	message   *inferMessage
	request   *backend.Request
	err       error // why it cannot run
	decoupled bool
	before    <-chan struct{} // of those in order: closed when it is this one's turn
	after     chan struct{}
	previous  <-chan struct{} // the request of the same sequence before this one
	sequence  any
	ended     chan struct{}
}

// line puts a request of a sequence behind the one before it.
func (j *streamJob) line() {
	if j.request == nil {
		return
	}
	id := j.request.Params["sequence_id"]
	if id == nil || id == int64(0) || id == "" {
		return
	}
	j.sequence, j.ended = id, make(chan struct{})
	j.mu.Lock()
	defer j.mu.Unlock()
	if last, ok := j.lines[id]; ok {
		j.previous = last
	}
	j.lines[id] = j.ended
}

func (j *streamJob) run() {
	defer j.requests.Done()
	defer func() { <-j.slots }()
	defer j.message.release()
	if j.after != nil {
		defer close(j.after)
	}
	defer j.leave()
	response, err := j.answer()
	if j.decoupled && err == nil {
		return
	}
	if j.before != nil {
		<-j.before // its turn comes even when the stream has failed: every request before it ends
	}
	j.send(response, err)
}

// leave lets the next request of the sequence run.
func (j *streamJob) leave() {
	if j.ended == nil {
		return
	}
	close(j.ended)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lines[j.sequence] == j.ended {
		delete(j.lines, j.sequence)
	}
}

// send gives an answer to the writer.
func (j *streamJob) send(r *backend.Response, err error) {
	a := &streamAnswer{inferAnswer: inferAnswer{id: j.message.id, model: j.message.model, Response: r}, err: err}
	if err != nil {
		st, _ := j.status(err)
		a.failed = st.Message()
		if a.failed == "" {
			a.failed = st.Code().String()
		}
		a.Response = &backend.Response{Params: map[string]any{paramFinal: true}}
	}
	j.out <- a
}

// answer runs the request. A decoupled model's responses are sent from here; of the others, the one response is returned.
func (j *streamJob) answer() (response *backend.Response, err error) {
	defer j.crashed(&err)
	if j.err != nil {
		return nil, j.err
	}
	if j.previous != nil {
		select {
		case <-j.previous:
		case <-j.ctx.Done():
			return nil, j.ctx.Err()
		}
	}
	ctx, cancel := j.limited(j.ctx)
	defer cancel()
	ctx, leave, err := j.count(ctx, sizeOf(j.request), nil)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !j.decoupled {
		delete(j.request.Params, paramEmptyFinal)
		passed, err := j.runOne(ctx)
		if err != nil {
			return nil, err
		}
		return final(passed), nil
	}
	release, err := j.admit(ctx, j.request)
	if err != nil {
		return nil, err
	}
	defer release()
	return nil, j.Runner.Stream(ctx, j.request, func(r *backend.Response) error {
		if len(r.Outputs) == 0 { // the mark of the end alone: no version, as on a Triton
			r = &backend.Response{Params: r.Params}
		}
		j.send(r, nil)
		return ctx.Err()
	})
}

func (j *streamJob) runOne(ctx context.Context) (*backend.Response, error) {
	release, err := j.admit(ctx, j.request)
	if err != nil {
		return nil, err
	}
	defer release()
	passed, err := j.infer(ctx, j.request)
	if err != nil {
		return nil, err
	}
	return passed.Response, nil
}

// final marks the one response of a model that is not decoupled as the last, as Triton does on streams.
func final(r *backend.Response) *backend.Response {
	out := *r
	out.Params = maps.Clone(r.Params)
	if out.Params == nil {
		out.Params = map[string]any{}
	}
	out.Params[paramFinal] = true
	return &out
}
