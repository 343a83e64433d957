package batch

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// A call that finds the model free goes at once, alone.
func TestAloneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond}
		b := newBatcher(m, Rule{Size: 32, Bound: 200 * time.Millisecond})
		for i := range 20 {
			began := time.Now()
			out, err := b.Infer(t.Context(), request(uint32(i)))
			if err != nil || values(out)[0] != uint32(3*i) || time.Since(began) != 10*time.Millisecond {
				t.Fatalf("%v, %v after %v", out, err, time.Since(began))
			}
		}
		if n, _ := m.count(); n != 20 {
			t.Errorf("%d calls", n)
		}
	})
}

// Sixteen callers of a model whose cost is by the call get at least four times as many answers: seven sizes are compared first, and then all but the caller of the batch under way go together.
func TestManyGoTogether(t *testing.T) {
	for _, size := range []int{32, 50} {
		for _, bound := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				answered := func(rule Rule) int {
					m := &mill{took: 10 * time.Millisecond, slots: make(chan struct{}, 1)}
					b := newBatcher(m, rule)
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					var mu sync.Mutex
					n := 0
					var all sync.WaitGroup
					for i := range uint32(16) {
						all.Go(func() {
							for ctx.Err() == nil {
								out, err := b.Infer(ctx, request(i))
								if err == nil {
									mu.Lock()
									n++
									mu.Unlock()
									if values(out)[0] != 3*i {
										t.Errorf("%d for %d", values(out)[0], i)
									}
								}
							}
						})
					}
					all.Wait()
					time.Sleep(time.Minute) // of the bubble: what is compared has ended
					return n
				}
				without, with := answered(Rule{}), answered(Rule{Size: size, Bound: bound})
				t.Logf("size %d, bound %v: %d answers, %d without", size, bound, with, without)
				if with < 4*without {
					t.Errorf("%d answers, %d without batches", with, without)
				}
			})
		}
	}
}

// A call waits no longer than its bound while the one before takes its time, and a full batch does not wait.
func TestNobodyWaitsBeyondTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: time.Second}
		b := newBatcher(m, Rule{Size: 4, Bound: 50 * time.Millisecond})
		began := time.Now()
		var all sync.WaitGroup
		ask := func(v uint32, want time.Duration) {
			all.Go(func() {
				if _, err := b.Infer(t.Context(), request(v)); err != nil || time.Since(began) != want {
					t.Errorf("%d after %v, not %v: %v", v, time.Since(began), want, err)
				}
			})
			synctest.Wait()
		}
		const bound = 50 * time.Millisecond
		ask(1, time.Second)         // alone
		ask(2, bound+time.Second)   // waits its bound; as nothing is known of two together, it runs alone
		ask(3, bound+2*time.Second) // and so does this one, and then both again as a batch
		time.Sleep(60 * time.Millisecond)
		for i := range uint32(4) {
			ask(10+i, 60*time.Millisecond+time.Duration(i+1)*time.Second) // a full batch does not wait
		}
		all.Wait()
		synctest.Wait()
		time.Sleep(2 * time.Second) // the batches for the comparison
		_, sizes := m.count()
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int64{1, 1, 1, 1, 1, 1, 1, 2, 4}) {
			t.Errorf("sizes %v", sizes)
		}
	})
}

