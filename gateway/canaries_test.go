package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/fault"
)

// TestABadVersionIsRolledBack: in each of three ways to be bad, within 30 s of 50 requests a second, for good, and with a reason.
func TestABadVersionIsRolledBack(t *testing.T) {
	for name, c := range map[string]struct {
		make func(*canarySite)
		rule string
	}{
		"wrong labels": {func(s *canarySite) { s.differs = 1 }, "disagreement"},
		"10 % errors":  {func(s *canarySite) { s.failing = 0.1 }, "errors"},
		"3 x slower":   {func(s *canarySite) { s.slower = 3 }, "slower"},
	} {
		t.Run(name, func(t *testing.T) {
			var longest time.Duration
			for seed := range uint64(20) {
				synctest.Test(t, func(t *testing.T) {
					store := &keptRecords{values: map[string][]byte{}}
					base := map[string]route.Spec{"r": canarySpec(time.Minute, 20, 100)}
					s := openSite(t, store, base, seed)
					c.make(s)
					began := time.Now()
					e := s.traffic("r", time.Minute)
					took := time.Since(began)
					longest = max(longest, took)
					if e.Canary.State != book.Back || percentOf(e) != 0 || e.Canary.Rule != c.rule || e.Canary.Reason == "" || took > 30*time.Second {
						t.Errorf("seed %d: %+v after %v", seed, e.Canary, took)
					}
					time.Sleep(2 * time.Second) // it is written
					synctest.Wait()
					e, _ = s.book.Entry("r")
					if e.Held || e.By != book.ByCanary || e.Number != 1 {
						t.Errorf("seed %d: not written down: %+v", seed, e.Version)
					}
					moves := s.readings()[0].values
					if len(moves) != 1 || moves[0].value != 1 || fmt.Sprint(moves[0].labels) != "[r back "+c.rule+"]" {
						t.Errorf("%+v", moves)
					}
					if text := s.log.String(); !strings.Contains(text, "a canary has moved") || !strings.Contains(text, "action=route.canary target=r") || !strings.Contains(text, "caller=canary") || !strings.Contains(text, "rule="+c.rule) {
						t.Errorf("the log says %s", text)
					}
					s.end()
					again := openSite(t, store, base, seed)
					if e := again.traffic("r", time.Minute); e.Canary.State != book.Back || percentOf(e) != 0 {
						t.Errorf("seed %d: it begins again by itself: %+v", seed, e.Canary)
					}
					again.end()
				})
			}
			t.Logf("at the latest after %v", longest)
		})
	}
}

// TestAGoodVersionIsPromotedByTheGateway: of 100 seeded runs in bad weather at most one goes back.
func TestAGoodVersionIsPromotedByTheGateway(t *testing.T) {
	back, runs := 0, uint64(100)
	if raceEnabled() { // they take ten times as long
		runs = 15
	}
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) {
			s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": canarySpec(20*time.Second, 5, 25, 50, 100)}, seed)
			defer s.end()
			e := s.traffic("r", 10*time.Minute)
			switch {
			case e.Canary.State == book.Back:
				back++
				t.Logf("seed %d: back: %s", seed, e.Canary.Reason)
			case e.Canary.State != book.Done || percentOf(e) != 100 || e.By != book.ByCanary || !strings.Contains(e.Canary.Reason, "good at 100 %"):
				t.Errorf("seed %d: %+v", seed, e.Canary)
			case e.Number != 4: // three steps up, and the end
				t.Errorf("seed %d: %d moves", seed, e.Number)
			}
		})
	}
	if back > 1 {
		t.Errorf("%d of %d good versions went back", back, runs)
	}
}

// What nobody compares does not go up, unless nobody is to compare it.
func TestACanaryWaitsForComparisons(t *testing.T) {
	for share, want := range map[float64]string{0: book.Done, 0.5: book.Running} {
		synctest.Test(t, func(t *testing.T) {
			spec := canarySpec(5*time.Second, 20, 100)
			spec.Canary.Compare = &share
			s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": spec}, 7)
			defer s.end()
			s.busy = true
			if e := s.traffic("r", time.Minute); e.Canary.State != want {
				t.Errorf("compare %v: %+v", share, e.Canary)
			}
		})
	}
}

