package triton

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func TestInferGivesWhatTheModelComputed(t *testing.T) {
	s := fake(t)
	var seen []tensor.Tensor
	s.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		seen = in
		a, b := floats("A", 4, 5), floats("B", 6)
		return []tensor.Tensor{a, b}, nil
	}, tritontest.Version("3"))
	c := clientOf(t, s.Addr())
	big := tensor.Tensor{Name: "x", DType: tensor.Uint8, Shape: []int64{1, 1 << 20}, Data: make([]byte, 1<<20)}
	for i := range big.Data {
		big.Data[i] = byte(i * 31)
	}
	got, err := c.Infer(t.Context(), &backend.Request{Model: "m", Version: "3", ID: "id-1", Inputs: []tensor.Tensor{big, floats("y", 2)},
		Outputs: []backend.Output{{Name: "B"}}, Params: map[string]any{"priority": int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "3" || len(got.Outputs) != 1 || got.Outputs[0].Name != "B" || !slices.Equal(got.Outputs[0].Data, floats("", 6).Data) {
		t.Errorf("got %+v", got)
	}
	if len(seen) != 2 || !slices.Equal(seen[0].Data, big.Data) || seen[1].Name != "y" {
		t.Errorf("the model saw %d tensors, or other bytes", len(seen))
	}
}

func TestInferRefusesBadRequestsBeforeSending(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	for name, r := range map[string]*backend.Request{
		"bytes do not fit": {Model: "m", Version: "1", Inputs: []tensor.Tensor{{Name: "IN", DType: tensor.FP32, Shape: []int64{2}, Data: []byte{1}}}},
		"no datatype":      {Model: "m", Version: "1", Inputs: []tensor.Tensor{{Name: "IN", Shape: []int64{0}}}},
		"id not UTF-8":     {Model: "m", Version: "1", ID: "\xff"},
		"parameter":        {Model: "m", Version: "1", Params: map[string]any{"k": 3}},
		"text not UTF-8":   {Model: "m", Version: "1", Params: map[string]any{"k": "\xff"}},
	} {
		_, err := c.Infer(t.Context(), r)
		t.Log(name)
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
	if s.Calls("m") != 0 {
		t.Errorf("%d calls were sent", s.Calls("m"))
	}
}

func TestInferPassesCancellationOn(t *testing.T) {
	s := fake(t)
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	s.Model("m", func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	c := clientOf(t, s.Addr())
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-started; leave() }()
	_, err := c.Infer(ctx, requestOf("m", 1))
	wantFault(t, err, fault.Canceled, "client_closed")
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the server's context ended with %v", err)
	}
}

func TestInferPassesTheDeadlineOn(t *testing.T) {
	s := fake(t)
	left := make(chan time.Duration, 1)
	s.Model("m", func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c := clientOf(t, s.Addr())
	statusOf(t, c, "m") // connects
	ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
	defer leave()
	_, err := c.Infer(ctx, requestOf("m", 1))
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	if got := <-left; got <= 0 || got > 3*time.Second {
		t.Errorf("the server had %v left", got)
	}
	if s.Calls("m") != 1 {
		t.Errorf("%d calls, want 1: a timeout is not retried", s.Calls("m"))
	}
}

func TestInferToldApart(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	for _, f := range []struct {
		fault tritontest.Fault
		kind  fault.Kind
		code  string
		calls int
	}{
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull}, fault.Busy, "queue_full", 1},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueTimeout}, fault.Timeout, "deadline_exceeded", 1},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.NotReady}, fault.Unavailable, "backend_unavailable", 1},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.ServerExiting}, fault.Unavailable, "backend_unavailable", 2},
		{tritontest.Fault{Code: codes.Canceled, Text: "server side"}, fault.Unavailable, "backend_unavailable", 1},
		{tritontest.Fault{Code: codes.InvalidArgument, Text: "shape"}, fault.Contract, "upstream_contract", 1},
		{tritontest.Fault{Code: codes.Internal, Text: "model"}, fault.Upstream, "upstream_error", 1},
		{tritontest.Fault{Cut: true}, fault.Unavailable, "backend_unavailable", 2},
	} {
		s.Heal()
		s.Fail(f.fault)
		before := s.Calls("m")
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		wantFault(t, err, f.kind, f.code)
		if got := s.Calls("m") - before; got != f.calls {
			t.Errorf("%+v: %d calls, want %d", f.fault, got, f.calls)
		}
	}
}

func TestInferTriesOnceMoreWhenTheConnectionBreaks(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	s.Fail(tritontest.Fault{Cut: true, Times: 1})
	must(t, c, requestOf("m", 1))
	if s.Calls("m") != 2 {
		t.Errorf("%d calls, want 2", s.Calls("m"))
	}
}

