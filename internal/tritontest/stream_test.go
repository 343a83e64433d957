package tritontest

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// countdown emits n, n-1, ... 1 for the input n; 255 fails after one.
func countdown(_ context.Context, in []tensor.Tensor, emit func(...tensor.Tensor) error) error {
	for n := in[0].Data[0]; n > 0; n-- {
		if err := emit(tensor.Tensor{Name: "OUT", DType: tensor.Uint8, Shape: []int64{1}, Data: []byte{n}}); err != nil {
			return err
		}
		if in[0].Data[0] == 255 {
			return errors.New("too much")
		}
	}
	return nil
}

// streamed sends requests on one stream and gives all responses.
func streamed(t *testing.T, s *Server, requests ...*tritonpb.ModelInferRequest) (all []*tritonpb.ModelStreamInferResponse, err error) {
	t.Helper()
	stream, err := dial(t, s).ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
}

func withEmpty(r *tritonpb.ModelInferRequest) *tritonpb.ModelInferRequest {
	r.Parameters = map[string]*tritonpb.InferParameter{enableEmpty: param(true)}
	return r
}

// values are the outputs of a stream; -1 is a response without, +1000 has the flag of the end.
func values(t *testing.T, all []*tritonpb.ModelStreamInferResponse) (out []int) {
	t.Helper()
	for _, r := range all {
		if r.ErrorMessage != "" {
			t.Fatal(r.ErrorMessage)
		}
		v := -1
		if len(r.InferResponse.RawOutputContents) > 0 {
			v = int(r.InferResponse.RawOutputContents[0][0])
		}
		p, found := r.InferResponse.Parameters[finalFlag]
		if !found {
			t.Fatal("a response without the flag")
		}
		if p.GetBoolParam() {
			v += 1000
		}
		out = append(out, v)
	}
	return out
}

func TestDecoupledModels(t *testing.T) {
	s := New(t)
	s.Decoupled("m", countdown)
	s.Decoupled("last", countdown, FinalOnLast())
	s.Model("one", twice)
	for name, c := range map[string]struct {
		request *tritonpb.ModelInferRequest
		want    []int
	}{
		"several":              {ask("m", 3), []int{3, 2, 1}},
		"with the end":         {withEmpty(ask("m", 2)), []int{2, 1, 999}},
		"none":                 {ask("m", 0), nil},
		"none with the end":    {withEmpty(ask("m", 0)), []int{999}},
		"flag on the last":     {withEmpty(ask("last", 2)), []int{2, 1001}},
		"not decoupled":        {ask("one", 4), []int{1008}},
		"not decoupled, empty": {withEmpty(ask("one", 4)), []int{1008}},
	} {
		all, err := streamed(t, s, c.request)
		if got := values(t, all); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
	if _, err := dial(t, s).ModelInfer(t.Context(), ask("m", 1)); status.Code(err) != codes.Unimplemented {
		t.Errorf("unary gives %v", err)
	}
	stats, err := dial(t, s).ModelStatistics(t.Context(), &tritonpb.ModelStatisticsRequest{Name: "m"})
	if err != nil || stats.ModelStats[0].InferenceStats.Success.Count != 4 || stats.ModelStats[0].ResponseStats["1"].Success.Count != 2 {
		t.Errorf("got %v, %v", stats, err)
	}
}

func TestResponsesOfDecoupledModelsInterleave(t *testing.T) {
	s := New(t)
	second := make(chan struct{})
	s.Decoupled("m", func(ctx context.Context, in []tensor.Tensor, emit func(...tensor.Tensor) error) error {
		in[0].Name = "OUT"
		if in[0].Data[0] == 2 {
			defer close(second)
			return emit(in[0])
		}
		if err := emit(in[0]); err != nil {
			return err
		}
		select {
		case <-second:
		case <-ctx.Done():
		}
		return emit(in[0])
	})
	all, err := streamed(t, s, ask("m", 1), ask("m", 2))
	if got := values(t, all); err != nil || len(got) != 3 || got[2] != 1 {
		t.Errorf("got %v, %v; the second request has to end before the first", got, err)
	}
}

func TestErrorsOnAStreamAreInBand(t *testing.T) {
	s := New(t)
	s.Decoupled("m", countdown)
	first := ask("m", 255)
	first.Id = "a"
	all, err := streamed(t, s, first, ask("nosuch", 1), ask("m", 1))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, r := range all {
		if r.ErrorMessage != "" {
			texts[r.InferResponse.Id] = r.ErrorMessage
		}
	}
	if len(all) != 4 || texts["a"] != "too much" || texts[""] != "Request for unknown model: 'nosuch' is not found" {
		t.Errorf("%d responses, errors %q", len(all), texts)
	}
}

func TestFaultsOfStreams(t *testing.T) {
	s := New(t)
	s.Decoupled("m", countdown)
	for name, c := range map[string]struct {
		fault     Fault
		code      codes.Code
		responses int
	}{
		"in-band":          {Fault{Code: codes.Unavailable, Text: QueueFull}, codes.OK, 1},
		"after":            {Fault{Code: codes.Internal, Text: "late", After: true}, codes.OK, 3},
		"status":           {Fault{Code: codes.Unavailable, Text: ServerExiting, StreamStatus: true}, codes.Unavailable, 0},
		"status after":     {Fault{Code: codes.Unavailable, Text: ServerExiting, StreamStatus: true, After: true}, codes.Unavailable, 2},
		"cut":              {Fault{Cut: true}, codes.Unavailable, 0},
		"end":              {Fault{EndStream: true}, codes.OK, 0},
		"end after":        {Fault{EndStream: true, After: true}, codes.OK, 2},
		"another method's": {Fault{Method: "ModelInfer", Code: codes.Internal}, codes.OK, 2},
	} {
		s.Heal()
		if c.fault.Method == "" {
			c.fault.Method = "ModelStreamInfer"
		}
		s.Fail(c.fault)
		all, err := streamed(t, s, ask("m", 2))
		if status.Code(err) != c.code || len(all) != c.responses {
			t.Errorf("%s: %d responses, %v; want %d, %s", name, len(all), err, c.responses, c.code)
		}
	}
}