// Two gateways see one canary through together: each step is made once, for both, and what one finds bad is bad for both.
func TestTwoGatewaysHaveOneCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &keptRecords{values: map[string][]byte{}}
		base := map[string]route.Spec{"r": canarySpec(10*time.Second, 10, 50, 100)}
		one, two := openSite(t, store, base, 1), openSite(t, store, base, 2)
		defer two.end()
		defer one.end()
		go two.traffic("r", 5*time.Minute)
		e := one.traffic("r", 5*time.Minute)
		time.Sleep(time.Second)
		synctest.Wait()
		other, _ := two.book.Entry("r")
		if e.Canary.State != book.Done || other.Canary.State != book.Done || other.Number != 3 {
			t.Errorf("%+v, %+v at version %d", e.Canary, other.Canary, other.Number)
		}
		made := 0.0
		for _, s := range []*canarySite{one, two} {
			for _, v := range s.readings()[0].values {
				made += v.value
			}
		}
		if made != 3 {
			t.Errorf("%v moves", made)
		}
	})
}

// While the store is away nothing goes up, and what is bad goes back at once all the same; that is written when the store is back.
func TestACanaryGoesBackWithoutItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &keptRecords{values: map[string][]byte{}}
		s := openSite(t, store, map[string]route.Spec{"r": canarySpec(5*time.Second, 20, 100)}, 3)
		defer s.end()
		store.leave(true)
		time.Sleep(time.Second)
		if e := s.traffic("r", 30*time.Second); e.Canary.State != book.Running || e.Canary.Step != 0 {
			t.Errorf("up without the store: %+v", e.Canary)
		}
		s.differs = 1
		e := s.traffic("r", 30*time.Second)
		if e.Canary.State != book.Back || !e.Held || e.Number != 0 {
			t.Errorf("%+v %+v", e, e.Canary)
		}
		store.leave(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if e, _ = s.book.Entry("r"); e.Held || e.Canary.State != book.Back || e.Number != 1 {
			t.Errorf("%+v %+v", e, e.Canary)
		}
	})
}

// A paused canary stays where it is, and its guard watches; one that was resumed goes on.
func TestAPausedCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": canarySpec(5*time.Second, 20, 60, 100)}, 4)
		defer s.end()
		say := func(edit func(book.Canary) (book.Canary, error)) error {
			_, err := s.book.Move(t.Context(), "r", "ops", "x", book.Any, func(now book.Canary, _ string) (book.Canary, error) { return edit(now) })
			return err
		}
		s.traffic("r", 7*time.Second)
		if err := say(paused); err != nil {
			t.Fatal(err)
		}
		if e := s.traffic("r", time.Minute); e.Canary.State != book.Paused || e.Canary.Step != 1 {
			t.Errorf("%+v", e.Canary)
		}
		if v, err := s.view(t.Context(), "r"); err != nil || v.State != book.Paused || v.Step != 2 || v.Steps != 3 || v.Share != 60 || v.Control != "m/1" || v.Answers.Canary.Answers < 1000 || len(v.Evidence) != 3 || len(v.History) != 2 || v.History[1].Action != "canary" {
			t.Errorf("%+v %v", v, err)
		}
		if say(paused) == nil || say(resumed) != nil || say(resumed) == nil {
			t.Error("paused twice, or resumed twice")
		}
		if e := s.traffic("r", time.Minute); e.Canary.State != book.Done {
			t.Errorf("%+v", e.Canary)
		}
		if say(resumed) == nil || say(promoted) == nil {
			t.Error("what has everything was resumed, or promoted")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": canarySpec(5*time.Second, 20, 100)}, 5)
		defer s.end()
		if _, err := s.book.Move(t.Context(), "r", "ops", "pause", book.Any, func(now book.Canary, _ string) (book.Canary, error) { return paused(now) }); err != nil {
			t.Fatal(err)
		}
		s.failing = 0.3
		if e := s.traffic("r", time.Minute); e.Canary.State != book.Back {
			t.Errorf("the guard of a paused canary sleeps: %+v", e.Canary)
		}
		time.Sleep(2 * time.Second)
		s.failing = 0
		if _, err := s.book.Move(t.Context(), "r", "ops", "resume", book.Any, func(now book.Canary, _ string) (book.Canary, error) { return resumed(now) }); err != nil {
			t.Fatal(err)
		}
		if e := s.traffic("r", time.Minute); e.Canary.State != book.Done {
			t.Errorf("resumed, it has what it had before against it: %+v", e.Canary)
		}
	})
}

