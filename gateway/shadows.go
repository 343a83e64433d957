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
	var first route.Target
	if r.Shadow {
		first = r.Plan.Spec.Shadow.Target
		s.offer(ctx, o, first)
	}
	if s.also == nil {
		return
	}
	if t, ok := s.also(r); ok && !(r.Shadow && t == first) {
		s.offer(ctx, o, t)
	}
}

// offer has an answer compared with what a target says, if there is room.
func (s *shadows) offer(ctx context.Context, o pipeline.Original, t route.Target) {
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
	held := o.Hold()
	pair := shadow.Pair{Route: r.Plan.Name, Primary: variant(r.Model, r.Version), Shadow: variant(t.Model, number)}
	s.Offer(beside(ctx), shadow.Offer{
		Pair: pair, Task: held.Task(), Bytes: held.Bytes(), Primary: held.Answer, Release: held.Release,
		Ask: func(ctx context.Context) (postprocess.Result, error) { return s.ask(ctx, held, pair, t.Model, version) },
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

func (s *shadows) ask(ctx context.Context, held *pipeline.Held, pair shadow.Pair, model, version string) (postprocess.Result, error) {
	ctx, span := s.tracer.Start(ctx, "shadow", telemetry.Internal)
	if span.Recording() {
		span.Set(telemetry.String("gateway.route", pair.Route), telemetry.String("gateway.model", model), telemetry.String("gateway.shadow.primary", pair.Primary))
	}
	answer, err := held.Ask(ctx, model, version)
	span.End(err)
	if err != nil && fault.KindOf(err) == fault.Busy {
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
