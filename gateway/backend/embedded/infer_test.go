package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
)

// gated starts an engine with model m, whose runs wait.
func gated(tb testing.TB, config string) (*Engine, *fake) {
	tb.Helper()
	dir := tb.TempDir()
	put(tb, dir, "m/1/model.onnx", []byte{1})
	put(tb, dir, "m/config.pbtxt", []byte(config))
	f := &fake{data: 1, entered: make(chan struct{}), leave: make(chan struct{}), closed: make(chan struct{}), stopped: make(chan struct{})}
	return startFake(tb, dir, func([]byte, ort.Options) (session, error) { return f, nil }), f
}

func TestInstancesBoundTheRuns(t *testing.T) {
	e, f := gated(t, "instance_group { count: 1 kind: KIND_CPU }")
	results := make(chan error, 2)
	infer := func(ctx context.Context) {
		_, err := e.Infer(ctx, ask("m", "1", bytesOf(0, 0)))
		results <- err
	}
	go infer(context.Background())
	<-f.entered
	if s := (*e.shown.Load())["m"].ready[0].run.line.Stats(); s.Running != 1 || s.Capacity != 1 {
		t.Errorf("a run holds %d of %d places, want 1 of 1", s.Running, s.Capacity)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go infer(ctx) // waits for its place
	cancel()
	if err := <-results; fault.KindOf(err) != fault.Canceled {
		t.Errorf("a waiting request whose caller left: %v", err)
	}
	go infer(context.Background())
	select {
	case <-f.entered:
		t.Fatal("two runs of a model with one instance")
	case f.leave <- struct{}{}:
	}
	<-f.entered // the next one came in after the first had left
	if err := <-results; err != nil {
		t.Error(err)
	}
	f.leave <- struct{}{}
	if err := <-results; err != nil {
		t.Error(err)
	}
}

func TestThreadsBoundTheRuns(t *testing.T) {
	e, f := gated(t, `instance_group { count: 5 } parameters { key: "intra_op_thread_count" value { string_value: "0" } }`)
	result := make(chan error, 1)
	go func() {
		_, err := e.Infer(context.Background(), ask("m", "1", bytesOf(0, 0)))
		result <- err
	}()
	<-f.entered // it has all threads
	if e.threads.TryAcquire(1) {
		t.Error("a thread is left")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := e.Infer(ctx, ask("m", "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Timeout {
		t.Errorf("a request whose time is over: %v", err)
	}
	close(f.leave)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if !e.threads.TryAcquire(2) {
		t.Error("the threads did not come back")
	}
}

func TestThreadsParameter(t *testing.T) {
	for text, want := range map[string]int{"": 1, "0": 4, "1": 1, " 3 ": 3, "99": 4, "-1": -1, "two": -1} {
		c, err := parse("m", text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := threads(c, 4)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q gives %d, want %d", text, got, want)
		}
	}
}

func TestCloseEndsRuns(t *testing.T) {
	e, f := gated(t, "")
	result := make(chan error, 1)
	go func() {
		_, err := e.Infer(context.Background(), ask("m", "1", bytesOf(0, 0)))
		result <- err
	}()
	<-f.entered
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a run at Close: %v", err)
	}
	<-f.closed
	if _, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestRequestsThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	put(t, dir, "m/config.pbtxt", []byte("max_batch_size: 3"))
	e := startFake(t, dir, openFake)
	in := bytesOf(0, 0)
	with := func(change func(r *backend.Request)) *backend.Request {
		r := ask("m", "1", in)
		change(r)
		return r
	}
	input := func(change func(r *backend.Request)) *backend.Request { return with(change) }
	for want, r := range map[string]*backend.Request{
		"'n' is not found":                       ask("n", "1", in),
		"'m' version 2 is not found":             ask("m", "2", in),
		"'m' version  is not found":              ask("m", "", in),
		"expected 1 inputs but got 0 inputs":     ask("m", "1"),
		"missing required input(s) ['x']":        ask("m", "1"),
		"input 'x' already exists":               ask("m", "1", in, in),
		"unexpected inference input 'z'":         input(func(r *backend.Request) { r.Inputs[0].Name = "z" }),
		"is 'FP32', but model 'm' expects":       ask("m", "1", floats("x", []int64{1, 2}, 1, 2)),
		"batch-size must be <= 3":                ask("m", "1", bytesOf(0, 0, 0, 0, 0, 0, 0, 0)),
		"batch-size must be >= 1":                input(func(r *backend.Request) { r.Inputs[0].Shape = []int64{0, 2} }),
		"has no shape but model requires":        input(func(r *backend.Request) { r.Inputs[0].Shape = nil }),
		"Expected [-1,2], got [1,2,1]":           input(func(r *backend.Request) { r.Inputs[0].Shape = []int64{1, 2, 1} }),
		"Expected [-1,2], got [2,1]":             input(func(r *backend.Request) { r.Inputs[0].Shape = []int64{2, 1} }),
		"Expected 2, got 3":                      input(func(r *backend.Request) { r.Inputs[0].Data = []byte{1, 2, 3} }),
		"unexpected inference output 'nothing'":  with(func(r *backend.Request) { r.Outputs = []backend.Output{{Name: "nothing"}} }),
		"Expected [-1,2], got [1,-2]":            input(func(r *backend.Request) { r.Inputs[0].Shape = []int64{1, -2} }),
		"Expected [-1,2], got [1,4611686018427]": input(func(r *backend.Request) { r.Inputs[0].Shape = []int64{1, 4611686018427} }),
	} {
		_, err := e.Infer(t.Context(), r)
		kind := fault.Invalid
		if strings.Contains(want, "not found") {
			kind = fault.NotFound
		}
		if fault.KindOf(err) != kind || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestModelBreaksItsConfig(t *testing.T) {
	for shape, want := range map[[2]int64]string{{2, 2}: "for a batch of 1", {1, 3}: "the config says [2]"} {
		dir := t.TempDir()
		put(t, dir, "m/1/model.onnx", []byte{1})
		e := startFake(t, dir, func(model []byte, o ort.Options) (session, error) {
			s, err := openFake(model, o)
			return &misfit{s.(*fake), shape[:]}, err
		})
		if _, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Contract || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", shape, err)
		}
	}
}

func TestModelFails(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, func([]byte, ort.Options) (session, error) {
		return &fails{fake{closed: make(chan struct{})}}, nil
	})
	_, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0)))
	if fault.KindOf(err) != fault.Upstream || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "model 'm' version 1 failed") {
		t.Errorf("%v", err)
	}
}