// What cannot be put together is not: other shapes, datatypes, outputs, parameters, versions, sequences, batches that are as large as they may be.
func TestOnlyWhatFitsGoesTogether(t *testing.T) {
	base := request(1)
	edit := func(do func(*backend.Request)) *backend.Request {
		r := request(1)
		do(r)
		return r
	}
	if keyOf(base) != keyOf(request(2, 3)) {
		t.Error("the number of items makes another key")
	}
	for name, r := range map[string]*backend.Request{
		"shape":      edit(func(r *backend.Request) { r.Inputs[0].Shape = []int64{1, 1, 1} }),
		"datatype":   edit(func(r *backend.Request) { r.Inputs[0].DType = tensor.Int32 }),
		"name":       edit(func(r *backend.Request) { r.Inputs[0].Name = "X" }),
		"version":    edit(func(r *backend.Request) { r.Version = "2" }),
		"model":      edit(func(r *backend.Request) { r.Model = "n" }),
		"outputs":    edit(func(r *backend.Request) { r.Outputs = []backend.Output{{Name: "OUT"}} }),
		"classes":    edit(func(r *backend.Request) { r.Outputs = []backend.Output{{Name: "OUT", Classes: 3}} }),
		"parameters": edit(func(r *backend.Request) { r.Params = map[string]any{"a": int64(1)} }),
		"value":      edit(func(r *backend.Request) { r.Params = map[string]any{"a": "1"} }),
	} {
		if keyOf(r) == keyOf(base) {
			t.Errorf("%s makes no other key", name)
		}
	}
	for _, r := range []*backend.Request{
		edit(func(r *backend.Request) { r.Params = map[string]any{"sequence_id": uint64(7)} }),
		edit(func(r *backend.Request) { r.Params = map[string]any{"timeout": int64(7)} }),
		edit(func(r *backend.Request) { r.Params = map[string]any{"priority": uint64(7)} }),
	} {
		if !alone(r) {
			t.Errorf("%v goes together with others", r.Params)
		}
	}
	for _, data := range []string{"", "123", "12345"} {
		if exact(edit(func(r *backend.Request) { r.Inputs[0].Data = []byte(data) })) {
			t.Errorf("%d bytes for 4 go together with others", len(data))
		}
	}
	for _, shape := range [][]int64{{}, {0, 1}, {-1}} {
		if n := rows(edit(func(r *backend.Request) { r.Inputs[0].Shape = shape })); n != 0 {
			t.Errorf("%v has %d items", shape, n)
		}
	}
}

// A load whose batches differ in a bit is not batched any more, and its callers have the answers of single calls all the same. The next load is tried anew.
func TestInexactLoadsAreNotBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond, inexact: true, epoch: "1"}
		off := 0
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 8, Bound: time.Second} }, Off: func(model, version, epoch string, items int) {
			if off++; model != "m" || version != "1" || epoch != "1" || items < 2 {
				t.Errorf("%s %s %s %d", model, version, epoch, items)
			}
		}, Log: slog.New(slog.DiscardHandler)})
		burst := func() {
			var all sync.WaitGroup
			for i := range uint32(12) {
				all.Go(func() {
					out, err := b.Infer(t.Context(), request(i))
					if err != nil || values(out)[0] != 3*i {
						t.Errorf("%v, %v for %d", out, err, i)
					}
				})
			}
			all.Wait()
		}
		for range 3 {
			burst()
		}
		time.Sleep(time.Second) // of the bubble: what is compared has ended
		synctest.Wait()
		if off != 1 {
			t.Errorf("turned off %d times", off)
		}
		before, _ := m.count()
		burst()
		if after, _ := m.count(); after-before != 12 {
			t.Errorf("%d calls for 12", after-before)
		}
		m.inexact, m.epoch = false, "2"
		burst() // shows the new load
		burst() // is compared
		time.Sleep(time.Second)
		synctest.Wait()
		before, _ = m.count()
		for range 3 {
			burst()
		}
		if after, _ := m.count(); after-before >= 36 {
			t.Errorf("%d calls for 36 of the new load", after-before)
		}
		time.Sleep(time.Second)
	})
}

