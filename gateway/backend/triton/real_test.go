package triton

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

const repository = "gateway/backend/triton/testdata/repository"

func TestRealInfer(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	big := make([]float32, 300_000) // over grpc's default limit with its twin
	for i := range big {
		big[i] = float32(i)
	}
	in := floats("IN", big...)
	in.Shape = []int64{3, 100_000}
	got := must(t, c, &backend.Request{Model: "identity", Version: "1", ID: "r", Inputs: []tensor.Tensor{in}, Outputs: []backend.Output{{Name: "OUT"}}})
	if got.Version != "1" || len(got.Outputs) != 1 || !slices.Equal(got.Outputs[0].Shape, in.Shape) || !slices.Equal(got.Outputs[0].Data, in.Data) {
		t.Errorf("version %s, %d outputs, or other bytes", got.Version, len(got.Outputs))
	}
	words := floats("IN", 1, 2, 3)
	words.Shape = []int64{1, 3}
	two := must(t, c, &backend.Request{Model: "words", Version: "1", Inputs: []tensor.Tensor{words}})
	if len(two.Outputs) != 2 {
		t.Fatalf("%d outputs, want 2", len(two.Outputs))
	}
	for _, o := range two.Outputs {
		if o.Name == "TEXT" && (o.DType != tensor.Bytes || string(o.Data) != "\x03\x00\x00\x00row") {
			t.Errorf("got %+v", o)
		}
	}
}

func TestRealErrors(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	one := floats("IN", 1)
	wide := one
	wide.Shape = []int64{1, 1}
	whole := tensor.Tensor{Name: "IN", DType: tensor.Int32, Shape: []int64{1}, Data: make([]byte, 4)}
	named := floats("X", 1)
	negative := floats("IN", -1)
	negative.Shape = []int64{1, 1}
	for name, r := range map[string]struct {
		request backend.Request
		kind    fault.Kind
		code    string
		text    string
	}{
		"unknown model":   {backend.Request{Model: "nosuch", Version: "1", Inputs: []tensor.Tensor{one}}, fault.NotFound, "model_not_found", ""},
		"no version":      {backend.Request{Model: "nosuch", Inputs: []tensor.Tensor{one}}, fault.NotFound, "model_not_found", ""},
		"unknown version": {backend.Request{Model: "noop", Version: "7", Inputs: []tensor.Tensor{one}}, fault.NotFound, "version_not_found", ""},
		"wrong datatype":  {backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{whole}}, fault.Contract, "upstream_contract", "expects 'FP32'"},
		"wrong shape":     {backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{wide}}, fault.Contract, "upstream_contract", "Expected [-1], got [1,1]"},
		"wrong name":      {backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{named}}, fault.Contract, "upstream_contract", "'X'"},
		"unknown output":  {backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{one}, Outputs: []backend.Output{{Name: "zz"}}}, fault.Contract, "upstream_contract", "'zz'"},
		"decoupled":       {backend.Request{Model: "stream", Version: "1", Inputs: []tensor.Tensor{one}}, fault.Unsupported, "unsupported_model", ""},
		"model fails":     {backend.Request{Model: "slow", Version: "1", Inputs: []tensor.Tensor{negative}}, fault.Upstream, "upstream_error", ""},
	} {
		_, err := c.Infer(t.Context(), &r.request)
		t.Log(name, err)
		if f := wantFault(t, err, r.kind, r.code); !strings.Contains(f.Detail, r.text) {
			t.Errorf("%s: detail %q, want %q in it", name, f.Detail, r.text)
		}
	}
}

// The model sleeps for as many seconds as its input says, one call at a time; its queue holds one and gives up after 0.3 s.
func TestRealQueueAndDeadline(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	slow := floats("IN", 1.5)
	slow.Shape = []int64{1, 1}
	request := &backend.Request{Model: "slow", Version: "1", Inputs: []tensor.Tensor{slow}}
	ctx, leave := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer leave()
	_, err := c.Infer(ctx, request)
	wantFault(t, err, fault.Timeout, "deadline_exceeded")

	var wait sync.WaitGroup
	codes := make([]string, 8)
	for i := range codes {
		wait.Go(func() {
			_, err := c.Infer(t.Context(), request)
			codes[i] = "ok"
			if err != nil {
				codes[i] = err.(*fault.Error).Code
			}
		})
	}
	wait.Wait()
	for _, want := range []string{"queue_full", "deadline_exceeded"} {
		if !slices.Contains(codes, want) {
			t.Errorf("no call ended with %s: %q", want, codes)
		}
	}
}

func TestRealConfigAndLabels(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	noop, err := c.Config(t.Context(), "noop")
	if err != nil || noop.Parameters["task"] != "task: raw\n" || noop.Inputs[0].DType != tensor.FP32 {
		t.Errorf("got %+v, %v", noop, err)
	}
	labels, err := c.Labels(t.Context(), "words", "OUT", 3)
	if err != nil || !slices.Equal(labels, []string{"circle", "square", "tri:angle"}) {
		t.Errorf("got %q, %v", labels, err)
	}
	_, err = c.Labels(t.Context(), "noop", "OUT", 1)
	wantFault(t, err, fault.NotFound, "labels_not_found")
}

// copied gives the test a repository of its own with one model.
func copied(t *testing.T, model string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(filepath.Join(to, model), os.DirFS(filepath.Join(parts.Root(t), repository, model))); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRealRestart kills the server in the middle of a call, and starts it again.
func TestRealRestart(t *testing.T) {
	repo := copied(t, "slow")
	server := parts.Triton(t, repo)
	c := clientOf(t, server.GRPC)
	quick, slow := floats("IN", 0), floats("IN", 30)
	quick.Shape, slow.Shape = []int64{1, 1}, []int64{1, 1}
	call := func(in tensor.Tensor) error {
		_, err := c.Infer(t.Context(), &backend.Request{Model: "slow", Version: "1", Inputs: []tensor.Tensor{in}})
		return err
	}
	if err := call(quick); err != nil {
		t.Fatal(err)
	}
	old := statusOf(t, c, "slow").Epoch
	failed := make(chan error)
	go func() { failed <- call(slow) }()
	pending(t, c, 2)
	server.Kill()
	wantFault(t, <-failed, fault.Unavailable, "backend_unavailable")
	wantFault(t, call(quick), fault.Unavailable, "backend_unavailable")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := call(quick); err != nil {
		t.Errorf("the first call after the restart: %v", err)
	}
	if got := poll(t, c, "slow", func(e string) bool { return e != "" }); got == old {
		t.Error("the epoch outlived the server")
	}
}

// pending waits until n calls have been started by the client.
func pending(t *testing.T, c *Client, n uint64) {
	t.Helper()
	for c.list()[0].calls.of("slow", "1").read().started < n {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(time.Millisecond):
		}
	}
}
