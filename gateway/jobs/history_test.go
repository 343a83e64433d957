package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/internal/fault"
)

// process is a gateway with workers that may be cut off from the store, and end.
type process struct {
	*jobs.Service
	way    *faulty
	cancel context.CancelFunc
}

// TestHistories: processes crash, are cut off and come back, answers of the store are lost, callers cancel. Every job that was accepted ends, each item
// has one right result that never changes, and nothing of this uses an attempt up.
func TestHistories(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(r *rig) { history(r, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func history(r *rig, random *rand.Rand) {
	var (
		store = memory.New(nil)
		all   sync.WaitGroup
		live  []*process
	)
	r.model.do = func(ctx context.Context, text string, _ int) error {
		select {
		case <-time.After(time.Duration(len(text)*37%11) * 200 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return fault.Ended(ctx.Err(), "in the model")
		}
	}
	start := func() *process {
		p := &process{way: &faulty{Store: store}}
		p.way.lose.Store(int64(random.IntN(3) * 40))
		p.Service = jobs.New(jobs.Deps{Store: p.way, Runner: r.model, Decoder: decoder{}, Problem: problem, Limits: jobs.Limits{Workers: 3, Parallel: 4}})
		ctx, cancel := context.WithCancel(context.Background())
		p.cancel = cancel
		all.Go(func() { p.Work(ctx) })
		return p
	}
	for range 3 {
		live = append(live, start())
	}
	accepted, canceled := map[string]int{}, map[string]bool{}
	for step := range 60 {
		at := random.IntN(len(live))
		switch p := live[at]; random.IntN(6) {
		case 0: // it dies: what it does from now on reaches nobody
			p.way.cut.Store(true)
			p.cancel()
			live[at] = start()
		case 1: // it is cut off for a while; where it dies meanwhile, it writes on as a ghost
			p.way.cut.Store(true)
			time.AfterFunc(time.Duration(random.IntN(25))*time.Second, func() { p.way.cut.Store(false) })
		case 2: // it is shut down
			p.cancel()
			live[at] = start()
		case 3:
			for id := range accepted {
				if _, err := p.Cancel(r.Context(), nil, id); err == nil || fault.KindOf(err) == fault.Unavailable {
					canceled[id] = true
				}
				break
			}
		default:
			in := submission(texts(1 + random.IntN(30))...)
			in.Key = fmt.Sprint("key ", step)
			in.Priority = []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}[random.IntN(3)]
			for { // as a caller does: the same again until it is accepted
				j, _, err := live[random.IntN(len(live))].Submit(r.Context(), in)
				if err == nil {
					accepted[j.ID] = j.Total
					break
				}
				if fault.KindOf(err) != fault.Unavailable {
					r.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
	}
	seen := map[string][]jobs.Result{}
	for id, total := range accepted {
		judge(r, store, id, total, canceled[id], seen)
	}
	if n := len(accepted); n < 5 {
		r.Errorf("only %d jobs", n)
	}
	if list, _, err := store.List(r.Context(), jobs.Filter{Limit: 1000}); err != nil || len(list) != len(accepted) {
		r.Errorf("%d jobs are in the store, %d were accepted: %v", len(list), len(accepted), err)
	}
	for _, p := range live {
		p.cancel()
	}
	all.Wait()
	for id, total := range accepted {
		judge(r, store, id, total, canceled[id], seen)
	}
}

// judge checks one job's end. seen is what was visible before, by job.
func judge(r *rig, store jobs.Store, id string, total int, canceled bool, seen map[string][]jobs.Result) {
	watch := jobs.New(jobs.Deps{Store: store})
	j, err := watch.Wait(r.Context(), nil, id, time.Hour)
	if err != nil {
		r.Fatal(err)
	}
	if j.State != jobs.Succeeded && (!canceled || j.State != jobs.Canceled) || j.Attempt != 0 || j.Problem != nil {
		r.Fatalf("job of %d items is %s with %d done, attempt %d, %+v; cancelled: %v", total, j.State, j.Done, j.Attempt, j.Problem, canceled)
	}
	list, err := store.Results(r.Context(), id, 0, 1000)
	if err != nil || len(list) != j.Done || j.State == jobs.Succeeded && len(list) != total {
		r.Fatalf("%d results of %d, %v", len(list), total, err)
	}
	has := map[int]bool{}
	for i, res := range list {
		text := fmt.Sprint("item ", res.Index)
		fresh, cached := fmt.Sprintf(`{"model":"shapes","text":%q,"from_cache":false}`, text), fmt.Sprintf(`{"model":"shapes","text":%q,"from_cache":true}`, text)
		if has[res.Index] || res.Bad || string(res.Body) != fresh && string(res.Body) != cached {
			r.Fatalf("result %d: %+v", i, res)
		}
		has[res.Index] = true
		if i < len(seen[id]) && (seen[id][i].Index != res.Index || string(seen[id][i].Body) != string(res.Body)) {
			r.Fatalf("result %d has changed", i)
		}
	}
	seen[id] = list
}
