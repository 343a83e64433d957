package batch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
	"triton-gateway/tensor"
)

// behind starts a call that holds the model, and others that wait behind it, one for each size; all are answered when it returns.
func behind(t *testing.T, b *Backend, sizes ...int) {
	t.Helper()
	var all sync.WaitGroup
	for i, n := range append([]int{1}, sizes...) {
		in := make([]uint32, n)
		for k := range in {
			in[k] = uint32(100*i + k)
		}
		all.Go(func() {
			out, err := b.Infer(t.Context(), request(in...))
			if err != nil {
				t.Error(err)
				return
			}
			for k, v := range values(out) {
				if v != 3*in[k] {
					t.Errorf("%d for %d", v, in[k])
				}
			}
		})
		synctest.Wait()
	}
	all.Wait()
	time.Sleep(time.Second) // a comparison may go on
}

// What has been compared for calls of one size says nothing of calls of another in a batch of the same size: one row alone may be another sum than one of three.
func TestEachSizeOfCallIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond, epoch: "a"}
		b := newBatcher(m, Rule{Size: 8, Bound: time.Second})
		added := func(sizes ...int) int {
			before, _ := m.count()
			behind(t, b, sizes...)
			after, _ := m.count()
			return after - before
		}
		for _, c := range []struct {
			sizes []int
			want  int
		}{
			{[]int{2, 2}, 4},       // the one before, two singles, a batch
			{[]int{2, 2}, 2},       // known
			{[]int{1, 1, 1, 1}, 6}, // four items again, of other calls
			{[]int{1, 1, 1, 1}, 2},
			{[]int{1, 1, 2}, 2}, // both sizes are known in a batch of four
		} {
			if n := added(c.sizes...); n != c.want {
				t.Errorf("%v: %d calls, not %d", c.sizes, n, c.want)
			}
		}
		m.epoch = "b" // a new load: its first answer says so
		if n := added(2, 2); n != 4 {
			t.Errorf("the new load: %d calls", n)
		}
	})
}

// A load that is named by the rule is another one as soon as it has another name.
func TestLoadsByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond, inexact: true}
		rule := Rule{Size: 8, Bound: time.Second, Load: "a"}
		b := New(m, Options{Rule: func(string, string) Rule { return rule }, Log: slog.New(slog.DiscardHandler)})
		behind(t, b, 1, 1)
		before, _ := m.count()
		behind(t, b, 1, 1)
		if n, _ := m.count(); n-before != 3 {
			t.Errorf("%d calls of a load that is off", n-before)
		}
		m.inexact, rule.Load = false, "b"
		behind(t, b, 1, 1)
		before, _ = m.count()
		behind(t, b, 1, 1)
		if n, _ := m.count(); n-before != 2 {
			t.Errorf("%d calls of the next load", n-before)
		}
	})
}

// Inexact batches are taken where that is allowed, and nothing is compared.
func TestInexactIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond, inexact: true}
		b := newBatcher(m, Rule{Size: 8, Bound: time.Second, Inexact: true})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := b.Infer(t.Context(), request(1)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if n, _ := m.count(); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

// A call that fails, or whose caller leaves, says nothing of the others: they are compared without it.
func TestFailedCallsAreNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond}
		off := 0
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 8, Bound: time.Second} },
			Off: func(string, string, string, int) { off++ }, Log: slog.New(slog.DiscardHandler)})
		gone, leave := context.WithTimeout(t.Context(), 15*time.Millisecond) // while the first of the singles runs
		defer leave()
		var all sync.WaitGroup
		for _, c := range []struct {
			ctx  context.Context
			in   uint32
			kind fault.Kind
		}{{t.Context(), 1, 0}, {t.Context(), 2, 0}, {gone, poison, fault.Timeout}, {t.Context(), poison, fault.Invalid}, {t.Context(), 3, 0}} {
			all.Go(func() {
				_, err := b.Infer(c.ctx, request(c.in))
				if c.kind == 0 && err != nil || c.kind != 0 && fault.KindOf(err) != c.kind {
					t.Errorf("%d: %v", c.in, err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, g := range b.groups {
			if off != 0 || !g.known([]*call{{items: 1}}, 2) || g.known([]*call{{items: 1}}, 4) {
				t.Errorf("off %d, known %v", off, g.checked)
			}
		}
	})
}

// whole answers a batch by one item, as a model does that has no batch dimension.
type whole struct{ *mill }

func (w whole) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	out, err := w.mill.Infer(ctx, r)
	if err == nil && rows(r) > 1 {
		out.Outputs = []tensor.Tensor{{Name: "OUT", DType: tensor.Uint32, Shape: []int64{1}, Data: out.Outputs[0].Data[:4]}}
	}
	return out, err
}

// refusing takes no batches.
type refusing struct{ *mill }

func (w refusing) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	if rows(r) > 1 {
		return nil, fault.New(fault.Upstream, "upstream_error", "no batches")
	}
	return w.mill.Infer(ctx, r)
}

