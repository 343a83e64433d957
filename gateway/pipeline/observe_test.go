package pipeline

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// watcher notes what an observer is told. Begin puts a mark into the context that End and what the stage calls must see.
type watcher struct {
	mu     sync.Mutex
	ended  []Ended
	open   map[Stage]int
	shared []string // the callers that were told
	bad    []string
}

type (
	markKey   struct{}
	callerKey struct{}
)

func (w *watcher) Begin(ctx context.Context, s Stage) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[Stage]int{}
	}
	w.open[s]++
	return context.WithValue(ctx, markKey{}, s)
}

func (w *watcher) End(ctx context.Context, e Ended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[e.Stage]--
	if ctx.Value(markKey{}) != e.Stage {
		w.bad = append(w.bad, "the end of "+e.Stage.String()+" has another context than its begin")
	}
	e.Parts = slices.Clone(e.Parts)
	w.ended = append(w.ended, e)
}

func (w *watcher) Shared(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, _ := ctx.Value(callerKey{}).(string)
	w.shared = append(w.shared, name)
}

// names gives the stages in the order in which they ended, and forgets them.
func (w *watcher) names(t *testing.T) (list []string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ended {
		for _, part := range e.Parts {
			list = append(list, e.Stage.String()+"/"+part.Stage.String())
		}
		list = append(list, e.Stage.String())
		if e.Took < 0 {
			t.Errorf("%s took %v", e.Stage, e.Took)
		}
	}
	for s, n := range w.open {
		if n != 0 {
			t.Errorf("%s was begun and not ended", s)
		}
	}
	for _, bad := range w.bad {
		t.Error(bad)
	}
	w.ended = nil
	return list
}

func watched(t *testing.T) (*rig, *watcher) {
	r, w := newRig(t), &watcher{}
	r.Observer = w
	return r, w
}

func TestObserverSeesEachStageOnce(t *testing.T) {
	r, w := watched(t)
	row := func() *Request {
		return &Request{Model: "rows", Item: Item{Row: &preprocess.Row{Positional: []any{1.0, 2.0}}}}
	}
	tensors := func() *backend.Request {
		return &backend.Request{Model: "tensors", Inputs: []tensor.Tensor{{Name: "in", DType: tensor.FP32, Shape: []int64{1, 2}, Data: make([]byte, 8)}}}
	}
	head := []string{"accept", "route", "fingerprint"}
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"a picture", func() error { _, err := r.ask(t.Context(), picture(t, 1), nil); return err },
			append(head[:3:3], "preprocess/queue", "preprocess/decode", "preprocess", "infer", "postprocess")},
		{"a hit", func() error { _, err := r.ask(t.Context(), picture(t, 1), nil); return err }, head},
		{"tensors kept", func() error { _, err := r.ask(t.Context(), picture(t, 1), topK(1)); return err }, append(head[:3:3], "postprocess")},
		{"by digest", func() error {
			_, err := r.Cached(t.Context(), &Request{Model: "pictures"}, sha(picture(t, 1)))
			return err
		}, head},
		{"a row", func() error { _, err := r.Run(t.Context(), row()); return err },
			[]string{"accept/preprocess", "accept", "route", "fingerprint", "infer", "postprocess"}},
		{"tensors as they are", func() error { _, err := r.Pass(t.Context(), tensors()); return err }, []string{"accept", "route", "infer"}},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := w.names(t); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestObserverSeesModelAndFailure(t *testing.T) {
	r, w := watched(t)
	r.backend.fail.Store(fault.New(fault.Upstream, "upstream_error", "broken"))
	for _, c := range []struct {
		model, code string
		stage       Stage
		known       string
	}{{"nope", "model_not_found", Accept, ""}, {"pictures", "upstream_error", Infer, "pictures"}} {
		_, _ = r.ask(t.Context(), picture(t, 9), func(q *Request) { q.Model = c.model })
		last := w.ended[len(w.ended)-1]
		if last.Stage != c.stage || last.Model != c.known || !errors.Is(last.Err, &fault.Error{Code: c.code}) {
			t.Errorf("%s: %+v", c.model, last)
		}
		w.names(t)
	}
	r.CPU = limit.New(1, 0)
	release, _, err := r.CPU.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, _ = r.ask(t.Context(), picture(t, 10), nil)
	if last := w.ended[len(w.ended)-1]; last.Stage != Preprocess || fault.KindOf(last.Err) != fault.Busy {
		t.Errorf("%+v", last)
	}
}

func TestObserverSeesAPanic(t *testing.T) {
	r, w := watched(t)
	r.backend = nil
	r.Backend = (*fakeBackend)(nil)
	if _, err := r.ask(t.Context(), picture(t, 11), nil); err == nil {
		t.Fatal("no error")
	}
	if last := w.ended[len(w.ended)-1]; last.Stage != Infer || fault.KindOf(last.Err) != fault.Internal || last.Err == nil {
		t.Errorf("%+v", last)
	}
	w.names(t)
}

func TestOnlyThoseWhoWaitedAreToldOfSharing(t *testing.T) {
	r, w := watched(t)
	for level := uint8(12); len(w.shared) == 0; level++ { // the second may come too late to wait; then it finds the answer stored
		if level == 0 {
			t.Fatal("nobody was told")
		}
		r.backend.gate, r.backend.began = make(chan struct{}), make(chan struct{}, 1)
		var callers sync.WaitGroup
		ask := func(name string) {
			callers.Go(func() {
				if _, err := r.ask(context.WithValue(context.Background(), callerKey{}, name), picture(t, level), nil); err != nil {
					t.Error(err)
				}
			})
		}
		before := r.entered.Load()
		ask("first")
		<-r.backend.began
		ask("second")
		for r.entered.Load() < before+3 { // first's two levels, second's one
			runtime.Gosched()
		}
		close(r.backend.gate)
		callers.Wait()
	}
	if len(w.shared) > 1 || w.shared[0] != "second" {
		t.Errorf("told: %q", w.shared)
	}
}

func TestServerTimingHasShortStagesOnlyWhereTheyMatter(t *testing.T) {
	j := &job{}
	for s := range Stage(Stages) {
		j.tell(s, leastTold-1)
	}
	j.tell(Accept, leastTold)
	var got []string
	for _, timing := range j.timings {
		got = append(got, timing.Stage)
	}
	if want := []string{"queue", "decode", "preprocess", "infer", "postprocess", "accept"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if Stage(200).String() != "unknown" {
		t.Error(Stage(200))
	}
}

// idle is an observer that does nothing, as one without metrics and traces.
type idle struct{}

func (idle) Begin(ctx context.Context, _ Stage) context.Context { return ctx }
func (idle) End(context.Context, Ended)                         {}
func (idle) Shared(context.Context)                             {}

func BenchmarkStage(b *testing.B) {
	nothing := step{stage: Route, run: func(context.Context, *job) error { return nil }}
	for name, o := range map[string]Observer{"nobody": nil, "idle": idle{}} {
		b.Run(name, func(b *testing.B) {
			p, j := &Pipeline{Parts: Parts{Observer: o}, began: time.Now()}, &job{Request: &Request{}}
			b.ReportAllocs()
			for b.Loop() {
				_ = p.stage(context.Background(), j, &nothing)
			}
		})
	}
}

func TestWatchingAStageAllocatesNothing(t *testing.T) {
	nothing := step{stage: Route, run: func(context.Context, *job) error { return nil }}
	p, j := &Pipeline{Parts: Parts{Observer: idle{}}}, &job{Request: &Request{}, mode: cache.Default}
	if n := testing.AllocsPerRun(100, func() { _ = p.stage(context.Background(), j, &nothing) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
