package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestTheLineIsBounded: who finds the line full is refused at once and told when to come again, by Full and by Infer.
func TestTheLineIsBounded(t *testing.T) {
	e, f := gated(t, "instance_group { count: 1 kind: KIND_CPU }")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	infer := func() { _, _ = e.Infer(ctx, ask("m", "1", bytesOf(0, 0))) }
	wg.Go(infer)
	<-f.entered
	if err := e.Full(t.Context(), "m", "1"); err != nil {
		t.Errorf("a line that is empty is full: %v", err)
	}
	line := (*e.shown.Load())["m"].ready[0].run.line
	for range maxWaiting {
		wg.Go(infer)
	}
	parts.Until(t, "the line has the callers", time.Minute, func() bool { return line.Stats().Waiting == maxWaiting })
	_, refused := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0)))
	for _, err := range []error{refused, e.Full(t.Context(), "m", "1"), e.Full(t.Context(), "m", "")} {
		var busy *fault.Error
		if !errors.As(err, &busy) || busy.Kind != fault.Busy || busy.Code != "queue_full" || busy.RetryAfter <= 0 {
			t.Errorf("a full line: %v", err)
		}
	}
	cancel()
	wg.Wait()
	if s := line.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("%+v are left", s)
	}
}

// TestHopelessCallsAreRefused: who would have to wait longer than it has time never enters the line; who need not wait is let in.
func TestHopelessCallsAreRefused(t *testing.T) {
	e, f := gated(t, "instance_group { count: 1 kind: KIND_CPU }")
	result := make(chan error, 1)
	infer := func() {
		_, err := e.Infer(context.Background(), ask("m", "1", bytesOf(0, 0)))
		result <- err
	}
	go infer()
	<-f.entered
	took := time.Now()
	<-time.After(400 * time.Millisecond) // the model's measured time
	f.leave <- struct{}{}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	measured := time.Since(took)

	// soon asks with less time than a run takes, and again where a busy machine has let that time pass meanwhile.
	soon := func(calls ...func(context.Context) error) (errs []error) {
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			errs = nil
			for _, call := range calls {
				errs = append(errs, call(ctx))
			}
			over := ctx.Err() != nil
			if cancel(); !over {
				return errs
			}
		}
		t.Fatal("it waits until its time is over")
		return nil
	}
	full := func(ctx context.Context) error { return e.Full(ctx, "m", "1") }
	if errs := soon(full); errs[0] != nil {
		t.Errorf("nobody is before it: %v", errs[0])
	}
	go infer()
	<-f.entered
	for _, err := range soon(full, func(ctx context.Context) error { _, err := e.Infer(ctx, ask("m", "1", bytesOf(0, 0))); return err }) {
		if fault.KindOf(err) != fault.Timeout || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a run of %v before it and 300ms left: %v", measured, err)
		}
	}
	later, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.Full(later, "m", "1"); err != nil {
		t.Errorf("with a minute left: %v", err)
	}
	f.leave <- struct{}{}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestFullOfModelsThatAreNotReady(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "bad/1/model.onnx", []byte("bad"))
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, openFake)
	for model, want := range map[string]bool{"bad": true, "m": false, "unknown": false} { // of what does not exist, Infer tells
		if err := e.Full(t.Context(), model, ""); (fault.KindOf(err) == fault.Unavailable) != want || err != nil != want {
			t.Errorf("%s: %v", model, err)
		}
	}
	if err := e.Full(t.Context(), "bad", "1"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = e.Full(t.Context(), "m", "1") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestADeadCallerDoesNotRun: a caller whose time ends in the line never reaches the model.
func TestADeadCallerDoesNotRun(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	put(t, dir, "m/config.pbtxt", []byte("instance_group { count: 1 kind: KIND_CPU }"))
	f := &fake{data: 1, entered: make(chan struct{}, 10), leave: make(chan struct{}), closed: make(chan struct{})}
	e := startFake(t, dir, func([]byte, ort.Options) (session, error) { return f, nil })
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = e.Infer(context.Background(), ask("m", "1", bytesOf(0, 0))) })
	<-f.entered
	ctx, cancel := context.WithCancel(t.Context())
	line := (*e.shown.Load())["m"].ready[0].run.line
	for range 5 {
		wg.Go(func() {
			if _, err := e.Infer(ctx, ask("m", "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Canceled {
				t.Error(err)
			}
		})
	}
	parts.Until(t, "the line has the callers", time.Minute, func() bool { return line.Stats().Waiting == 5 })
	cancel()
	parts.Until(t, "the line has the callers", time.Minute, func() bool { return line.Stats().Waiting == 0 })
	close(f.leave)
	wg.Wait()
	if len(f.entered) != 0 {
		t.Errorf("%d dead callers ran", len(f.entered))
	}
}

func BenchmarkFull(b *testing.B) {
	dir := b.TempDir()
	put(b, dir, "m/1/model.onnx", []byte{1})
	e := startFake(b, dir, openFake)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Full(ctx, "m", ""); err != nil {
			b.Fatal(err)
		}
	}
}
