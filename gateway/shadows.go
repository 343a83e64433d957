package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/gateway/telemetry"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
	"triton-gateway/internal/priority"
	"triton-gateway/postprocess"
)

// shadows asks the shadows of routes beside the callers.
type shadows struct {
	*shadow.Runner
	book   *book.Book
	models pipeline.Models
	tracer *telemetry.Tracer // nil: no spans
	inputs string            // see Shadows.Inputs
	log    *slog.Logger

	// also gives a further model that an answer is to be compared with, on the caller's goroutine; told hears the end of every comparison, on any goroutine. Both may be nil, and are set
	// before there are requests.
	also func(r *pipeline.Routed) (t route.Target, ok bool)
	told func(e shadow.Event)

	serial atomic.Int64 // of the routes that seen knows
	mu     sync.Mutex
	seen   map[string]string // by route: its shadow
}

var _ pipeline.Shadows = (*shadows)(nil)

// closing is how long shadows may take to notice that the gateway ends.
const closing = 10 * time.Second

// openShadows makes them. idle says whether there is room for them now.
func (g *Gateway) openShadows(b *book.Book, counts *metrics, idle func() bool) *shadows {
	s := &shadows{book: b, models: g.graphs, tracer: counts.tracer, inputs: g.config.Shadows.Inputs, log: g.log, seen: map[string]string{}}
	o := g.config.Shadows.options()
	o.Idle, o.Observe = idle, s.observe
	s.Runner = shadow.New(o)
	s.serial.Store(-1)
	s.tidy()
	counts.registry.MustRegister(shadowReadings(s.stats))
	g.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			return fmt.Errorf("shadows that were being asked have not ended: %w", err)
		}
		return nil
	})
	return s
}

func (s *shadows) observe(e shadow.Event) {
	if e.Err != nil {
		level := slog.LevelDebug
		if fault.KindOf(e.Err) == fault.Internal {
			level = slog.LevelError
		}
		s.log.Log(context.Background(), level, "a shadow gave no answer", "route", e.Pair.Route, "primary", e.Pair.Primary, "shadow", e.Pair.Shadow, "outcome", e.Outcome, "error", e.Err)
	}
	if s.told != nil {
		s.told(e)
	}
}

// Answered implements pipeline.Shadows.
func (s *shadows) Answered(ctx context.Context, o pipeline.Original) {
	r := o.Routed()
	var more route.Target
	sure := false
	if s.also != nil {
		more, sure = s.also(r)
	}
	if r.Shadow {
		t := r.Plan.Spec.Shadow.Target
		both := sure && t == more
		s.offer(ctx, o, t, both)
		if both {
			return
		}
	}
	if sure {
		s.offer(ctx, o, more, true)
	}
}

// offer has an answer compared with what a target says, if there is room; sure says that some of these are to be compared in any case. Nothing is held of what finds no room.
func (s *shadows) offer(ctx context.Context, o pipeline.Original, t route.Target, sure bool) {
	r := o.Routed()
	version, number := string(t.Version), string(t.Version)
	if m, err := s.models.Lookup(t.Model); err == nil {
		if v, err := m.Resolve(version); err == nil {
			number = v.Number
		}
	}
	if t.Model == r.Model && number == r.Version {
		return // it has answered itself: by the model's policy, or a fallback
	}
	s.tidy()
	var held *pipeline.Held
	pair := shadow.Pair{Route: r.Plan.Name, Primary: variant(r.Model, r.Version), Shadow: variant(t.Model, number)}
	once := func(ctx context.Context) (postprocess.Result, error) { return held.Ask(ctx, t.Model, version) }
	again := func(ctx context.Context) (postprocess.Result, error) {
		return insist(ctx, func(ctx context.Context) (postprocess.Result, error) { return held.Insist(ctx, t.Model, version) })
	}
	s.Offer(beside(ctx), shadow.Offer{
		Pair: pair, Task: o.Task(), Bytes: o.Bytes(), Sure: sure,
		Hold:    func() { held = o.Hold() },
		Primary: func() (postprocess.Result, error) { return held.Answer() },
		Ask:     func(ctx context.Context) (postprocess.Result, error) { return s.ask(ctx, held, pair, t.Model, once) },
		Insist:  func(ctx context.Context) (postprocess.Result, error) { return s.ask(ctx, held, pair, t.Model, again) },
		Alone:   func() time.Duration { return held.Took() },
		Release: func() { held.Release() },
		Item: func(primary, shadow *postprocess.Result) (any, int64) {
			k := keep(held, s.inputs, primary, shadow)
			return k, k.bytes()
		},
	})
}

