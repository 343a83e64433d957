package shadow

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

func sure(o *Offer) { o.Sure = true }

func ofRoute(name string) func(*Offer) { return func(o *Offer) { o.Pair.Route = name } }

// All places are taken and nobody is idle: what a route has for sure is run all the same, two a second and one at a time, and the rest is dropped first.
func TestWhatARouteHasForSure(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: -1, HeldBytes: 10, Timeout: time.Hour, Idle: func() bool { return false }}, func(r *rig) {
		r.running = 1 // the only place
		var mu sync.Mutex
		insisted, at, most := 0, 0, 0
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			at += n
			insisted += max(n, 0)
			most = max(most, at)
		}
		ask := func(o *Offer) {
			o.Bytes = 1 << 40
			o.Ask = func(context.Context) (postprocess.Result, error) {
				t.Error("asked as all others")
				return hangs(t.Context())
			}
			o.Insist = func(context.Context) (postprocess.Result, error) {
				count(1)
				time.Sleep(100 * time.Millisecond)
				count(-1)
				return *regressed(100), nil
			}
		}
		for range 1000 { // 50 a second, of each route and of each kind
			for _, route := range []string{"a", "b"} {
				r.offer(nil, ofRoute(route), ask)
				r.offer(nil, ofRoute(route), ask, sure)
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if insisted < 2*40 || insisted > 2*43 || most != 2 {
			t.Errorf("%d were asked in 20 s of two routes, %d at a time", insisted, most)
		}
		for _, s := range r.Stats() {
			if got := s.Outcomes; int(got[Compared])*2 != insisted || got[DroppedFull]+got[Compared] != 2000 {
				t.Errorf("%s: %v", s.Pair.Route, got)
			}
		}
		r.running = 0
	})
}

// What has a place for sure ends like all others: whatever it does, the next one finds the place.
func TestAPlaceForSureIsGivenBack(t *testing.T) {
	bubble(t, Options{Sure: 1, Idle: func() bool { return false }}, func(r *rig) {
		for name, ask := range map[string]func(context.Context) (postprocess.Result, error){
			"panic": func(context.Context) (postprocess.Result, error) { panic("x") }, "goexit": func(context.Context) (postprocess.Result, error) { runtime.Goexit(); return hangs(t.Context()) },
			"error": func(context.Context) (postprocess.Result, error) { return postprocess.Result{}, errors.New("no") },
		} {
			if !r.offer(ask, sure) {
				t.Fatalf("%s: not taken", name)
			}
			if e := r.last(); e.Outcome != Failed {
				t.Errorf("%s: %+v", name, e)
			}
			time.Sleep(time.Second)
		}
		hung := func(ctx context.Context) (postprocess.Result, error) { return hangs(ctx) }
		r.offer(hung, sure) // Close ends it
		synctest.Wait()
		r.Forget("r") // it runs on, and gives back what nobody knows any more
	})
}

// A control that hangs is left alone, for each call holds a place of its server; so is one for which there was time but no room.
func TestWhoHangsIsLeftAloneForSure(t *testing.T) {
	bubble(t, Options{Timeout: time.Second}, func(r *rig) {
		for range patience {
			r.offer(hangs, sure)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if r.offer(hangs, sure) || r.outcomes()[DroppedLate] != 1 {
			t.Errorf("%v", r.outcomes())
		}
	})
	bubble(t, Options{Timeout: time.Second}, func(r *rig) {
		none := func(ctx context.Context) (postprocess.Result, error) {
			<-ctx.Done()
			return postprocess.Result{}, errors.Join(ErrNoRoom, fault.New(fault.Timeout, "deadline_exceeded", "in line"))
		}
		for range patience + 2 {
			r.offer(none, sure)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{DroppedLoad: patience + 2}) {
			t.Errorf("%v", got)
		}
	})
}

// Nothing is held of what finds no room, and what cannot be held is not asked.
func TestHeldOnlyWhereThereIsRoom(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: 1, HeldBytes: 100, Timeout: time.Second}, func(r *rig) {
		held := 0
		hold := func(o *Offer) {
			o.Bytes = 40
			o.Hold = func() { r.held++; held++ }
		}
		for i, want := range []int{1, 2, 2, 2} {
			if r.offer(hangs, hold) != (i < 2) || held != want {
				t.Errorf("offer %d: %d are held", i, held)
			}
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		boom := func(o *Offer) {
			o.Bytes = 100
			o.Hold = func() { r.held++; panic("x") }
		}
		for range 2 { // it gives its bytes and its place back
			if r.offer(func(context.Context) (postprocess.Result, error) { t.Error("asked"); return hangs(t.Context()) }, boom) {
				t.Error("taken")
			}
			if e := r.last(); e.Outcome != Failed || e.Err == nil {
				t.Errorf("%+v", e)
			}
		}
		r.offer(hangs, hold)
		if r.offer(nil, boom) || r.Runner.held != 40 || len(r.queue) != 0 {
			t.Errorf("%d bytes, %d wait", r.Runner.held, len(r.queue))
		}
	})
}

// What became of an offer has the time of the model beside that of all that was done.
func TestTheTimeOfTheModelAlone(t *testing.T) {
	bubble(t, Options{}, func(r *rig) {
		r.offer(func(context.Context) (postprocess.Result, error) {
			time.Sleep(50 * time.Millisecond)
			return *regressed(100), nil
		},
			func(o *Offer) { o.Alone = func() time.Duration { return 10 * time.Millisecond } })
		time.Sleep(time.Second)
		if e := r.last(); e.Took != 50*time.Millisecond || e.Alone != 10*time.Millisecond {
			t.Errorf("%+v", e)
		}
	})
}
