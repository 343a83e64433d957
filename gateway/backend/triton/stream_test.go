package triton

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// countdown emits n, n-1, ... 1 for the first input n, and fails then where n is 99.
func countdown(_ context.Context, in []tensor.Tensor, emit func(...tensor.Tensor) error) error {
	for n := in[0].Data[0]; n > 0; n-- {
		if err := emit(bytesOf("OUT", n)); err != nil {
			return err
		}
		if in[0].Data[0] == 99 {
			return errors.New("the count failed")
		}
	}
	return nil
}

func bytesOf(name string, values ...byte) tensor.Tensor {
	return tensor.Tensor{Name: name, DType: tensor.Uint8, Shape: []int64{int64(len(values))}, Data: values}
}

func count(model string, n byte) *backend.Request {
	return &backend.Request{Model: model, Version: "1", ID: "r1", Inputs: []tensor.Tensor{bytesOf("IN", n)}}
}

// streamed gives what a request emits: "3", "-" for no outputs, with a "." after the last.
func streamed(ctx context.Context, c backend.Streamer, r *backend.Request) (got []string, err error) {
	err = c.Stream(ctx, r, func(r *backend.Response) error {
		text := "-"
		if len(r.Outputs) > 0 {
			text = fmt.Sprint(r.Outputs[0].Data[0])
		}
		last, set := r.Params[finalFlag].(bool)
		if last {
			text += "."
		}
		if !set {
			text += "?"
		}
		got = append(got, text)
		return nil
	})
	return got, err
}

func TestStreamGivesEveryResponse(t *testing.T) {
	s := fake(t)
	s.Decoupled("many", countdown)
	s.Decoupled("last", countdown, tritontest.FinalOnLast())
	c := clientOf(t, s.Addr())
	empty := map[string]any{enableEmpty: true, "custom": int64(4)}
	for _, round := range []string{"first", "second"} { // the first finds out which models are decoupled
		for _, x := range []struct {
			model  string
			n      byte
			params map[string]any
			want   []string
		}{
			{"many", 3, nil, []string{"3", "2", "1"}},
			{"many", 2, empty, []string{"2", "1", "-."}},
			{"many", 0, nil, nil},
			{"many", 0, empty, []string{"-."}},
			{"last", 2, nil, []string{"2", "1."}},
			{"last", 1, empty, []string{"1."}},
			{"m", 7, nil, []string{"7."}},
			{"m", 7, empty, []string{"7."}},
		} {
			r := count(x.model, x.n)
			r.Params = x.params
			got, err := streamed(t.Context(), c, r)
			if err != nil || !slices.Equal(got, x.want) {
				t.Errorf("%s, %s %d %v: got %q, %v; want %q", round, x.model, x.n, x.params, got, err, x.want)
			}
		}
	}
	if len(empty) != 2 {
		t.Errorf("the caller's parameters became %v", empty)
	}
	calls := s.Recorded()
	if last := calls[len(calls)-1]; last.Method != "ModelInfer" || len(last.Params) != 1 || last.Params["custom"] != int64(4) {
		t.Errorf("a model that is not decoupled was called by %s with %v", last.Method, last.Params)
	}
	for _, call := range calls {
		if call.Method == "ModelStreamInfer" && call.Params[enableEmpty] != true {
			t.Errorf("a stream without %s: %v", enableEmpty, call.Params)
		}
	}
	if unary := s.Calls("many") - 8; unary != 1 {
		t.Errorf("%d unary calls of a decoupled model, want 1", unary)
	}
}

func TestStreamTranslatesErrors(t *testing.T) {
	s := fake(t)
	s.Decoupled("many", countdown)
	c := clientOf(t, s.Addr())
	if _, err := streamed(t.Context(), c, count("many", 0)); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		fault   tritontest.Fault
		kind    fault.Kind
		code    string
		emitted int
	}{
		"queue full":       {tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull}, fault.Busy, "queue_full", 0},
		"queue timeout":    {tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueTimeout}, fault.Timeout, "deadline_exceeded", 0},
		"not ready":        {tritontest.Fault{Code: codes.Unavailable, Text: tritontest.NotReady}, fault.Unavailable, "backend_unavailable", 0},
		"unknown":          {tritontest.Fault{Code: codes.NotFound, Text: "Request for unknown model: 'm' is not found"}, fault.NotFound, "model_not_found", 0},
		"refused":          {tritontest.Fault{Code: codes.InvalidArgument, Text: "unexpected shape"}, fault.Contract, "upstream_contract", 0},
		"exiting, status":  {tritontest.Fault{Code: codes.Unavailable, Text: tritontest.ServerExiting, StreamStatus: true}, fault.Unavailable, "backend_unavailable", 0},
		"internal, status": {tritontest.Fault{Code: codes.Internal, Text: "x", StreamStatus: true}, fault.Upstream, "upstream_error", 0},
		"cut":              {tritontest.Fault{Cut: true}, fault.Unavailable, "backend_unavailable", 0},
		"no last response": {tritontest.Fault{EndStream: true}, fault.Upstream, "upstream_error", 0},
		"another model": {tritontest.Fault{Spoil: func(r *tritonpb.ModelInferResponse) { r.ModelName = "other" }},
			fault.Contract, "upstream_contract", 0},
		"bytes missing": {tritontest.Fault{Spoil: func(r *tritonpb.ModelInferResponse) {
			if len(r.Outputs) > 0 && r.RawOutputContents[0][0] == 1 {
				r.RawOutputContents = nil
			}
		}}, fault.Contract, "upstream_contract", 1},
	} {
		s.Heal()
		x.fault.Method = "ModelStreamInfer"
		s.Fail(x.fault)
		got, err := streamed(t.Context(), c, count("many", 2))
		t.Log(name, err)
		wantFault(t, err, x.kind, x.code)
		if len(got) != x.emitted {
			t.Errorf("%s: %q was emitted, want %d", name, got, x.emitted)
		}
	}
	s.Heal()
	got, err := streamed(t.Context(), c, count("many", 99))
	wantFault(t, err, fault.Upstream, "upstream_error")
	if !slices.Equal(got, []string{"99"}) {
		t.Errorf("%q came before the failure", got)
	}
	_, err = streamed(t.Context(), c, count("nosuch", 1))
	wantFault(t, err, fault.NotFound, "version_not_found")
	_, err = streamed(t.Context(), c, &backend.Request{Model: "many", Version: "1", ID: "\xff"})
	wantFault(t, err, fault.Invalid, "invalid_request")
}