// What callers do wrong, what they leave, and what rules have decided says nothing of a version.
func TestWhatCountsAgainstACanary(t *testing.T) {
	for kind, want := range map[fault.Kind][2]bool{
		fault.Upstream: {true, true}, fault.Timeout: {true, true}, fault.Contract: {true, true}, fault.Unavailable: {true, true}, fault.Internal: {true, true},
		fault.Invalid: {}, fault.Canceled: {}, fault.RateLimited: {}, fault.Busy: {}, fault.TooLarge: {}, fault.NotFound: {}, fault.Draining: {}, fault.Unsupported: {},
	} {
		if failed, counts := failedItself(fault.New(kind, "x", "x")); failed != want[0] || counts != want[1] {
			t.Errorf("kind %v: %v %v", kind, failed, counts)
		}
	}
	for reason, want := range map[string]bool{"weight": true, "sticky:user": true, "sticky:header:X-User": true, "rule[0]": false, "fallback[1]": false} {
		if weighed(reason) != want {
			t.Errorf("%s", reason)
		}
	}
	for _, c := range []struct {
		name string
		of   route.Target
		want bool
	}{{"m/2", route.Target{Model: "m", Version: "2"}, true}, {"m/2", route.Target{Model: "m"}, true}, {"m/2", route.Target{Model: "m", Version: "1"}, false}, {"mm/2", route.Target{Model: "m"}, false}, {"m", route.Target{Model: "m"}, true}} {
		if named(c.name, c.of) != c.want {
			t.Errorf("%s of %v", c.name, c.of)
		}
	}
}

// Comparisons of others, such as a route's shadow, are not the canary's.
func TestOnlyItsOwnComparisonsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": canarySpec(time.Minute, 50, 100)}, 6)
		defer s.end()
		for _, pair := range []shadow.Pair{{Route: "r", Primary: "m/1", Shadow: "m/2"}, {Route: "r", Primary: "m/2", Shadow: "n/1"}, {Route: "other", Primary: "m/2", Shadow: "m/1"}} {
			s.told(shadow.Event{Pair: pair, Outcome: shadow.Compared})
		}
		own := shadow.Pair{Route: "r", Primary: "m/2", Shadow: "m/1"}
		s.told(shadow.Event{Pair: own, Outcome: shadow.DroppedFull})
		seen := func() string {
			v, _ := s.view(t.Context(), "r")
			return fmt.Sprintf("%+v", *v.Answers)
		}
		if got := seen(); got != "{Canary:{Answers:0 Failures:0} Control:{Answers:0 Failures:0} Compared:{Inputs:0 Otherwise:0}}" {
			t.Error(got)
		}
		s.told(shadow.Event{Pair: own, Outcome: shadow.Compared})
		s.told(shadow.Event{Pair: own, Outcome: shadow.Failed, Err: fault.New(fault.Upstream, "x", "x")})
		s.told(shadow.Event{Pair: own, Outcome: shadow.TimedOut, Err: fault.New(fault.Timeout, "x", "x")})
		if got := seen(); got != "{Canary:{Answers:0 Failures:0} Control:{Answers:3 Failures:2} Compared:{Inputs:1 Otherwise:1}}" {
			t.Error(got)
		}
	})
}

// At the last step nobody but those who are asked for comparisons has the control answer. Their times count without the decoding, as those of the callers do: with it, a version that
// is twice as slow would look good, as long as it takes less than both.
func TestTimesAtTheLastStep(t *testing.T) {
	for slower, want := range map[float64]string{1: book.Done, 2.5: book.Back} {
		synctest.Test(t, func(t *testing.T) {
			s := openSite(t, &keptRecords{values: map[string][]byte{}}, map[string]route.Spec{"r": canarySpec(30*time.Second, 20, 100)}, 8)
			defer s.end()
			if e := s.traffic("r", 31*time.Second); e.Canary.Step != 1 {
				t.Fatalf("%+v", e.Canary)
			}
			s.slower = slower
			if e := s.traffic("r", 2*time.Minute); e.Canary.State != want || want == book.Back && e.Canary.Rule != "slower" {
				t.Errorf("%v times as slow: %+v", slower, e.Canary)
			}
		})
	}
}