func TestInferWorksAtOnceAfterARestart(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	must(t, c, requestOf("m", 1))
	for range 3 {
		s.Kill()
		for range 5 { // enough for grpc to back off for long
			_, err := c.Infer(t.Context(), requestOf("m", 1))
			if f := wantFault(t, err, fault.Unavailable, "backend_unavailable"); f.RetryAfter != comeBack {
				t.Errorf("RetryAfter %v", f.RetryAfter)
			}
		}
		s.Start()
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				// One that is refused by an attempt made before the start may fail; the next must not.
				if _, err := c.Infer(t.Context(), requestOf("m", 1)); err != nil {
					if _, err = c.Infer(t.Context(), requestOf("m", 1)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestInferTurnsToTheEndpointThatAnswers(t *testing.T) {
	a, b := fake(t), fake(t)
	c := clientOf(t, a.Addr(), "grpc://"+b.Addr())
	must(t, c, requestOf("m", 1))
	a.Kill()
	for range 3 {
		must(t, c, requestOf("m", 1))
	}
	if n := a.Calls("m"); n > 1 || n+b.Calls("m") != 4 {
		t.Errorf("%d and %d calls", n, b.Calls("m"))
	}
	a.Start()
	serves(t, c, 0, true)
	b.Kill()
	before := a.Calls("m")
	must(t, c, requestOf("m", 1))
	if a.Calls("m") != before+1 {
		t.Errorf("%d calls of the first, want %d", a.Calls("m"), before+1)
	}
	a.Kill()
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
}

func TestInferReceivesLargeAnswers(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	r := &backend.Request{Model: "m", Version: "1", Inputs: []tensor.Tensor{{Name: "IN", DType: tensor.Uint8, Shape: []int64{12 << 20}, Data: make([]byte, 12<<20)}}}
	r.Inputs[0].Data[12<<20-1] = 9
	if got := must(t, c, r); !slices.Equal(got.Outputs[0].Data, r.Inputs[0].Data) {
		t.Error("other bytes came back") // grpc's default limit is 4 MiB
	}
	small := client(t, Config{Endpoints: []string{s.Addr()}, MaxMessage: 1 << 20}, Deps{})
	_, err := small.Infer(t.Context(), r)
	wantFault(t, err, fault.Internal, "internal")
}

func TestInferDoesNotTrustTheServer(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	for name, spoil := range map[string]func(*tritonpb.ModelInferResponse){
		"another model":     func(r *tritonpb.ModelInferResponse) { r.ModelName = "n" },
		"another version":   func(r *tritonpb.ModelInferResponse) { r.ModelVersion = "2" },
		"bytes missing":     func(r *tritonpb.ModelInferResponse) { r.RawOutputContents[0] = r.RawOutputContents[0][1:] },
		"no bytes":          func(r *tritonpb.ModelInferResponse) { r.RawOutputContents = nil },
		"garbage datatype":  func(r *tritonpb.ModelInferResponse) { r.Outputs[0].Datatype = "FP33" },
		"overflowing shape": func(r *tritonpb.ModelInferResponse) { r.Outputs[0].Shape = []int64{math.MaxInt64, math.MaxInt64} },
		"negative shape":    func(r *tritonpb.ModelInferResponse) { r.Outputs[0].Shape = []int64{-1} },
	} {
		s.Fail(tritontest.Fault{Times: 1, Spoil: spoil})
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		t.Log(name)
		wantFault(t, err, fault.Contract, "upstream_contract")
	}
}

func TestInferReadsTypedContents(t *testing.T) {
	s := fake(t)
	s.Fail(tritontest.Fault{Times: 1, Spoil: func(r *tritonpb.ModelInferResponse) {
		r.RawOutputContents = nil
		r.Outputs[0].Contents = &tritonpb.InferTensorContents{Fp32Contents: []float32{7}}
	}})
	if got := must(t, clientOf(t, s.Addr()), requestOf("m", 1)); !slices.Equal(got.Outputs[0].Data, floats("", 7).Data) {
		t.Errorf("got %x", got.Outputs[0].Data)
	}
}

func TestHeadersAndTLS(t *testing.T) {
	certificate, roots := certificates(t)
	s := fake(t, tritontest.WithTLS(&tls.Config{Certificates: []tls.Certificate{certificate}}))
	endpoint := "grpcs://" + s.Addr()
	c := client(t, Config{Endpoints: []string{endpoint}, TLS: &tls.Config{RootCAs: roots}, Headers: map[string]string{"X-Test": "all"},
		EndpointHeaders: map[string]map[string]string{endpoint: {"x-test": "one"}}}, Deps{})
	must(t, c, requestOf("m", 1))
	if got := s.Headers(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("the server saw %q", got)
	}
	// A server that the roots do not vouch for gets no tensor.
	wrong := client(t, Config{Endpoints: []string{endpoint}, TLS: &tls.Config{RootCAs: x509.NewCertPool()}, Reconnect: 100 * time.Millisecond}, Deps{})
	_, err := wrong.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	if s.Calls("m") != 1 {
		t.Errorf("%d calls", s.Calls("m"))
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for text, c := range map[string]Config{
		"at least one":    {},
		"endpoints[1]":    {Endpoints: []string{"a:1", "b"}},
		"the scheme":      {Endpoints: []string{"http://a:8000"}},
		"named twice":     {Endpoints: []string{"a:1", "grpc://a:1"}},
		"want host:port":  {Endpoints: []string{":8001"}},
		"max_message":     {Endpoints: []string{"a:1"}, MaxMessage: -1},
		"2 entries for 1": {Endpoints: []string{"a:1"}, MetricsEndpoints: []string{"x", "y"}},
	} {
		_, err := New(c, Deps{})
		if f := wantFault(t, err, fault.Invalid, "invalid_config"); !strings.Contains(f.Detail, text) {
			t.Errorf("detail %q, want %q in it", f.Detail, text)
		}
	}
	for name, secure := range map[string]bool{"a:1": true, "grpc://a:1": false, "grpcs://[::1]:8001/": true} {
		if got, err := parseTarget(name, true); err != nil || got.tls != secure {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
