package tritontest

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/pause"
	"triton-gateway/tritonpb"
)

// Fault is one way to misbehave. The fields combine: the delay comes first, then the cut, the error, or the spoilt answer.
type Fault struct {
	Model string // "" means every model
	Times int    // how many calls it hits; 0 means all from now on
	// Method is the call that it hits, such as "ModelStatistics" or "ModelStreamInfer"; "" means ModelInfer.
	Method string

	Delay   time.Duration   // wait, unless the caller leaves
	Until   <-chan struct{} // wait for this, unless the caller leaves
	Started chan<- struct{} // told, if it has room, that a call has come
	Cut     bool            // break all connections instead of answering
	After   bool            // with Cut or Code: the model runs and is counted first; on a stream, it sends its responses first
	Code    codes.Code      // answer with this status
	Text    string          // and this message
	// On a ModelStreamInfer, Code and Text are sent in-band, but with StreamStatus as the status of the stream. EndStream ends it well, without an
	// answer.
	StreamStatus, EndStream bool
	// Spoil changes a good answer before it is sent; on a stream, each of them.
	Spoil func(*tritonpb.ModelInferResponse)
}

// Texts of Triton 2.51, for Fault.Text.
const (
	QueueFull     = "[request id: <id_unknown>] Exceeds maximum queue size"
	QueueTimeout  = "Request timeout expired"
	NotReady      = "Request for unknown model: 'm' version 1 is not at ready state"
	ServerExiting = "Server is exiting"
)

// Fail adds a fault. Of several that fit, the oldest that is not used up is taken.
func (s *Server) Fail(f Fault) {
	if f.Times == 0 {
		f.Times = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal drops all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) fault(method, model string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		wanted := f.Method
		if wanted == "" {
			wanted = "ModelInfer"
		}
		if f.Times != 0 && wanted == method && (f.Model == "" || f.Model == model) {
			f.Times--
			return f
		}
	}
	return &Fault{}
}

// wait does the part of a fault that comes before an answer.
func (f *Fault) wait(ctx context.Context) error {
	if f.Started != nil {
		select {
		case f.Started <- struct{}{}:
		default:
		}
	}
	if f.Delay > 0 && !pause.For(ctx, f.Delay) {
		return status.FromContextError(ctx.Err()).Err()
	}
	if f.Until != nil {
		select {
		case <-f.Until:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	return nil
}

// end gives the error that a fault ends a call with, if it does.
func (s *Server) end(f *Fault) error {
	if f.Cut {
		s.Cut()
		return status.Error(codes.Unavailable, "the connection is cut")
	}
	if f.Code != codes.OK {
		return status.Error(f.Code, f.Text)
	}
	return nil
}
