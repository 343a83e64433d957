package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/audit"
	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/priority"
	"triton-gateway/modelconfig"
	"triton-gateway/postprocess"
	"triton-gateway/tensor"
)

// twoVersions answers for version 1 with the input, and for version 2 with something else.
type twoVersions struct {
	mu    sync.Mutex
	calls map[string]int // of shadows, by version: their class is batch
}

func (b *twoVersions) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	time.Sleep(5 * time.Millisecond)
	if priority.From(ctx) == priority.Batch {
		b.mu.Lock()
		b.calls[r.Version]++
		b.mu.Unlock()
	}
	out := r.Inputs[0]
	if r.Version == "2" {
		out.Data = bytes.Repeat([]byte{77}, len(out.Data))
	}
	return &backend.Response{Version: r.Version, Outputs: []tensor.Tensor{out}}, nil
}
func (*twoVersions) Index(context.Context) ([]backend.ModelStatus, error)        { return nil, nil }
func (*twoVersions) Config(context.Context, string) (*modelconfig.Config, error) { return nil, nil }
func (*twoVersions) Close() error                                                { return nil }

// A version that says something else is found where there is room for nothing: the comparisons of a canary have a share for sure, two a second, and a shadow of all requests has none.
func TestAWrongVersionIsFoundWhereThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := canarySpec(time.Minute, 20, 100)
		spec.Shadow = &route.Shadow{Target: route.Target{Model: "m", Version: "2"}, Percent: 100}
		routes, err := book.New(t.Context(), book.Options{Base: Routes{"r": spec}, Records: noMemory{}})
		if err != nil {
			t.Fatal(err)
		}
		defer routes.Close()
		l, err := audit.Open("", quietLog(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		c := openCanaries(routes, auditor{l}, quietLog())
		defer func() { _ = c.close() }()
		s := &shadows{book: routes, models: onlyTensors{}, log: quietLog(), seen: map[string]string{}, also: c.also, told: c.told}
		s.Runner = shadow.New(shadow.Options{Idle: func() bool { return false }, Observe: s.observe})
		b := &twoVersions{calls: map[string]int{}}
		p := pipeline.New(pipeline.Parts{Models: onlyTensors{}, Backend: b, CPU: limit.New(1, 1), Routes: routing{routes, newRouteCounts(), c}, Shadows: s})
		began := time.Now()
		for time.Since(began) < time.Minute {
			time.Sleep(15 * time.Millisecond)
			in := []tensor.Tensor{{Name: "x", DType: tensor.Uint8, Shape: []int64{1, 8}, Data: make([]byte, 8)}}
			if _, err := p.Pass(t.Context(), &backend.Request{Model: "r", Inputs: in}); err != nil {
				t.Fatal(err)
			}
			if e, _ := routes.Entry("r"); e.Canary.State != book.Running {
				break
			}
		}
		took := time.Since(began)
		synctest.Wait()
		if e, _ := routes.Entry("r"); e.Canary.State != book.Back || e.Canary.Rule != "disagreement" || took > 6*time.Second {
			t.Errorf("%+v after %v: %+v", e.Canary, took, s.Stats())
		}
		if most := int(2*took.Seconds()) + 2; b.calls["1"] < 5 || b.calls["1"] > most || b.calls["2"] != 0 {
			t.Errorf("%v were asked in %v, where there was no room", b.calls, took)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// Who insists waits his turn as a batch, then as everybody, and gives up with his time.
func TestWhoInsists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(priority.With(t.Context(), priority.Batch), 10*time.Second)
		defer cancel()
		busy := fault.New(fault.Busy, "queue_full", "full")
		var classes []priority.Class
		ask := func(free int, then error) func(context.Context) (postprocess.Result, error) {
			classes = nil
			return func(ctx context.Context) (postprocess.Result, error) {
				if classes = append(classes, priority.From(ctx)); len(classes) < free {
					return postprocess.Result{}, busy
				}
				return postprocess.Result{}, then
			}
		}
		began := time.Now()
		if _, err := insist(ctx, ask(4, nil)); err != nil || len(classes) != 4 || classes[0] != priority.Batch || classes[1] != priority.Interactive || time.Since(began) != 350*time.Millisecond {
			t.Errorf("%v, %v after %v", err, classes, time.Since(began))
		}
		other := errors.New("no")
		if _, err := insist(ctx, ask(1, other)); !errors.Is(err, other) || len(classes) != 1 {
			t.Errorf("%v", err)
		}
		if _, err := insist(ctx, ask(1000, nil)); !errors.Is(err, busy) || time.Since(began) != 10*time.Second || len(classes) > 15 {
			t.Errorf("%v after %v, %d tries", err, time.Since(began), len(classes))
		}
	})
}

// What found no room says nothing of the one that was to be asked.
func TestNoRoomIsNoLateness(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		err  error
		room bool
	}{{fault.New(fault.Busy, "queue_full", "full"), false}, {fault.New(fault.Timeout, "deadline_exceeded", "in line"), false}, {fault.New(fault.Upstream, "x", "x"), true}, {nil, true}} {
		_, err := (&shadows{log: log}).ask(t.Context(), &pipeline.Held{}, shadow.Pair{}, "m", func(context.Context) (postprocess.Result, error) { return postprocess.Result{}, c.err })
		if errors.Is(err, shadow.ErrNoRoom) == c.room || (err == nil) != (c.err == nil) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