// variant names a version of a model as X-Route does.
func variant(model, version string) string {
	if version == "" {
		return model
	}
	return model + "/" + version
}

// beside is the context of a shadow: under the caller's trace, and without anything else of the caller, who pays for nothing of it. Wherever it waits, others come first.
func beside(ctx context.Context) context.Context {
	return priority.With(telemetry.Following(ctx), priority.Batch)
}

const (
	againSoon = 50 * time.Millisecond // until who insists comes again
	againLate = time.Second           // at most
)

// insist asks until there is room: at first by the class that ctx has, and once it has been turned away, as callers do who say nothing of theirs.
func insist(ctx context.Context, ask func(context.Context) (postprocess.Result, error)) (postprocess.Result, error) {
	for until := againSoon; ; until = min(2*until, againLate) {
		answer, err := ask(ctx)
		if fault.KindOf(err) != fault.Busy {
			return answer, err
		}
		ctx = priority.With(ctx, priority.Interactive)
		if !pause.For(ctx, until) {
			return answer, err
		}
	}
}

// ask does what asks a pair's shadow for an answer to what is held.
func (s *shadows) ask(ctx context.Context, held *pipeline.Held, pair shadow.Pair, model string, do func(context.Context) (postprocess.Result, error)) (postprocess.Result, error) {
	ctx, span := s.tracer.Start(ctx, "shadow", telemetry.Internal)
	if span.Recording() {
		span.Set(telemetry.String("gateway.route", pair.Route), telemetry.String("gateway.model", model), telemetry.String("gateway.shadow.primary", pair.Primary))
	}
	answer, err := do(ctx)
	span.End(err)
	if kind := fault.KindOf(err); err != nil && (kind == fault.Busy || kind == fault.Timeout && !held.Called()) {
		err = errors.Join(shadow.ErrNoRoom, err)
	}
	return answer, err
}

// tidy forgets what is known of routes that are gone, and of those that have another shadow now.
func (s *shadows) tidy() {
	entries, serial := s.book.Entries()
	if s.serial.Load() == serial {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serial.Load() == serial {
		return
	}
	for name, was := range s.seen {
		e, found := entries[name]
		if !found {
			delete(s.seen, name)
		}
		if !found || shadowOf(e.Plan) != was {
			s.Forget(name)
		}
	}
	for name, e := range entries {
		s.seen[name] = shadowOf(e.Plan)
	}
	s.serial.Store(serial)
}

// shadowOf names a route's shadow; "" where it has none.
func shadowOf(p *route.Plan) string {
	if p.Spec.Shadow == nil {
		return ""
	}
	return p.Spec.Shadow.Target.String()
}

// stats are the figures of the routes that there are.
func (s *shadows) stats() []shadow.Stats {
	s.tidy()
	return s.Stats()
}

// idle reports whether nobody waits for what a shadow would take.
func (r requests) idle(l *Limits) bool {
	if r.decoders.Stats().Waiting > 0 {
		return false
	}
	for _, load := range r.Loads() {
		if load.Calls >= l.ModelItems || load.Bytes >= int64(l.ModelBytes) {
			return false
		}
	}
	return true
}

// shadowReadings are the figures for Prometheus. Of the labels there are as many as operators write routes, and versions of models that they lead to.
func shadowReadings(stats func() []shadow.Stats) readings {
	return func() []reading {
		pair := []string{"route", "primary", "shadow"}
		var ends, unlike, distance, seconds []labelled
		for _, st := range stats() {
			of := []string{st.Pair.Route, st.Pair.Primary, st.Pair.Shadow}
			for _, o := range shadow.Outcomes() {
				ends = append(ends, labelled{float64(st.Outcomes[o]), append(of[:3:3], string(o))})
			}
			unlike = append(unlike, labelled{float64(st.Outcomes[shadow.Compared] - st.Alike), of})
			distance = append(distance, labelled{st.Distance, of})
			seconds = append(seconds, labelled{st.Took.Seconds(), of})
		}
		return []reading{
			{"gateway_shadow_requests_total", "Answers of routes that were to be compared with their shadow's, by outcome: compared, failed, timed_out, or dropped for others' sake; see [shadows](guide/shadows.md).", append(pair[:3:3], "outcome"), true, ends},
			{"gateway_shadow_disagreements_total", "Of those compared, those that were not alike.", pair, true, unlike},
			{"gateway_shadow_distance_total", "Of those compared, the sum of the distances, each 0 to 1.", pair, true, distance},
			{"gateway_shadow_seconds_total", "Of those compared, the time that the shadow took, all of them together.", pair, true, seconds},
		}
	}
}
