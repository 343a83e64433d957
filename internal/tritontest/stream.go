package tritontest

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// The parameters of the protocol's streams.
const (
	finalFlag   = "triton_final_response"
	enableEmpty = "triton_enable_empty_final_response"
)

// StreamFunc computes a decoupled model's responses: none, one or many. emit sends one; its error says that the caller has left. An error that
// StreamFunc returns is sent in-band.
type StreamFunc func(ctx context.Context, inputs []tensor.Tensor, emit func(outputs ...tensor.Tensor) error) error

// Decoupled adds a decoupled model. After its last response it sends the flag of the end alone, as Python models do; see [FinalOnLast].
func (s *Server) Decoupled(name string, run StreamFunc, options ...ModelOption) {
	s.Model(name, nil, append([]ModelOption{func(m *model) {
		m.stream = run
		m.config.ModelTransactionPolicy = &tritonpb.ModelTransactionPolicy{Decoupled: true}
	}}, options...)...)
}

// FinalOnLast makes a decoupled model set the flag of the end on its last response that has outputs.
func FinalOnLast() ModelOption { return func(m *model) { m.finalOnLast = true } }

// streaming is one stream of a client.
type streaming struct {
	grpc.BidiStreamingServer[tritonpb.ModelInferRequest, tritonpb.ModelStreamInferResponse]
	server *Server
	mu     sync.Mutex // one Send at a time
	ended  chan error // holds the status that a fault ends the stream with
}

// ModelStreamInfer runs the requests of a stream: those of decoupled models beside each other, so that their responses interleave, the others one
// after the other.
func (s *Server) ModelStreamInfer(stream grpc.BidiStreamingServer[tritonpb.ModelInferRequest, tritonpb.ModelStreamInferResponse]) error {
	ctx, leave := context.WithCancel(stream.Context())
	defer leave()
	st := &streaming{BidiStreamingServer: stream, server: s, ended: make(chan error, 1)}
	received := make(chan error, 1)
	go func() { received <- st.receive(ctx) }()
	select {
	case err := <-received:
		select {
		case err = <-st.ended: // the last request's fault
		default:
		}
		return err
	case err := <-st.ended:
		return err
	}
}

// receive reads until the client has no more requests, and waits for them all.
func (st *streaming) receive(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		r, err := st.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m, err := st.server.pick(ctx, "ModelStreamInfer", r)
		switch {
		case err != nil:
			err = st.refuse(r, err)
		case m.stream != nil:
			wait.Go(func() { st.one(ctx, m, r) })
		default:
			st.one(ctx, m, r)
		}
		if err != nil {
			return err
		}
	}
}

// one runs one request with its fault.
func (st *streaming) one(ctx context.Context, m *model, r *tritonpb.ModelInferRequest) {
	f := st.server.fault("ModelStreamInfer", m.name)
	err := f.wait(ctx)
	if err == nil && f.After {
		err = st.responses(ctx, m, r, f)
	}
	if err == nil {
		err = st.server.end(f)
	}
	if err == nil && !f.After && !f.EndStream {
		err = st.responses(ctx, m, r, f)
	}
	switch {
	case f.EndStream:
		st.end(nil)
	case f.Cut || f.StreamStatus:
		st.end(err)
	case err != nil:
		_ = st.refuse(r, err)
	}
}

func (st *streaming) end(err error) {
	select {
	case st.ended <- err:
	default:
	}
}

// responses sends what the model computes, and the flag of the end.
func (st *streaming) responses(ctx context.Context, m *model, r *tritonpb.ModelInferRequest, f *Fault) error {
	if m.stream == nil {
		answer, err := st.server.run(ctx, m, r)
		if err != nil {
			return err
		}
		return st.send(answer, true, f)
	}
	inputs, err := inputsOf(m, r)
	if err != nil {
		return err
	}
	stats, start := st.server.statsOf(m), time.Now()
	if err := m.workers.work(ctx); err != nil {
		return err
	}
	var held *tritonpb.ModelInferResponse
	sent := 0
	emit := func(outputs ...tensor.Tensor) error {
		answer := m.answer(r, outputs)
		st.server.countResponse(stats, sent)
		sent++
		if m.finalOnLast {
			answer, held = held, answer
		}
		if answer == nil {
			return nil
		}
		return st.send(answer, false, f)
	}
	err = m.stream(ctx, inputs, emit)
	st.server.counted(stats, err == nil, time.Since(start))
	switch {
	case err != nil && held != nil:
		if sendErr := st.send(held, false, f); sendErr != nil {
			return sendErr
		}
		return failed(ctx, err)
	case err != nil:
		return failed(ctx, err)
	case held != nil:
		return st.send(held, true, f)
	}
	if p := r.GetParameters()[enableEmpty]; p.GetBoolParam() {
		return st.send(m.answer(r, nil), true, f)
	}
	return nil
}

func (st *streaming) send(answer *tritonpb.ModelInferResponse, final bool, f *Fault) error {
	setParam(answer, finalFlag, final)
	if f.Spoil != nil {
		f.Spoil(answer)
	}
	return st.out(&tritonpb.ModelStreamInferResponse{InferResponse: answer})
}

// refuse sends an error in-band. As from Triton, what was refused has the request's id and nothing else; what has failed in the model has its name and the
// flag of the end too.
func (st *streaming) refuse(r *tritonpb.ModelInferRequest, err error) error {
	answer := &tritonpb.ModelInferResponse{Id: r.GetId()}
	switch s := status.Convert(err); {
	case s.Code() == codes.Canceled:
		return err
	case s.Code() == codes.Internal, s.Message() == QueueTimeout:
		answer.ModelName = r.GetModelName()
		setParam(answer, finalFlag, true)
	}
	return st.out(&tritonpb.ModelStreamInferResponse{ErrorMessage: status.Convert(err).Message(), InferResponse: answer})
}

func (st *streaming) out(r *tritonpb.ModelStreamInferResponse) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.Send(r)
}

// countResponse counts one response of a decoupled model by its place in the row.
func (s *Server) countResponse(stats *tritonpb.ModelStatistics, index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stats.ResponseStats == nil {
		stats.ResponseStats = map[string]*tritonpb.InferResponseStatistics{}
	}
	key := strconv.Itoa(index)
	c := stats.ResponseStats[key]
	if c == nil {
		c = &tritonpb.InferResponseStatistics{Success: &tritonpb.StatisticDuration{}, ComputeInfer: &tritonpb.StatisticDuration{}}
		stats.ResponseStats[key] = c
	}
	c.Success.Count++
	c.Success.Ns += 1000
	c.ComputeInfer.Count++
	c.ComputeInfer.Ns += 500
}
