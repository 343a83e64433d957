package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// must fails the test unless the state is that.
func must(t *testing.T, r *Rollouts, phase Phase, serving string) State {
	t.Helper()
	s, ok := r.State("m")
	if !ok || s.Phase != phase || s.Serving() != serving {
		t.Fatalf("state %+v, want %s with %q serving", s, phase, serving)
	}
	return s
}

func kind(t *testing.T, err error, k fault.Kind, code string) {
	t.Helper()
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != k || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

// step finds one of a report.
func step(rep Report, replica, name string) *Step {
	for _, r := range rep.Replicas {
		for i := range r.Steps {
			if r.Replica == replica && r.Steps[i].Name == name {
				return &r.Steps[i]
			}
		}
	}
	return nil
}

func TestTwentySwitchesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		stop := p.load(16)
		for i := range 20 {
			from, to := fmt.Sprint(i+1), fmt.Sprint(i+2)
			p.expect("")
			rep, err := r.Switch(t.Context(), plan(t, from, to))
			if err != nil {
				t.Fatal(err)
			}
			p.expect(to)
			must(t, r, Kept, to)
			for at, s := range p.replicas {
				p.mu.Lock()
				warmed := s.warmed[to]
				p.mu.Unlock()
				if warmed != 8 || p.versions(at) != strings.Join(sorted(from, to), "+") || step(rep, s.name, "load") == nil || step(rep, s.name, "warm_up") == nil {
					t.Fatalf("%s has versions %s and was warmed up to batch %d: %+v", s.name, p.versions(at), warmed, rep)
				}
			}
			// Every other one is given the time in which the old version is kept.
			time.Sleep(time.Duration(i%2)*3*time.Second + 300*time.Millisecond)
			if i%2 == 1 {
				must(t, r, Done, to)
			}
		}
		time.Sleep(5 * time.Second)
		must(t, r, Done, "21")
		stop()
		p.verify(t)
		if p.versions(0)+p.versions(1)+p.versions(2) != "212121" || p.calls < 1000 {
			t.Errorf("left: %s %s %s after %d calls", p.versions(0), p.versions(1), p.versions(2), p.calls)
		}
	})
}

func sorted(list ...string) []string { slices.Sort(list); return list }

func TestAPartialFailureLeavesTheOldVersionServing(t *testing.T) {
	for name, c := range map[string]struct {
		step  string
		what  simFault
		wants string // the step that the report names
	}{"load fails": {"serve", fails, "load"}, "load fails late": {"serve", failsAfter, "load"}, "load hangs": {"serve", hangs, "load"}, "never ready": {"ready", fails, "ready"},
		"ready hangs": {"ready", hangs, "ready"}, "warm-up fails": {"infer", fails, "warm_up"}, "warm-up hangs": {"infer", hangs, "warm_up"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool("1")
				p.decide = func(replica, step, versions string) (simFault, time.Duration) {
					if replica == "r1" && step == c.step && strings.Contains(versions, "2") {
						return c.what, time.Millisecond
					}
					return works, time.Millisecond
				}
				r := p.rollouts(t, short())
				stop := p.load(4)
				rep, err := r.Switch(t.Context(), plan(t, "1", "2"))
				kind(t, err, fault.Conflict, "replica_failed")
				if f, _ := errors.AsType[*fault.Error](err); len(f.Fields) != 1 || f.Fields[0].Location != "r1" {
					t.Errorf("fields %+v", f.Fields)
				}
				if s := step(rep, "r1", c.wants); s == nil || s.Error == "" || rep.State.Phase != TakenBack || rep.State.Reason == "" {
					t.Errorf("report %+v", rep)
				}
				must(t, r, TakenBack, "1")
				time.Sleep(time.Second)
				stop()
				p.verify(t)
				if p.versions(0)+p.versions(1)+p.versions(2) != "111" || len(p.flips) != 0 {
					t.Errorf("left: %s %s %s, flips %v", p.versions(0), p.versions(1), p.versions(2), p.flips)
				}
			})
		})
	}
}

func TestRollbackIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		if _, err := r.Rollback(t.Context(), "m"); fault.KindOf(err) != fault.Conflict {
			t.Fatal(err)
		}
		stop := p.load(8)
		p.expect("")
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		p.expect("2")
		time.Sleep(time.Second)
		p.expect("")
		began := time.Now()
		rep, err := r.Rollback(t.Context(), "m")
		if err != nil || time.Since(began) > 50*time.Millisecond || step(rep, "r0", "load") != nil {
			t.Fatalf("it took %v: %+v, %v", time.Since(began), rep, err)
		}
		p.expect("1")
		must(t, r, TakingBack, "1")
		time.Sleep(time.Second)
		must(t, r, TakenBack, "1")
		if _, err := r.Rollback(t.Context(), "m"); fault.KindOf(err) != fault.Conflict {
			t.Fatal(err)
		}
		stop()
		p.verify(t)
		if p.versions(0)+p.versions(1)+p.versions(2) != "111" {
			t.Errorf("left: %s %s %s", p.versions(0), p.versions(1), p.versions(2))
		}
	})
}

