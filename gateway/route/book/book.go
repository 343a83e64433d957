// Package book keeps the routes of a gateway: those of its settings, and those that operators have put in their place, in a store that all gateways look at. It exists so that
// traffic can be moved without a restart, on every gateway within a second, and back again.
package book

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/records"
)

// Options are what a Book is made of. Records is needed.
type Options struct {
	Base    map[string]route.Spec // the routes of the settings, checked by route.Compile
	Records records.Store
	Taken   func(name string) bool // whether a model has that name, which then is not a route's; nil: none has
	Every   time.Duration          // between two looks at the store; 0 is 250 ms
	Log     *slog.Logger           // nil is slog.Default()
	Now     func() time.Time       // nil is time.Now
}

const (
	defaultEvery = 250 * time.Millisecond
	lookTimeout  = 2 * time.Second
	// wholeEvery is how many looks there are between two that read everything, whether or not the store says that something has changed: somebody may have died between
	// a change and saying so.
	wholeEvery = 20
)

// Entry is a route in force.
type Entry struct {
	Plan    *route.Plan
	Version      // Number 0: the one of the settings. Its Canary is how far the canary in force is, whichever version says so; nil where there is none
	Base    bool // the settings have a route of that name
	Held    bool // the canary has been withdrawn, and nobody has written that yet
}

// Book is safe for concurrent use.
type Book struct {
	o      Options
	base   map[string]*route.Plan
	now    atomic.Pointer[map[string]Entry]
	serial atomic.Int64 // grows with every publish
	cancel context.CancelFunc
	done   sync.WaitGroup

	publishing sync.Mutex        // held to change now; never across a look
	held       map[string]Canary // by route: what Withdraw has taken back, and nobody has written yet

	mu      sync.Mutex // held by a look
	seen    contents   // what the last look found
	raw     map[string][]byte
	rawSeen []byte // the contents as they are stored
	looks   int
	known   bool        // a look has found out what is stored
	away    atomic.Bool // the store did not answer the last time
}

// New makes a book, looks once, and goes on looking until Close. That the store does not answer is no error: the settings' routes are in force until it does. The error
// is that of route.Compile for a route of the settings.
func New(ctx context.Context, o Options) (*Book, error) {
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Book{o: o, base: map[string]*route.Plan{}, raw: map[string][]byte{}, held: map[string]Canary{}}
	for name, spec := range o.Base {
		plan, err := route.Compile(name, spec, nil)
		if err != nil {
			return nil, err
		}
		b.base[name] = plan
	}
	b.publish(nil)
	_ = b.Look(ctx) // it is logged
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.done.Go(func() { b.loop(ctx) })
	return b, nil
}

func (b *Book) loop(ctx context.Context) {
	tick := time.NewTicker(b.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = b.Look(ctx) // it is logged
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the looking. The routes stay readable.
func (b *Book) Close() error {
	b.cancel()
	b.done.Wait()
	return nil
}

// Away reports whether the store did not answer the last time that it was looked at.
func (b *Book) Away() bool { return b.away.Load() }

// Plan gives the route of a name; ok is false where there is none, and where a model has that name. It neither locks nor allocates.
func (b *Book) Plan(name string) (plan *route.Plan, ok bool) {
	entries := *b.now.Load()
	if len(entries) == 0 {
		return nil, false
	}
	e, ok := entries[name]
	if !ok || b.taken(name) {
		return nil, false
	}
	return e.Plan, true
}

func (b *Book) taken(name string) bool { return b.o.Taken != nil && b.o.Taken(name) }

// Entry gives the route of a name, even where a model has that name and the route is never asked.
func (b *Book) Entry(name string) (e Entry, ok bool) {
	e, ok = (*b.now.Load())[name]
	return e, ok
}

// Entries gives all routes by name. The map must not be changed; it is another one after every change, and serial then another number.
func (b *Book) Entries() (entries map[string]Entry, serial int64) {
	serial = b.serial.Load()
	return *b.now.Load(), serial
}

// publish puts the routes into force that are stored, over those of the settings; nil: what is stored is not known yet. A record that cannot be used leaves its route as it is.
func (b *Book) publish(stored map[string]record) {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	next := map[string]Entry{}
	for name, plan := range b.base {
		next[name] = b.baseEntry(name, plan, stored != nil)
	}
	old := map[string]Entry{}
	if entries := b.now.Load(); entries != nil {
		old = *entries
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		rec := stored[name]
		if len(rec.Versions) == 0 {
			continue
		}
		if e, ok := old[name]; ok && e.Number == rec.Versions[0].Number && e.At.Equal(rec.Versions[0].At) {
			next[name] = e // the same *Plan, so that what others derive from it stays good
			continue
		}
		plan, state, err := b.planOf(name, rec)
		if err != nil {
			b.o.Log.Error("a stored route cannot be used; what was in force stays", "route", name, "version", rec.Versions[0].Number, "error", err)
			if e, ok := old[name]; ok {
				next[name] = e
			}
			continue
		}
		if plan == nil {
			delete(next, name)
			continue
		}
		_, based := b.base[name]
		e := Entry{Plan: plan, Version: rec.Versions[0], Base: based}
		e.Canary = state
		next[name] = e
	}
	for name := range b.held {
		if e, ok := next[name]; ok {
			if was := old[name]; was.Held && was.Number == e.Number && was.At.Equal(e.At) {
				e = was
			}
			next[name] = b.hold(name, e)
		} else {
			delete(b.held, name)
		}
	}
	b.now.Store(&next)
	b.serial.Add(1)
}

// baseEntry is a route of the settings with nothing stored over it.
func (b *Book) baseEntry(name string, plan *route.Plan, known bool) Entry {
	e := Entry{Plan: plan, Base: true}
	if e.Canary = stateOf(&plan.Spec, record{}); e.Canary == nil || known {
		return e
	}
	e.Canary.State = Unknown
	if without, err := route.CompileAt(name, plan.Spec, nil, 0); err == nil { // it was compiled before
		e.Plan = without
	}
	return e
}

// planOf is the plan that a record puts into force, and how far its canary is; nil where there is none.
func (b *Book) planOf(name string, rec record) (*route.Plan, *Canary, error) {
	base := b.base[name]
	if len(rec.Versions) == 0 {
		if base == nil {
			return nil, nil, nil
		}
		return base, stateOf(&base.Spec, rec), nil
	}
	v := rec.Versions[0]
	spec := v.Spec
	switch {
	case spec != nil:
	case base == nil:
		return nil, nil, nil
	default:
		spec = &base.Spec
	}
	state := stateOf(spec, rec)
	plan, err := route.Restore(name, *spec, v.Shares, state.Percent(spec))
	return plan, state, err
}
