package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/audit"
	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/records"
)

// keptRecords is a store that several gateways share, and that the test takes away.
type keptRecords struct {
	mu     sync.Mutex
	values map[string][]byte
	away   bool
}

func (k *keptRecords) Load(_ context.Context, key string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away {
		return nil, fault.New(fault.Unavailable, "route_store_unavailable", "away")
	}
	return bytes.Clone(k.values[key]), nil
}

func (k *keptRecords) Swap(_ context.Context, key string, old, value []byte) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.away:
		return false, fault.New(fault.Unavailable, "route_store_unavailable", "away")
	case !bytes.Equal(k.values[key], old):
		return false, nil
	}
	k.values[key] = bytes.Clone(value)
	return true, nil
}

func (k *keptRecords) leave(away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = away
}

// canarySite is one gateway's canaries, with traffic in counted time.
type canarySite struct {
	*testing.T
	*canaries
	log    *bytes.Buffer
	random *rand.Rand

	slower, failing, differs float64 // of the new one: times as slow, share of failures and of other answers
	until                    time.Duration
	weather, trouble         float64 // of both: times as slow, share of failures
	busy                     bool    // there is no room for comparisons
}

// openSite opens a gateway's canaries; it is to be closed before the bubble ends.
func openSite(t *testing.T, store records.Store, base map[string]route.Spec, seed uint64) *canarySite {
	t.Helper()
	s := &canarySite{T: t, log: &bytes.Buffer{}, random: rand.New(rand.NewPCG(seed, 9)), slower: 1, differs: 0.02}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	b, err := book.New(t.Context(), book.Options{Base: base, Records: store, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open("", log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.canaries = openCanaries(b, auditor{l}, log)
	s.chance = s.random.Float64 // the same seed, the same run
	return s
}

func (s *canarySite) end() {
	s.Helper()
	if err := s.close(); err != nil {
		s.Error(err)
	}
	if err := s.book.Close(); err != nil {
		s.Error(err)
	}
}

// canarySpec has version 2 of m as the new one.
func canarySpec(every time.Duration, steps ...float64) route.Spec {
	s := route.Spec{Candidates: []route.Candidate{{Target: route.Target{Model: "m", Version: "1"}, Weight: 100}, {Target: route.Target{Model: "m", Version: "2"}}}}
	s.Canary = &route.Canary{Target: s.Candidates[1].Target, Spec: canary.Spec{Steps: steps, Every: canary.Duration(every), Samples: 20}}
	return s
}

// traffic is 50 requests a second for so long, or until the canary's state is not running. Every few seconds the machine is slow for both, or fails some of both.
func (s *canarySite) traffic(name string, d time.Duration) book.Entry {
	began := time.Now()
	for time.Since(began) < d {
		time.Sleep(time.Duration(s.random.ExpFloat64() * float64(20*time.Millisecond)))
		for s.now() >= s.until {
			s.until += time.Duration(s.random.ExpFloat64() * float64(1500*time.Millisecond))
			s.weather, s.trouble = 1, 0.002
			switch s.random.IntN(6) {
			case 0:
				s.weather = 1 + 4*s.random.Float64()
			case 1:
				s.trouble = 0.2 * s.random.Float64()
			}
		}
		s.request(name)
		if e, _ := s.book.Entry(name); e.Canary == nil || e.Canary.State != book.Running && e.Canary.State != book.Paused {
			return e
		}
	}
	e, _ := s.book.Entry(name)
	return e
}

// took is how long a model takes that is good, in the present weather.
func (s *canarySite) took() time.Duration {
	return time.Duration(20 * s.weather * (0.7 + 0.6*s.random.Float64()*s.random.Float64()) * float64(time.Millisecond))
}

func (s *canarySite) request(name string) {
	plan, ok := s.book.Plan(name)
	if !ok {
		s.Fatalf("no route %s", name)
	}
	choice := plan.Choose(&route.Asker{Chance: s.random.Uint64()}, nil)
	took, failing := s.took(), s.trouble
	if choice.Target.Version == "2" {
		took, failing = time.Duration(float64(took)*s.slower), failing+s.failing
	}
	r := &pipeline.Routed{Plan: plan, Choice: choice, Version: string(choice.Target.Version)}
	var err error
	if s.random.Float64() < failing {
		err = fault.New(fault.Upstream, "upstream_error", "no")
	}
	routing{s.book, nil, s.canaries}.Answered(r, took, err)
	if t, ok := s.also(r); ok && err == nil && !s.busy {
		e := shadow.Event{Pair: shadow.Pair{Route: name, Primary: targetName(r.Target), Shadow: targetName(t)}, Outcome: shadow.Compared, Took: 90 * time.Millisecond, Alone: s.took()}
		e.Comparison.Alike = s.random.Float64() >= s.differs
		if s.random.Float64() < s.trouble {
			e.Outcome, e.Err = shadow.Failed, fault.New(fault.Upstream, "upstream_error", "no")
		}
		s.told(e)
	}
}

func percentOf(e book.Entry) float64 { return e.Canary.Percent(&e.Plan.Spec) }