// A model that takes no batches, or does not answer by the item, is not batched, whatever is allowed, and its callers notice nothing.
func TestWhatCannotBeTakenApartIsNotBatched(t *testing.T) {
	for name, inner := range map[string]func(*mill) Inner{
		"whole":    func(m *mill) Inner { return whole{m} },
		"refusing": func(m *mill) Inner { return refusing{m} },
	} {
		for _, inexact := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m := &mill{took: 10 * time.Millisecond}
				off := 0
				b := New(inner(m), Options{Rule: func(string, string) Rule { return Rule{Size: 8, Bound: time.Second, Inexact: inexact} },
					Off: func(string, string, string, int) { off++ }, Log: slog.New(slog.DiscardHandler)})
				behind(t, b, 1, 1, 1)
				behind(t, b, 1, 1, 1)
				if name == "refusing" && inexact { // nothing tells it from items that fail: each batch is tried, and then its calls
					return
				}
				if off != 1 {
					t.Errorf("%s, inexact %v: turned off %d times", name, inexact, off)
				}
			})
		}
	}
}

// Callers have the answers of single calls while a size is compared, as soon as they are there, and a caller's memory is not read after it has its answer.
func TestNobodyWaitsForTheComparison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond}
		b := newBatcher(m, Rule{Size: 8, Bound: time.Second, Parallel: 1})
		began := time.Now()
		var mu sync.Mutex
		var took []time.Duration
		var all sync.WaitGroup
		for i := range uint32(4) {
			all.Go(func() {
				r := request(i)
				out, err := b.Infer(t.Context(), r)
				if err != nil || values(out)[0] != 3*i {
					t.Errorf("%v, %v", out, err)
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				clear(r.Inputs[0].Data)
				clear(out.Outputs[0].Data) // it is the caller's
			})
			synctest.Wait()
		}
		all.Wait()
		for i, d := range took {
			if want := time.Duration(i+1) * 10 * time.Millisecond; d != want {
				t.Errorf("answer %d after %v, not %v", i, d, want)
			}
		}
		time.Sleep(time.Second)
		if n, _ := m.count(); n != 5 {
			t.Errorf("%d calls: a batch, to be compared", n)
		}
		for _, g := range b.groups {
			if !g.known([]*call{{items: 1}}, 3) {
				t.Error("the size is not known")
			}
		}
	})
}

// So many wait, and no more; who asks beforehand is told so.
func TestTheLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &gated{mill: &mill{hang: make(chan struct{})}}
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 2, Bound: time.Hour} }, Log: slog.New(slog.DiscardHandler)})
		if err := b.Full(t.Context(), "m", "1"); err != nil {
			t.Error(err)
		}
		var all sync.WaitGroup
		under := 1 + 2*(crowded-1) // one alone, and full batches beside it
		for range under + mostWaiting {
			all.Go(func() {
				if _, err := b.Infer(t.Context(), request(1)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, err := b.Infer(t.Context(), request(1)); fault.KindOf(err) != fault.Busy {
			t.Errorf("one more: %v", err)
		}
		if err := b.Full(t.Context(), "m", "1"); fault.KindOf(err) != fault.Busy {
			t.Errorf("asked beforehand: %v", err)
		}
		if err := b.Full(t.Context(), "m", "2"); err != nil {
			t.Errorf("another version: %v", err)
		}
		m.full = fault.New(fault.Timeout, "deadline_exceeded", "")
		if err := b.Full(t.Context(), "m", "1"); fault.KindOf(err) != fault.Timeout {
			t.Errorf("the backend is asked first: %v", err)
		}
		close(m.hang)
		all.Wait()
		synctest.Wait()
		if n := b.loads["m\x001"].waitingOf(priority.Realtime); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// gated is a mill that says when it is full.
type gated struct {
	*mill
	full error
}

func (g *gated) Full(context.Context, string, string) error { return g.full }

// What the backend's statistics need to know goes with a batch: how many requests it has, and how long they waited.
func TestABatchTellsItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &telling{mill: &mill{took: 10 * time.Millisecond}}
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 8, Bound: time.Second, Inexact: true} }, Log: slog.New(slog.DiscardHandler)})
		behind(t, b, 1, 2, 1)
		if len(m.requests) != 2 || m.requests[0] != 0 || m.requests[1] != 3 || m.waited[0] != 0 || m.waited[1] != 30*time.Millisecond {
			t.Errorf("%v requests, waited %v", m.requests, m.waited)
		}
	})
}

// telling keeps what it is told of each call.
type telling struct {
	*mill
	requests []int
	waited   []time.Duration
}

func (m *telling) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	m.requests, m.waited = append(m.requests, r.Requests), append(m.waited, r.Waited)
	return m.mill.Infer(ctx, r)
}

func TestBatchesHaveFewSizes(t *testing.T) {
	got := []int64{}
	for n := int64(1); n <= 50; n++ {
		if r := rounded(n); len(got) == 0 || got[len(got)-1] != r {
			got = append(got, r)
		}
	}
	if !slices.Equal(got, []int64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48}) {
		t.Errorf("sizes up to 50: %v", got)
	}
}
