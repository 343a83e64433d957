package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/pause"
	"triton-gateway/modelconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errSim = errors.New("simulated failure")

// simFault is what becomes of one step of the simulated pool.
type simFault uint8

const (
	works      simFault = iota
	fails               // without effect
	failsAfter          // the effect is there all the same
	hangs               // until the caller's deadline, without effect
	hangsAfter          // until then, with the effect
)

// pool is three replicas, a route and the calls on them; every change checks what must always hold.
type pool struct {
	mu       sync.Mutex
	replicas []*sim
	serving  string
	sure     string // the version that every call that begins now has to get; "" while that may change
	running  map[string]int
	wrong    []string
	calls    int
	next     int
	flips    []string
	// decide says what becomes of a step: serve, ready, infer or flip, with the versions or version; nil stands for works.
	decide func(replica, step, versions string) (simFault, time.Duration)
}

// from sets decide from now on.
func (p *pool) from(decide func(replica, step, versions string) (simFault, time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

type sim struct {
	p      *pool
	name   string
	loaded map[string]bool
	warmed map[string]int64 // the largest batch
	taking bool
	life   int // counts restarts
}

func newPool(version string) *pool {
	p := &pool{serving: version, sure: version, running: map[string]int{}}
	for i := range 3 {
		p.replicas = append(p.replicas, &sim{p: p, name: fmt.Sprint("r", i), loaded: map[string]bool{version: true}, warmed: map[string]int64{}, taking: true})
	}
	return p
}

// check holds mu.
func (p *pool) check(when string) {
	for _, s := range p.replicas {
		if s.taking && !s.loaded[p.serving] {
			p.wrong = append(p.wrong, fmt.Sprintf("%s: %s takes traffic without version %s, which serves", when, s.name, p.serving))
		}
	}
}

func (p *pool) Taking() (list []Replica) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.replicas {
		if s.taking {
			list = append(list, s)
		}
	}
	return list
}

func (p *pool) Running(_, version string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[version]
}

// act does a step with its fault. The effect comes after the step's time, if the caller still waits then.
func (p *pool) act(ctx context.Context, replica, step, versions string, effect func() error) error {
	what, takes := works, time.Millisecond
	p.mu.Lock()
	if p.decide != nil {
		what, takes = p.decide(replica, step, versions)
	}
	p.mu.Unlock()
	if !pause.For(ctx, takes) {
		return ctx.Err()
	}
	var err error
	if what != fails && what != hangs {
		p.mu.Lock()
		err = effect()
		p.check(replica + " " + step + " " + versions)
		p.mu.Unlock()
	}
	switch what {
	case fails, failsAfter:
		return errSim
	case hangs, hangsAfter:
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (p *pool) Flip(ctx context.Context, _, version string) error {
	return p.act(ctx, "", "flip", version, func() error {
		p.serving = version
		p.flips = append(p.flips, version)
		return nil
	})
}

func (s *sim) Name() string { return s.name }

func (s *sim) Serve(ctx context.Context, _ string, versions []string) error {
	return s.p.act(ctx, s.name, "serve", strings.Join(versions, "+"), func() error {
		for v := range s.loaded {
			if !slices.Contains(versions, v) {
				if n := s.p.running[v]; n > 0 && s.taking {
					s.p.wrong = append(s.p.wrong, fmt.Sprintf("%s unloads version %s, which %d calls use", s.name, v, n))
				}
				delete(s.loaded, v)
			}
		}
		for _, v := range versions {
			s.loaded[v] = true
		}
		return nil
	})
}

func (s *sim) Ready(ctx context.Context, _, version string) error {
	return s.p.act(ctx, s.name, "ready", version, func() error {
		if !s.loaded[version] {
			return errSim
		}
		return nil
	})
}

func (s *sim) Infer(ctx context.Context, r *backend.Request) error {
	return s.p.act(ctx, s.name, "infer", r.Version, func() error {
		if !s.loaded[r.Version] {
			return errSim
		}
		s.warmed[r.Version] = max(s.warmed[r.Version], r.Inputs[0].Shape[0])
		return nil
	})
}

// restart ends a replica; it comes back with the version that its repository says, and takes no traffic until it is let in. The last one stays.
func (p *pool) restart(at int, version string) *sim {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, others := p.replicas[at], 0
	for _, o := range p.replicas {
		if o.taking && o != s {
			others++
		}
	}
	if others == 0 {
		return nil
	}
	s.taking, s.loaded, s.warmed = false, map[string]bool{version: true}, map[string]int64{}
	s.life++
	return s
}

// admit lets the replica in, unless it has died again since.
func (s *sim) admit(life int) func() {
	return func() {
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		s.taking = s.taking || s.life == life
		s.p.check("admit " + s.name)
	}
}

// call is one request: it picks version and replica, takes its time, and is repeated where the replica died meanwhile.
func (p *pool) call(takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	version, sure := p.serving, p.sure
	p.calls++
	p.running[version]++
	defer func() { p.running[version]-- }()
	if sure != "" && version != sure {
		p.wrong = append(p.wrong, fmt.Sprintf("a call got version %s, though %s serves", version, sure))
	}
	for {
		var s *sim
		for s == nil || !s.taking {
			s = p.replicas[p.next%len(p.replicas)]
			p.next++
		}
		life := s.life
		p.mu.Unlock()
		time.Sleep(takes)
		p.mu.Lock()
		if s.life == life {
			if !s.loaded[version] {
				p.wrong = append(p.wrong, fmt.Sprintf("a call of version %s failed on %s", version, s.name))
			}
			return
		}
	}
}

// load calls until the function it gives is called.
func (p *pool) load(workers int) (stop func()) {
	ended := make(chan struct{})
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for {
				select {
				case <-ended:
					return
				default:
					p.call(time.Duration(1+random.IntN(60)) * time.Millisecond)
				}
			}
		})
	}
	return func() { close(ended); wait.Wait() }
}

func (p *pool) expect(version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sure = version
}

// versions are what a replica has loaded, sorted.
func (p *pool) versions(at int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for v := range p.replicas[at].loaded {
		list = append(list, v)
	}
	slices.Sort(list)
	return strings.Join(list, "+")
}

func (p *pool) verify(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.wrong {
		if i == 5 {
			t.Errorf("and %d more", len(p.wrong)-5)
			break
		}
		t.Error(w)
	}
}

func (p *pool) rollouts(t *testing.T, s Settings) *Rollouts {
	t.Helper()
	r := New(Deps{Pool: p, Flipper: p, Calls: p}, s)
	t.Cleanup(r.Close)
	return r
}

// short are settings whose steps end soon.
func short() Settings {
	return Settings{Load: time.Second, Ready: 200 * time.Millisecond, Warm: 500 * time.Millisecond, Flip: 200 * time.Millisecond, Drain: time.Second,
		Unload: 500 * time.Millisecond, Keep: 2 * time.Second, Again: 300 * time.Millisecond, Poll: 10 * time.Millisecond}
}

func config(t testing.TB, text string) *modelconfig.Config {
	t.Helper()
	c, err := modelconfig.Parse("m", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const small = `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [-1, 4] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`

func plan(t testing.TB, from, to string) Plan {
	return Plan{Model: "m", From: from, To: to, Config: config(t, small)}
}