func TestTheOldVersionIsUnloadedAfterItsLastCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		go p.call(7 * time.Second)
		synctest.Wait()
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // kept for 2 s, drained for 1 s and again
		if s := must(t, r, Kept, "2"); p.versions(0) != "1+2" || s.Reason == "" {
			t.Fatalf("version 1 is in use; loaded: %s, reason %q", p.versions(0), s.Reason)
		}
		_, err := r.Settle(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		must(t, r, Done, "2")
		p.verify(t)
		if p.versions(0) != "2" {
			t.Errorf("left: %s", p.versions(0))
		}
	})
}

func TestOneSwitchAtATimeAndItsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		p.decide = func(_, step, versions string) (simFault, time.Duration) {
			if step == "serve" && strings.Contains(versions, "+") {
				return works, 500 * time.Millisecond
			}
			return works, time.Millisecond
		}
		r := p.rollouts(t, short())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := r.Switch(ctx, plan(t, "1", "2")); ended <- err }()
		time.Sleep(100 * time.Millisecond)
		must(t, r, Loading, "1")
		_, err := r.Switch(t.Context(), plan(t, "1", "3"))
		kind(t, err, fault.Conflict, "conflict")
		_, err = r.Rollback(t.Context(), "m")
		kind(t, err, fault.Conflict, "conflict")
		cancel()
		kind(t, <-ended, fault.Canceled, "client_closed")
		must(t, r, TakenBack, "1")
		if _, err = r.Switch(t.Context(), plan(t, "2", "3")); fault.KindOf(err) != fault.Conflict {
			t.Fatal(err)
		}
		// A gateway that shuts down in the middle takes back too.
		go func() { _, err := r.Switch(t.Context(), plan(t, "1", "2")); ended <- err }()
		time.Sleep(100 * time.Millisecond)
		go r.Close()
		kind(t, <-ended, fault.Canceled, "client_closed")
		r.Close()
		must(t, r, TakenBack, "1")
		_, err = r.Switch(t.Context(), plan(t, "1", "2"))
		kind(t, err, fault.Draining, "shutting_down")
		p.verify(t)
		if p.versions(0)+p.versions(1)+p.versions(2) != "111" {
			t.Errorf("left: %s %s %s", p.versions(0), p.versions(1), p.versions(2))
		}
	})
}

func TestSwitchRefusesWhatIsNone(t *testing.T) {
	r := newPool("1").rollouts(t, Settings{MaxBytes: 8})
	for _, c := range []Plan{{}, {Model: "m"}, {Model: "m", From: "1"}, {Model: "m", From: "1", To: "1"}} {
		if _, err := r.Switch(t.Context(), c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := r.Switch(t.Context(), plan(t, "1", "2")); fault.KindOf(err) != fault.TooLarge {
		t.Error(err)
	}
	if _, err := r.Settle(t.Context(), "m"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	none := New(Deps{Pool: &pool{}, Flipper: &pool{}, Calls: &pool{}}, Settings{})
	defer none.Close()
	if _, err := none.Switch(t.Context(), plan(t, "1", "2")); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
	if list := none.States(); len(list) != 1 || list[0].Phase != TakenBack {
		t.Errorf("states %+v", list)
	}
}

func TestAReportIsReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPool("1").rollouts(t, short())
		rep, err := r.Switch(t.Context(), plan(t, "1", "2"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(rep)
		if err != nil || !strings.Contains(string(text), `"phase":"kept"`) || !strings.Contains(string(text), `{"replica":"r0","steps":[{"step":"load","took_ns":1000000},{"step":"ready",`) {
			t.Errorf("%s, %v", text, err)
		}
	})
}

// A server that says itself that the call was cancelled has failed; only those that were given up because of it are not named.
func TestAReplicasOwnCancellationIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		one, err := r.begin(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		defer one.done()
		for _, hasty := range []bool{true, false} {
			err = one.everywhere(t.Context(), p.Taking(), "it fails", hasty, func(ctx context.Context, rep Replica) error {
				if rep.Name() == "r1" {
					return fmt.Errorf("the server: %w", context.Canceled)
				}
				pause.For(ctx, time.Second)
				return ctx.Err()
			})
			kind(t, err, fault.Conflict, "replica_failed")
			if f, _ := errors.AsType[*fault.Error](err); len(f.Fields) != 1 || f.Fields[0].Location != "r1" || f.Detail != "it fails" {
				t.Errorf("%+v", f)
			}
		}
	})
}
