package rollout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// TestWhatServesIsReadyEverywhere runs seeded schedules of failures, hangs and restarts under load: see pool.check and pool.call for what must hold at every moment.
func TestWhatServesIsReadyEverywhere(t *testing.T) {
	ends := map[Phase]int{}
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) { schedule(t, seed, ends) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, phase := range []Phase{Kept, TakenBack, TakingBack, Flipping} {
		if ends[phase] < 10 {
			t.Errorf("only %d switches ended %s: %v", ends[phase], phase, ends)
		}
	}
}

func schedule(t *testing.T, seed uint64, ends map[Phase]int) {
	p := newPool("1")
	random, faults := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 3))
	bad := []float64{0, 0.02, 0.1, 0.3}[random.IntN(4)]
	p.decide = func(_, step, _ string) (simFault, time.Duration) { // under mu
		takes := time.Duration(faults.IntN(20)) * time.Millisecond
		if step == "serve" {
			takes *= 10
		}
		rate := bad
		if step == "flip" {
			rate *= 3
		}
		if faults.Float64() >= rate {
			return works, takes
		}
		return simFault(1 + faults.IntN(4)), takes
	}
	r := p.rollouts(t, short())
	stop := p.load(3)
	chaos, calm := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { restarts(chaos, p, r, rand.New(rand.NewPCG(seed, 2))) })
	serving := "1"
	for i := range 4 {
		to := fmt.Sprint(i + 2)
		p.expect("")
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if random.IntN(6) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(600))*time.Millisecond)
		}
		_, err := r.Switch(ctx, plan(t, serving, to))
		cancel()
		s, _ := r.State("m")
		ends[s.Phase]++
		if err == nil && random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
			_, _ = r.Rollback(t.Context(), "m")
		}
		for s, _ = r.State("m"); s.Phase == Flipping; s, _ = r.State("m") {
			_, _ = r.Resume(t.Context(), s, config(t, small), Way(random.IntN(2)))
		}
		serving = s.Serving()
		p.expect(serving)
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	calm()
	wait.Wait()
	p.from(nil)
	time.Sleep(10 * time.Second)
	stop()
	p.verify(t)
	for i := range p.replicas {
		if !catchUp(t.Context(), p, r, p.replicas[i]) || p.versions(i) != serving {
			t.Errorf("in the end replica %d has %s, want %s", i, p.versions(i), serving)
		}
	}
	r.Close()
}

// restarts kills replicas and brings them back.
func restarts(ctx context.Context, p *pool, r *Rollouts, random *rand.Rand) {
	var back sync.WaitGroup
	for pause.For(ctx, time.Duration(random.IntN(800))*time.Millisecond) {
		if s := p.restart(random.IntN(3), fmt.Sprint(1+random.IntN(5))); s != nil {
			rest := time.Duration(1+random.IntN(100)) * time.Millisecond
			back.Go(func() {
				for pause.For(ctx, rest) && !catchUp(ctx, p, r, s) {
				}
			})
		}
	}
	back.Wait()
}

func catchUp(ctx context.Context, p *pool, r *Rollouts, s *sim) bool {
	p.mu.Lock()
	life := s.life
	p.mu.Unlock()
	return r.CatchUp(ctx, s, s.admit(life)) == nil
}

func TestAReplicaComesBackInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		p.decide = func(replica, step, _ string) (simFault, time.Duration) {
			if replica == "r0" && step == "serve" {
				return works, 900 * time.Millisecond
			}
			return works, 10 * time.Millisecond
		}
		r := p.rollouts(t, short())
		ended := make(chan error)
		go func() { _, err := r.Switch(t.Context(), plan(t, "1", "2")); ended <- err }()
		time.Sleep(500 * time.Millisecond) // r2 is prepared, r0 still loads
		s := p.restart(2, "1")
		if !catchUp(t.Context(), p, r, s) || p.versions(2) != "1+2" || s.warmed["2"] != 8 {
			t.Fatalf("r2 has come back with %s, warm %v", p.versions(2), s.warmed)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		p.verify(t)
		// One that comes back with the old version alone gets the one that serves; one that cannot stays out.
		s = p.restart(1, "1")
		p.from(func(_, step, _ string) (simFault, time.Duration) {
			if step == "infer" {
				return fails, time.Millisecond
			}
			return works, time.Millisecond
		})
		kind(t, r.CatchUp(t.Context(), s, func() { t.Error("let in") }), fault.Conflict, "replica_failed")
		p.from(nil)
		if !catchUp(t.Context(), p, r, s) || p.versions(1) != "1+2" || s.warmed["2"] != 8 {
			t.Fatalf("r1 has come back with %s, warm %v", p.versions(1), s.warmed)
		}
		p.verify(t)
	})
}

func TestAReplicaComesBackThoughTheNextVersionIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		p.decide = func(replica, step, versions string) (simFault, time.Duration) {
			if step == "serve" && versions == "1+2" {
				return hangs, time.Millisecond
			}
			return works, time.Millisecond
		}
		set := short()
		set.Load = 10 * time.Second
		r := p.rollouts(t, set)
		s := p.restart(2, "7")
		go func() { _, _ = r.Switch(t.Context(), plan(t, "1", "2")) }()
		time.Sleep(time.Second)
		p.from(func(_, _, versions string) (simFault, time.Duration) {
			if versions == "1+2" {
				return fails, time.Millisecond
			}
			return works, time.Millisecond
		})
		if !catchUp(t.Context(), p, r, s) || p.versions(2) != "1" {
			t.Fatalf("r2 has come back with %s", p.versions(2))
		}
		must(t, r, Loading, "1")
		time.Sleep(12 * time.Second)
		must(t, r, TakenBack, "1")
		p.verify(t)
	})
}