func TestStreamEndsWithItsCaller(t *testing.T) {
	s := fake(t)
	ended := make(chan error, 1)
	s.Decoupled("endless", func(ctx context.Context, _ []tensor.Tensor, emit func(...tensor.Tensor) error) error {
		for {
			if err := emit(bytesOf("OUT", 1)); err != nil || ctx.Err() != nil {
				<-ctx.Done() // a stream that is gone refuses responses a moment before
				ended <- ctx.Err()
				return err
			}
		}
	})
	c := clientOf(t, s.Addr())
	ctx, leave := context.WithCancel(t.Context())
	wrong := errors.New("the client is gone")
	for name, x := range map[string]struct {
		ctx  context.Context
		emit func(*backend.Response) error
		want error
	}{
		"emit fails":  {t.Context(), func(*backend.Response) error { return wrong }, wrong},
		"ctx is over": {ctx, func(*backend.Response) error { leave(); return nil }, &fault.Error{Kind: fault.Canceled, Code: "client_closed"}},
	} {
		if err := c.Stream(x.ctx, count("endless", 1), x.emit); !errors.Is(err, x.want) {
			t.Errorf("%s: got %v, want %v", name, err, x.want)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the model's context ended with %v", name, err)
		}
	}
	late, free := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer free()
	err := c.Stream(late, count("endless", 1), func(*backend.Response) error { return nil })
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	<-ended
}

// TestStreamWaitsForItsReader: responses that nobody takes are not heaped up here; the model waits.
func TestStreamWaitsForItsReader(t *testing.T) {
	const size = 1 << 20
	s := fake(t)
	sent := make(chan int, 1000)
	s.Decoupled("endless", func(ctx context.Context, _ []tensor.Tensor, emit func(...tensor.Tensor) error) error {
		for i := 0; ; i++ {
			if err := emit(bytesOf("OUT", make([]byte, size)...)); err != nil {
				return err
			}
			sent <- i
		}
	})
	c := clientOf(t, s.Addr())
	enough := errors.New("enough")
	err := c.Stream(t.Context(), count("endless", 1), func(*backend.Response) error {
		quiet := time.NewTimer(300 * time.Millisecond)
		for {
			select {
			case i := <-sent:
				if i > 60 {
					t.Fatal("60 MB were sent ahead of the reader")
				}
				quiet.Reset(300 * time.Millisecond)
			case <-quiet.C: // the model has come to a stop
				return enough
			}
		}
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestStreamCountsItsCalls(t *testing.T) {
	s := fake(t)
	s.Decoupled("many", countdown)
	c := clientOf(t, s.Addr())
	tally := func() tally { return c.list()[0].calls.of("many", "1").read() }
	_, _ = streamed(t.Context(), c, count("many", 3)) // refused once by ModelInfer
	if got := tally(); got.started != 2 || got.refused != 1 || got.succeeded != 1 {
		t.Errorf("after a success: %+v", got)
	}
	_, _ = streamed(t.Context(), c, count("many", 99)) // the model has run
	if got := tally(); got.unknown != 1 {
		t.Errorf("after a failure of the model: %+v", got)
	}
	s.Fail(tritontest.Fault{Method: "ModelStreamInfer", Times: 1, Code: codes.InvalidArgument, Text: "no"})
	_, _ = streamed(t.Context(), c, count("many", 3))
	if got := tally(); got.refused != 2 || got.running() != 0 {
		t.Errorf("after a refusal: %+v", got)
	}
	func() {
		defer func() { _ = recover() }()
		_ = c.Stream(t.Context(), count("many", 3), func(*backend.Response) error { panic("emit") })
	}()
	if got := tally(); got.running() != 0 || got.unknown != 2 {
		t.Errorf("after a panic: %+v", got)
	}
}