// 10,000 random requests, of one to three items, with poisoned ones and callers that leave: whoever stays gets what he would have got alone, and whoever is not poisoned gets an answer.
func TestBatchedIsUnbatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 3 * time.Millisecond, slots: make(chan struct{}, 2)}
		b := newBatcher(m, Rule{Size: 32, Bound: 50 * time.Millisecond, Parallel: 2})
		var all sync.WaitGroup
		var mu sync.Mutex
		count := map[string]int{}
		for worker := range uint64(50) {
			r := rand.New(rand.NewPCG(worker, 1))
			all.Go(func() {
				for range 200 {
					var in []uint32
					bad := r.IntN(50) == 0
					for range 1 + r.IntN(3) {
						in = append(in, r.Uint32N(1<<16))
					}
					if bad {
						in[r.IntN(len(in))] = poison
					}
					ctx, cancel := context.WithCancel(t.Context())
					if r.IntN(5) == 0 {
						ctx, cancel = context.WithTimeout(t.Context(), time.Duration(r.IntN(8000))*time.Microsecond)
					}
					q := request(in...)
					mem := &memory{data: q.Inputs[0].Data}
					mem.Retain()
					q.Memory = mem
					out, err := b.Infer(ctx, q)
					// The batch has the latest of its callers' deadlines; its timer may run before the caller's own, which is due at the same instant.
					due, timed := ctx.Deadline()
					gone := ctx.Err() != nil || timed && !time.Now().Before(due)
					mem.Release()
					cancel()
					result := "answered"
					switch {
					case err == nil:
						got := values(out)
						for i, v := range in {
							if bad || len(got) != len(in) || got[i] != 3*v {
								t.Errorf("%v for %v", got, in)
								break
							}
						}
					case fault.KindOf(err) == fault.Invalid && bad:
						result = "poisoned"
					case gone && (fault.KindOf(err) == fault.Timeout || fault.KindOf(err) == fault.Canceled):
						result = "left"
					default:
						t.Errorf("%v for %v", err, in)
					}
					mu.Lock()
					count[result]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		calls, sizes := m.count()
		t.Log(count, calls, "calls, the largest", slices.Max(sizes))
		together := len(sizes)
		for _, n := range sizes {
			if n <= 3 { // one caller's at most
				together--
			}
		}
		if count["answered"] < 5000 || count["poisoned"] < 100 || count["left"] < 500 || together < 200 || calls > 6000 || slices.Max(sizes) > 32 {
			t.Errorf("%v, %d calls, %d of several callers", count, calls, together)
		}
		for key, g := range b.groups {
			if g.running != 0 || g.waiting.Len() != 0 || g.items != 0 || g.claims != 0 || g.timer != nil {
				t.Errorf("%q is left with %+v", key, g)
			}
		}
	})
}

// A panic of the backend reaches every caller of the batch as an error.
func TestAPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{took: 10 * time.Millisecond}
		b := New(panics{m}, Options{Rule: func(string, string) Rule { return Rule{Size: 8, Bound: time.Second, Inexact: true} }, Log: slog.New(slog.DiscardHandler)})
		var all sync.WaitGroup
		errs := make([]error, 5)
		for i := range errs {
			all.Go(func() { _, errs[i] = b.Infer(t.Context(), request(uint32(i))) })
			synctest.Wait()
		}
		all.Wait()
		if errs[0] != nil {
			t.Error(errs[0])
		}
		for _, err := range errs[1:] {
			if fault.KindOf(err) != fault.Internal {
				t.Errorf("%v", err)
			}
		}
	})
}

type panics struct{ *mill }

func (p panics) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	if rows(r) > 1 {
		panic(fmt.Sprint(rows(r), " rows"))
	}
	return p.mill.Infer(ctx, r)
}

// When all callers of a batch have left, its call ends.
func TestABatchWithoutCallersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{hang: make(chan struct{})}
		b := newBatcher(m, Rule{Size: 2, Bound: time.Hour})
		first, cancelFirst := context.WithCancel(t.Context())
		others, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, ctx := range []context.Context{first, others, others} {
			all.Go(func() {
				if _, err := b.Infer(ctx, request(1)); fault.KindOf(err) != fault.Canceled {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if n, _ := m.count(); n != 2 {
			t.Errorf("%d calls", n)
		}
		cancel()
		cancelFirst()
		all.Wait()
		synctest.Wait() // and no goroutine is left: synctest would say so
	})
}

// Many shapes do not fill the memory: groups in which nothing happens make room.
func TestGroupsAreBounded(t *testing.T) {
	m := &mill{}
	b := newBatcher(m, Rule{Size: 8, Bound: time.Second})
	for i := range int64(3 * mostGroups) {
		r := request(1)
		r.Inputs[0].Shape = []int64{1, 1 + i*0}
		r.Params = map[string]any{"n": i}
		if _, err := b.Infer(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.groups) > mostGroups {
		t.Errorf("%d groups", len(b.groups))
	}
}

func BenchmarkAlone(b *testing.B) {
	m := &mill{}
	for name, batcher := range map[string]backendInfer{"direct": m, "batcher": newBatcher(m, Rule{Size: 32, Bound: time.Second})} {
		b.Run(name, func(b *testing.B) {
			r := request(1)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = batcher.Infer(b.Context(), r)
				m.sizes = m.sizes[:0]
			}
		})
	}
}

type backendInfer interface {
	Infer(ctx context.Context, r *backend.Request) (*backend.Response, error)
}
