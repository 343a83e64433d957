package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
)

// mortal is a process that dies of some items: nothing of it reaches the store any more, and another one starts a second later.
type mortal struct {
	*rig
	all    sync.WaitGroup
	ctx    context.Context
	deaths atomic.Int32
	limits jobs.Limits
}

// mortals runs one process after the other until the test ends.
func mortals(r *rig, limits jobs.Limits) *mortal {
	ctx, cancel := context.WithCancel(context.Background())
	m := &mortal{rig: r, ctx: ctx, limits: limits}
	m.start()
	r.Cleanup(func() { cancel(); m.all.Wait() })
	return m
}

func (m *mortal) start() {
	way := &faulty{Store: m.store}
	ctx, die := context.WithCancel(m.ctx)
	var once sync.Once
	run := runner(func(ctx context.Context, q *pipeline.Request) (*pipeline.Answer, error) {
		a, err := m.model.Run(ctx, q)
		if strings.HasPrefix(string(q.Item.Image.Bytes), "killer") {
			once.Do(func() {
				m.deaths.Add(1)
				way.cut.Store(true)
				die()
				time.AfterFunc(time.Second, func() {
					if m.ctx.Err() == nil {
						m.start()
					}
				})
			})
		}
		if way.cut.Load() {
			<-ctx.Done()
		}
		return a, err
	})
	limits := m.limits
	limits.Grace = time.Nanosecond
	s := jobs.New(jobs.Deps{Store: way, Runner: run, Decoder: decoder{}, Problem: problem, Limits: limits})
	m.all.Go(func() {
		defer die()
		s.Work(ctx)
	})
}

type runner func(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)

func (f runner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return f(ctx, r)
}

// TestCrashingItemFailsAlone: an item that takes its worker down is found and fails, its neighbours and the jobs that run beside it are answered.
func TestCrashingItemFailsAlone(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = 100 * time.Millisecond
		list := texts(100)
		list[60] = "killer"
		guilty := r.submit(submission(list...)).ID
		var others []string
		for i := range 6 {
			others = append(others, r.submit(submission(texts(5+40*(i%2))...)).ID)
		}
		m := mortals(r, jobs.Limits{})
		r.ends(guilty, jobs.Succeeded, 100, 1, 0)
		if got := r.results(guilty)[60]; !strings.Contains(got, `"code":"worker_crashed"`) || !strings.Contains(got, "item 60") {
			r.Errorf("the item's result: %s", got)
		}
		for i, id := range others {
			r.ends(id, jobs.Succeeded, 5+40*(i%2), 0, 0)
		}
		if n := m.deaths.Load(); n < 6 || n > 12 { // as chance spreads what is tried again
			r.Errorf("%d processes died", n)
		}
		if n := r.model.count("item 59"); n > 6 {
			r.Errorf("a neighbour was run %d times", n)
		}
	})
}

// TestCrashingJobIsPoison: a job of nothing else is a dead letter with the reason. A replay begins anew.
func TestCrashingJobIsPoison(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("killer")).ID
		m := mortals(r, jobs.Limits{Crashes: 4})
		j := r.ends(id, jobs.Failed, 1, 1, 1)
		if p := j.Problem; p == nil || p.Code != "worker_crashed" || !p.Poison || !strings.Contains(p.Detail, "item 0") {
			r.Errorf("problem %+v", p)
		}
		if n := m.deaths.Load(); n != 4 || j.Fence != 5 {
			r.Errorf("%d processes died, fence %d", n, j.Fence)
		}
		if took := j.Finished.Sub(j.Created); took > 4*10*time.Second {
			r.Errorf("given up after %v", took)
		}
		if j, err := r.Retry(r.Context(), nil, id); err != nil || j.Crashes != 0 || j.Done != 0 {
			r.Errorf("retried: %+v, %v", j, err)
		}
		r.ends(id, jobs.Failed, 1, 1, 1)
		if n := m.deaths.Load(); n != 8 {
			r.Errorf("%d processes died", n)
		}
	})
}

// TestSeveralCrashingItems: each is found, be they in one job or in several, and the slow innocent among them is answered.
func TestSeveralCrashingItems(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = 300 * time.Millisecond
		one := r.submit(submission("a", "killer 1", "b", "killer 2", "c")).ID
		two := r.submit(submission("killer 3", "killer 4")).ID
		slow := r.submit(submission(texts(200)...)).ID
		mortals(r, jobs.Limits{Parallel: 2})
		r.ends(one, jobs.Succeeded, 5, 2, 0)
		r.ends(two, jobs.Failed, 2, 2, 1)
		r.ends(slow, jobs.Succeeded, 200, 0, 0)
	})
}

