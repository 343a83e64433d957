package gateway

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
)

const (
	// lookEvery is how often the store is looked at; followWithin is by when every gateway that reaches it has seen a flip.
	lookEvery    = 250 * time.Millisecond
	followWithin = time.Second
	storeWithin  = 2 * time.Second // one change of the store
)

// switches are the switches of all models: package rollout with the parts of this gateway, and the store by which gateways agree.
type switches struct {
	rollouts *rollout.Rollouts
	store    switchStore
	catalog  *catalog.Catalog
	client   *triton.Client // nil: the embedded engine runs the models
	engine   enginePool     // where client is nil
	config   Rollout
	kept     string // where the store is; see keptInRedis
	self     string // this gateway, among those that share the store
	log      *slog.Logger
	counts   *switchCounts
	warm     warmed

	life context.Context // ends with close
	end  context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	records map[string]switchRecord // as last seen in the store
	raw     string
	pending map[string]rollout.State // to be written
	poke    chan struct{}
	reports map[string]rollout.Report // of the last call on this gateway
	busy    map[string]bool           // models with a call under way here
	away    bool                      // the store did not answer the last time
}

// openSwitches takes up what the store says of switches, and goes on with it.
func (g *Gateway) openSwitches(ctx context.Context, inner backend.Backend, counts *switchCounts) *switches {
	store, kept := g.records(switchFile)
	s := &switches{store: switchStore{store}, catalog: g.catalog, config: g.config.Rollout, kept: kept, self: rand.Text()[:12], log: g.log, counts: counts,
		records: map[string]switchRecord{}, pending: map[string]rollout.State{}, poke: make(chan struct{}, 1), reports: map[string]rollout.Report{}, busy: map[string]bool{}}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	calls := &switchCalls{catalog: g.catalog, shared: s.kept == keptInRedis, grace: g.config.Limits.Timeout, flipped: s.flipped}
	deps := rollout.Deps{Flipper: s, Calls: calls, Changed: s.changed}
	if client, ok := inner.(*triton.Client); ok {
		s.client, deps.Pool = client, tritonPool{client}
	} else {
		s.engine = enginePool{inner}
		deps.Pool = s.engine
	}
	s.rollouts = rollout.New(deps, s.config.settings())
	s.look(s.life)
	if s.client != nil {
		s.client.OnReturn(s.returned)
	}
	s.work.Go(s.follow)
	s.work.Go(s.write)
	return s
}

// close ends what is under way; another gateway, or the next run of this one, goes on.
func (s *switches) close() error {
	s.rollouts.Close()
	s.end()
	s.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
	defer cancel()
	s.flush(ctx)
	for _, model := range slices.Sorted(maps.Keys(s.seen())) {
		_, _ = s.store.change(ctx, model, func(r *switchRecord) error {
			if r.Owner == s.self {
				r.Owner, r.Beat = "", time.Time{}
			}
			return nil
		})
	}
	return nil
}

// seen are the records as the last look has found them. The map is not changed.
func (s *switches) seen() map[string]switchRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

func (s *switches) flipped(model string) time.Time { return s.seen()[model].Flipped }

// note keeps a record that was just written.
func (s *switches) note(model string, r switchRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.records)
	if next[model] = r; r.Pin == "" {
		delete(next, model)
	}
	s.records = next
}

// Flip implements rollout.Flipper: all gateways are told by the store, and this one serves the version when it returns.
func (s *switches) Flip(ctx context.Context, model, version string) error {
	if err := awaitReady(ctx, s.catalog, model, version); err != nil {
		return err
	}
	state, _ := s.rollouts.State(model)
	r, err := s.store.change(ctx, model, func(r *switchRecord) error {
		if r.Owner != s.self {
			return fault.New(fault.Conflict, "conflict", "another gateway has taken the switch of model %q over", model)
		}
		r.Pin, r.Free, r.Flipped, r.State, r.Beat = version, false, time.Now(), state, time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	s.note(model, r)
	s.catalog.Pin(model, version)
	return nil
}

// changed is told of every new state; it is called under the lock of package rollout.
func (s *switches) changed(state rollout.State) {
	s.mu.Lock()
	s.pending[state.Model] = state
	s.mu.Unlock()
	s.counts.phase(state)
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// configOf makes the warm-up calls of a model; nil where there are to be none.
func (s *switches) configOf(model string) *modelconfig.Config {
	if s.config.WarmUp == 0 {
		return nil
	}
	m, err := s.catalog.Lookup(model)
	if err != nil {
		return nil
	}
	return m.Config
}
