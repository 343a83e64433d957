package triton

import (
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

const (
	streamMethod = "/inference.GRPCInferenceService/ModelStreamInfer"
	// endTimeout is how long a stream may take to end after its last response. Leaving it at once would be a cancellation to Triton, of a request that is done.
	endTimeout = time.Second
)

var _ backend.Streamer = (*Client)(nil)

// decoupledModels are the models that were found to answer on streams alone. The zero value is empty.
type decoupledModels struct {
	mu    sync.RWMutex
	names map[string]bool // of models that a server has, so the list is as short as theirs
}

func (d *decoupledModels) has(model string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.names[model]
}

func (d *decoupledModels) add(model string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[string]bool{}
	}
	d.names[model] = true
}

// Stream runs one request on a stream of its own by ModelStreamInfer. A model is called by Infer first, with its second tries; Triton refuses that at once where
// the model is decoupled, and from then on the model is called by streams. They work for a model that is decoupled no more, too.
//
// Responses wait in the transport while emit runs, up to its window; then Triton waits. A stream is tried once: nothing says what a model has
// done for a stream that broke.
func (c *Client) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	wantsEmpty, _ := r.Params[enableEmpty].(bool)
	asked := *r
	asked.Params = maps.Clone(r.Params)
	if !c.decoupled.has(r.Model) {
		delete(asked.Params, enableEmpty)
		answer, err := c.Infer(ctx, &asked)
		if err == nil {
			flag(answer, true)
			return emit(answer)
		}
		if !answersOnStreams(err) {
			return err
		}
		c.decoupled.add(r.Model)
	}
	if asked.Params == nil {
		asked.Params = map[string]any{}
	}
	asked.Params[enableEmpty] = true
	request, err := newInferRequest(&asked)
	if err != nil {
		return err
	}
	e, done, err := c.take(ctx, request)
	if err != nil {
		return translate(ctx, err)
	}
	s := streaming{asked: request, wantsEmpty: wantsEmpty, emit: emit}
	err = errLeft // should emit panic
	defer func() { done(err) }()
	if err = s.run(ctx, e); err == nil {
		return nil
	}
	if s.why != nil {
		return s.why
	}
	return translate(ctx, err)
}

// answersOnStreams recognises Triton's refusal of a unary call.
func answersOnStreams(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind == fault.Unsupported && status.Code(f.Err) == codes.Unimplemented
}

// errLeft is the end of a stream that this side has left.
var errLeft = status.Error(codes.Canceled, "the stream was left before its end")

// streaming is one request on a stream.
type streaming struct {
	asked      *inferRequest
	wantsEmpty bool // the caller wants the flag of the end also where it comes alone
	emit       func(*backend.Response) error
	why        error // what the caller gets in place of run's error
}

// run gives the responses to emit. Its error is the end of the call as grpc would have it.
func (s *streaming) run(ctx context.Context, e *endpoint) (err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	ctx, end := e.try(ctx)
	defer func() { end(err) }()
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := e.conn.NewStream(e.outgoing(ctx), both, streamMethod, grpc.ForceCodecV2(codec{}))
	if err != nil {
		return err
	}
	switch err := stream.SendMsg(s.asked); {
	case err == nil:
		_ = stream.CloseSend()
	case !errors.Is(err, io.EOF): // then RecvMsg has the reason
		return err
	}
	for {
		var a streamedResponse
		err := stream.RecvMsg(&a)
		switch {
		case errors.Is(err, io.EOF):
			s.why = fault.New(fault.Upstream, "upstream_error", "the model server ended the stream before the last response")
			return status.Error(codes.Internal, "no last response")
		case err != nil:
			return err
		case a.problem != "":
			awaitEnd(stream, leave)
			return newInBand(&a)
		}
		last, err := s.take(&a)
		if err != nil {
			s.why = err
			return errLeft
		}
		if last {
			awaitEnd(stream, leave)
			return nil
		}
	}
}

// take gives one response to emit, and says whether it was the last.
func (s *streaming) take(a *streamedResponse) (last bool, err error) {
	response, err := tensorsOf(s.asked, &a.answer)
	if err != nil {
		return false, err
	}
	last, _ = response.Params[finalFlag].(bool)
	if last && len(response.Outputs) == 0 && !s.wantsEmpty {
		return true, nil
	}
	flag(response, last)
	return last, s.emit(response)
}

// flag sets triton_final_response.
func flag(r *backend.Response, last bool) {
	if r.Params == nil {
		r.Params = map[string]any{}
	}
	r.Params[finalFlag] = last
}

// awaitEnd lets a stream end by itself after its last response.
func awaitEnd(stream grpc.ClientStream, leave context.CancelFunc) {
	timer := time.AfterFunc(endTimeout, leave)
	defer timer.Stop()
	_ = stream.RecvMsg(new(streamedResponse)) // what comes after the end is not waited for
}
