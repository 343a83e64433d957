package shadow

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// A shadow that hangs is asked ever more seldom, and as before as soon as it answers; others are not made to wait for it.
func TestAShadowThatIsAlwaysLateIsLeftAlone(t *testing.T) {
	bubble(t, Options{Parallel: 4, Waiting: -1, Timeout: time.Second}, func(r *rig) {
		other := Pair{Route: "r", Primary: "a", Shadow: "c"}
		asked := 0
		hang := func(ctx context.Context) (postprocess.Result, error) { asked++; return hangs(ctx) }
		for range 3 {
			r.offer(hang)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if asked != 3 || r.offer(hang) {
			t.Fatalf("asked %d times, and once more", asked)
		}
		if !r.offer(gives(100), func(o *Offer) { o.Pair = other }) {
			t.Error("another shadow has to rest for it")
		}
		synctest.Wait()
		// Tries at 1, 2, 4, 8, 8 ... seconds after each lateness, which comes a second after the try.
		began, at := time.Now(), []time.Duration{}
		for range 400 {
			if r.offer(hang) {
				at = append(at, time.Since(began))
			}
			time.Sleep(time.Second / 10)
		}
		want := []time.Duration{1, 4, 9, 18, 27, 36}
		if len(at) != len(want) {
			t.Fatalf("tried at %v", at)
		}
		for i := range want {
			if d := at[i] - want[i]*time.Second; d < 0 || d > time.Second/2 {
				t.Errorf("tried at %v", at)
			}
		}
		time.Sleep(10 * time.Second)
		if !r.offer(gives(100)) {
			t.Fatal("its time is over")
		}
		synctest.Wait()
		if !r.offer(gives(100)) || !r.offer(gives(100)) {
			t.Error("it has answered")
		}
		synctest.Wait()
		stats := r.Stats()
		got := maps.Clone(stats[0].Outcomes)
		if got[TimedOut] != 9 || got[Compared] != 3 || got[DroppedLate] != 395 || len(got) != 3 || stats[1].Pair != other || stats[1].Outcomes[Compared] != 1 {
			t.Errorf("%v %+v", got, stats[1])
		}
		if stats[0].Failure == nil || stats[0].FailedAt.IsZero() || stats[1].Failure != nil {
			t.Errorf("%v", stats[0].Failure)
		}
	})
}

// A shadow that is away is left alone too, and those who wait for it are dropped; it is tried once each Timeout, and not ever more seldom.
func TestAShadowThatIsAwayIsLeftAlone(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: 20, Timeout: time.Second}, func(r *rig) {
		asked := 0
		away := func(context.Context) (postprocess.Result, error) {
			asked++
			time.Sleep(time.Millisecond)
			return postprocess.Result{}, fault.New(fault.Unavailable, "backend_unavailable", "nobody there")
		}
		for range 20 {
			if !r.offer(away) {
				t.Fatal("there was room")
			}
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := r.Stats()[0].Outcomes; asked != 3 || got[Failed] != 3 || got[DroppedLate] != 17 {
			t.Fatalf("asked %d times: %v", asked, got)
		}
		for range 100 { // ten seconds
			r.offer(away)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if asked < 3+8 || asked > 3+10 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(time.Second)
		for range 3 {
			if !r.offer(gives(100)) {
				t.Error("it is back")
			}
			synctest.Wait()
		}
	})
}

// A try that does not come to its model is no answer, and there is another one.
func TestATryThatIsDropped(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: -1, Timeout: time.Second}, func(r *rig) {
		late := func() {
			r.offer(hangs)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		late()
		late()
		r.offer(func(context.Context) (postprocess.Result, error) { return postprocess.Result{}, errors.New("no") })
		synctest.Wait()
		late() // the first in a row again
		late()
		late()
		if r.offer(gives(100)) {
			t.Error("three in a row")
		}
		time.Sleep(time.Second)
		if !r.offer(func(context.Context) (postprocess.Result, error) { return postprocess.Result{}, ErrNoRoom }) {
			t.Error("its time is over")
		}
		synctest.Wait()
		if r.offer(gives(100)) {
			t.Error("nobody has heard of it")
		}
		time.Sleep(2 * time.Second)
		if !r.offer(gives(100)) {
			t.Error("it is not tried again")
		}
	})
}
