package triton

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/tritonpb"
)

// lookTimeout bounds one look at one endpoint: a hung server must not keep the others from being seen.
const lookTimeout = 1500 * time.Millisecond

// sight is one version of a model on one endpoint.
type sight struct {
	modelVersion
	state  backend.State
	reason string
	epoch  string // "" where it is not ready
}

// look asks an endpoint what it has loaded, and which loads those are. Looks at one endpoint come one after the other.
func (c *Client) look(ctx context.Context, e *endpoint) ([]sight, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	select {
	case e.watch.busy <- struct{}{}:
		defer func() { <-e.watch.busy }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	broken := false
	for try := 1; ; try++ {
		if !e.reconnect(ctx, c.reconnect) {
			return nil, status.Error(codes.Unavailable, "connection refused or timed out")
		}
		sights, done, err := c.lookOnce(ctx, e)
		if status.Code(err) == codes.Unavailable && !broken {
			broken = true // it broke since the last look; on a new connection it may be all right
			continue
		}
		if err != nil || done || try >= swapTries {
			return sights, err
		}
	}
}

// lookOnce loads the book, then looks, then writes the book if nobody else has meanwhile: so what a record says was always seen before what this look sees, whichever
// gateway saw it. done is false where somebody has, and what was found holds for this process alone.
func (c *Client) lookOnce(ctx context.Context, e *endpoint) (sights []sight, done bool, err error) {
	w, key := e.watch, bookKey(e.address)
	b, old, shared := c.epochs.load(ctx, w, key)
	now := c.epochs.now()
	before := e.calls.settled(now)
	dials := e.dials.Load()
	seen, err := e.observe(ctx)
	if err != nil {
		return nil, false, err
	}
	lost := e.dials.Load()
	b.Tick++
	drafts := make(map[modelVersion]*version, len(seen.index))
	for _, m := range seen.index {
		s := sightOf(m)
		stats, counted := seen.stats[s.modelVersion]
		if s.state == backend.Ready && !counted && seen.stats != nil {
			s.state, s.reason = backend.Loading, "it is just being loaded or unloaded"
		}
		v := w.copyFor(s.modelVersion)
		switch {
		case s.state != backend.Ready:
		case seen.stats == nil: // a server without statistics: nothing tells its loads apart
			s.epoch = randomEpoch()
		default:
			o := observation{counters: stats, load: seen.loads[s.modelVersion], lost: v.joined && v.dials != lost}
			c.askConfig(ctx, e, s.modelVersion, v, &o, b.Records[s.key()].Config)
			r := c.epochs.settle(w, &b, s.modelVersion, v, &o, before[s.modelVersion], e.calls.of(s.model, s.version).read())
			v.dials = dials
			b.Records[s.key()] = r
			s.epoch = r.Epoch
			drafts[s.modelVersion] = v
		}
		sights = append(sights, s)
	}
	markGone(&b, w, drafts, now)
	if shared {
		done = c.epochs.swap(ctx, w, key, old, &b)
	}
	for _, v := range drafts {
		v.shared = shared && done && w.storeOff.Before(now)
	}
	if !shared || done {
		w.storeOk(shared, now)
	}
	w.book, w.turn = b, w.turn+1
	for id, v := range drafts {
		w.versions[id] = v
	}
	w.forget(now)
	e.publish(sights)
	return sights, done || !shared, nil
}

// publish lets others read what the look has found, without waiting for the next one.
func (e *endpoint) publish(sights []sight) {
	seen := make(map[modelVersion]bool, len(sights))
	for _, s := range sights {
		if s.state == backend.Ready {
			seen[s.modelVersion] = true
			seen[modelVersion{model: s.model}] = true
		}
	}
	reloads := make(map[modelVersion]uint64, len(seen))
	for _, s := range sights {
		if v := e.watch.versions[s.modelVersion]; s.state == backend.Ready && v != nil {
			reloads[s.modelVersion] = v.loads
		}
	}
	epochs := make(map[modelVersion]string, len(e.watch.versions))
	for id, v := range e.watch.versions {
		epochs[id] = v.record.Epoch
	}
	e.reloads.Store(&reloads)
	e.seen.Store(&seen)
	e.epochs.Store(&epochs)
}

// markGone notes in the book and in memory which versions are not ready now.
func markGone(b *book, w *watcher, ready map[modelVersion]*version, now time.Time) {
	for id, v := range w.versions {
		if ready[id] == nil {
			v.record.Gone = true
		}
	}
	keys := make(map[string]bool, len(ready))
	for id := range ready {
		keys[id.key()] = true
	}
	b.markGone(keys, now)
}

// askConfig fetches the digest of a config where it is unknown, and of one more version in each look in turn: a config that has changed means a
// load that has changed.
func (c *Client) askConfig(ctx context.Context, e *endpoint, id modelVersion, v *version, o *observation, recorded string) {
	if v.config != "" && !e.watch.isTurn(id) {
		return
	}
	answer, err := e.service.ModelConfig(e.outgoing(ctx), &tritonpb.ModelConfigRequest{Name: id.model, Version: id.version})
	if err != nil {
		return // the next look asks again
	}
	if config := answer.GetConfig(); config != nil {
		config.VersionPolicy = nil // which versions are loaded beside this one changes nothing of its answers
	}
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(answer.GetConfig())
	if err != nil {
		return
	}
	sum := sha256.Sum256(wire)
	o.config = hex.EncodeToString(sum[:8])
	switch {
	case v.config != "":
		o.reconfigured = v.config != o.config
	case !v.joined:
		o.reconfigured = recorded != "" && recorded != o.config
	}
}

// isTurn goes round the versions.
func (w *watcher) isTurn(id modelVersion) bool {
	if len(w.versions) == 0 {
		return false
	}
	keys := make([]string, 0, len(w.versions))
	for v := range w.versions {
		keys = append(keys, v.key())
	}
	slices.Sort(keys)
	return keys[w.turn%len(keys)] == id.key()
}

// seen is what one endpoint answered. stats is nil where the server has none to give.
type seen struct {
	index []*tritonpb.RepositoryIndexResponse_ModelIndex
	stats map[modelVersion]counters
	loads map[modelVersion]string
}

func (e *endpoint) observe(ctx context.Context) (*seen, error) {
	ctx = e.outgoing(ctx)
	index, err := e.service.RepositoryIndex(ctx, &tritonpb.RepositoryIndexRequest{})
	if err != nil {
		return nil, err
	}
	out := &seen{index: index.GetModels()}
	out.loads = e.loads(ctx)
	stats, err := e.service.ModelStatistics(ctx, &tritonpb.ModelStatisticsRequest{})
	if status.Code(err) == codes.Unimplemented {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.stats = make(map[modelVersion]counters, len(stats.GetModelStats()))
	for _, s := range stats.GetModelStats() {
		out.stats[modelVersion{s.GetName(), s.GetVersion()}] = countersOf(s)
	}
	return out, nil
}

func sightOf(m *tritonpb.RepositoryIndexResponse_ModelIndex) sight {
	s := sight{modelVersion: modelVersion{m.GetName(), m.GetVersion()}, state: backend.State(m.GetState()), reason: m.GetReason()}
	switch s.state {
	case backend.Ready:
		s.reason = ""
	case backend.Loading, backend.Unloading, backend.Unavailable:
	case "":
		s.state = backend.Unavailable
		if s.reason == "" {
			s.reason = "not loaded"
		}
	default:
		s.state, s.reason = backend.Unavailable, "state "+string(s.state)
	}
	return s
}