// dead makes workers of a job die n times.
func (r *rig) dead(id string, n int) {
	r.Helper()
	for range n {
		list, err := r.store.Lease(r.Context(), 1, time.Second)
		if err != nil || len(list) != 1 || list[0].ID != id {
			r.Fatalf("leased %v, %v", list, err)
		}
		time.Sleep(time.Second)
	}
}

// TestAlone: a job that has lost two workers runs one item at a time in the process, each written before the next, until those that may be at fault are over.
func TestAlone(t *testing.T) {
	f := &faulty{}
	bubble(t, func(r *rig) {
		id := r.submit(submission(texts(200)...)).ID
		r.dead(id, 2)
		r.model.took = 10 * time.Millisecond
		var items, crowd atomic.Int32
		watched := &watchRun{Runner: r.model, seen: func(text string, running int) {
			n := items.Add(1)
			j, err := f.Store.Get(r.Context(), id)
			switch {
			case err != nil:
				r.Error(err)
			case n <= 64 && (running != 1 || j.Done != int(n)-1 && strings.HasPrefix(text, "item")):
				r.Errorf("item %d: %d at a time, %d are written", n, running, j.Done)
			case n > 64 && running > 1:
				crowd.Add(1)
			}
		}}
		s := jobs.New(jobs.Deps{Store: f, Runner: watched, Decoder: decoder{}, Problem: problem})
		r.run(s.Work)
		r.ends(id, jobs.Succeeded, 200, 0, 0)
		if crowd.Load() < 100 {
			r.Errorf("%d of the others ran side by side", crowd.Load())
		}
	}, over(f))
}

// TestAloneInTheProcess: while an item runs alone, none of another job does, so that only its own job is blamed for a crash.
func TestAloneInTheProcess(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("suspect 1", "suspect 2", "suspect 3")).ID
		r.dead(id, 2)
		other := r.submit(submission(texts(100)...)).ID
		r.model.took = 100 * time.Millisecond
		var suspects atomic.Int32
		watched := &watchRun{Runner: r.model}
		watched.seen = func(text string, running int) {
			if strings.HasPrefix(text, "suspect") {
				suspects.Add(1)
				time.Sleep(time.Second)
				if n := watched.running.Load(); running != 1 || n != 1 {
					r.Errorf("%s: %d and %d at work", text, running, n)
				}
			}
		}
		r.run(jobs.New(jobs.Deps{Store: r.store, Runner: watched, Decoder: decoder{}, Problem: problem}).Work)
		r.ends(id, jobs.Succeeded, 3, 0, 0)
		r.ends(other, jobs.Succeeded, 100, 0, 0)
		if n := suspects.Load(); n != 3 {
			r.Errorf("%d suspects were run", n)
		}
	})
}

// watchRun tells how many run at a time.
type watchRun struct {
	jobs.Runner
	running atomic.Int32
	seen    func(text string, running int)
}

func (w *watchRun) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	n := w.running.Add(1)
	defer w.running.Add(-1)
	w.seen(string(r.Item.Image.Bytes), int(n))
	return w.Runner.Run(ctx, r)
}

// TestOneAloneAtATime: of two jobs that have lost their workers, one is given back, costs nothing and comes later.
func TestOneAloneAtATime(t *testing.T) {
	bubble(t, func(r *rig) {
		var ids []string
		for i := range 2 {
			in := submission(fmt.Sprint("a ", i), fmt.Sprint("b ", i))
			in.Priority = []jobs.Priority{jobs.Realtime, jobs.Batch}[i]
			ids = append(ids, r.submit(in).ID)
		}
		for range 2 {
			if list, err := r.store.Lease(r.Context(), 2, time.Second); err != nil || len(list) != 2 {
				r.Fatal(list, err)
			}
			time.Sleep(time.Second)
		}
		r.model.took = time.Second
		r.work()
		first, second := r.ends(ids[0], jobs.Succeeded, 2, 0, 0), r.ends(ids[1], jobs.Succeeded, 2, 0, 0)
		if r.model.most != 1 || first.Fence+second.Fence != 3+4 {
			r.Errorf("%d at a time; leased %d and %d times", r.model.most, first.Fence, second.Fence)
		}
	})
}

// TestAloneFails: items that end without a result do not hold up those behind them.
func TestAloneFails(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("a", "bad", "b", "c")).ID
		r.dead(id, 2)
		r.model.do = func(_ context.Context, text string, call int) error {
			if text == "a" && call == 1 {
				return context.DeadlineExceeded
			}
			return nil
		}
		r.work()
		r.ends(id, jobs.Succeeded, 4, 1, 1)
	})
}
