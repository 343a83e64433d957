package triton

import (
	"context"
	"log/slog"
	"time"
)

const (
	// storeTimeout bounds one operation of the store, and storePause is how long a store that failed is left alone: a
	// hung Redis must not slow the looks down, on which the two seconds depend.
	storeTimeout = 150 * time.Millisecond
	storePause   = time.Second
	// swapTries bounds how often a look is taken anew because another gateway wrote meanwhile.
	swapTries = 4
	// suspicion is how long the other gateways have to tell of calls of theirs.
	suspicion = 450 * time.Millisecond
	// silence is how long a gateway may be quiet before its share is taken over as final.
	silence = 10 * time.Second
)

// epochs is what the looks of all endpoints share.
type epochs struct {
	store EpochStore
	self  string // this gateway, among those that share the store
	log   *slog.Logger
	now   func() time.Time
}

func newEpochs(d Deps) *epochs {
	e := &epochs{store: d.Epochs, self: randomEpoch()[:16], log: d.Log, now: d.Now}
	if e.now == nil {
		e.now = time.Now
	}
	if e.store == nil {
		e.store = NewMemoryEpochs()
	}
	return e
}

// watcher is what this process remembers of one endpoint between looks. busy is held during a look.
type watcher struct {
	busy     chan struct{}
	versions map[modelVersion]*version
	book     book      // the last one, used where the store fails
	storeOff time.Time // do not ask the store before this
	heard    map[string]heard
	turn     int // looks so far
}

// version is what this process remembers of one model version.
type version struct {
	joined  bool   // there was a look, and the fields below belong to it
	record  record // as it was written then
	shared  bool   // it was written to the store, not only here
	looked  time.Time
	dials   uint64 // the endpoint's connections before that look
	settled tally  // own calls that Triton had counted by then
	// least is the count of own calls that may have begun before the epoch did; most is the tally up to which they had been counted by then.
	least   uint64
	most    tally
	config  string // digest of the config; "" where it has to be asked for
	loads   uint64 // see Load
	suspect *doubt
}

// doubt is a growth that no known call explains, yet.
type doubt struct {
	count uint64 // successes counted then
	tick  uint64 // shares written later than this know of it
	until time.Time
}

// heard says when another gateway's share last changed, by this gateway's clock.
type heard struct {
	tick uint64
	at   time.Time
}

func newWatcher() *watcher {
	return &watcher{busy: make(chan struct{}, 1), versions: map[modelVersion]*version{}, book: readBook(nil), heard: map[string]heard{}}
}

// load gives the shared book and the bytes of its shelves, or the local book where there is no store to ask.
func (e *epochs) load(ctx context.Context, w *watcher, key string) (b book, old [shelves][]byte, shared bool) {
	if !w.storeOff.IsZero() && e.now().Before(w.storeOff) {
		return w.book.clone(), old, false
	}
	b = readBook(nil)
	for i := range old {
		value, err := e.loadShelf(ctx, shelfKey(key, i))
		if err != nil {
			e.storeFailed(w, err)
			return w.book.clone(), old, false
		}
		old[i] = value
		b.add(readBook(value))
	}
	return b, old, true
}

func (e *epochs) loadShelf(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return e.store.Load(ctx, key)
}

// swap reports whether the book was written and no other gateway has written meanwhile. Where the store fails it counts as written, to
// this process alone.
func (e *epochs) swap(ctx context.Context, w *watcher, key string, old [shelves][]byte, b *book) bool {
	done := true
	for i, shelf := range b.split() {
		if len(shelf.Records) == 0 && old[i] == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		swapped, err := e.store.Swap(ctx, shelfKey(key, i), old[i], shelf.bytes())
		cancel()
		if err != nil {
			e.storeFailed(w, err)
			return true
		}
		done = done && swapped
	}
	return done
}

func (e *epochs) storeFailed(w *watcher, err error) {
	if w.storeOff.IsZero() {
		e.log.Warn("epochs of models are kept in this process alone: their store fails", "error", err)
	}
	w.storeOff = e.now().Add(storePause)
}

// storeOk ends the silence about a failing store.
func (w *watcher) storeOk(shared bool, since time.Time) {
	if shared && w.storeOff.Before(since) {
		w.storeOff = time.Time{}
	}
}

// settle finds the record that continues for a version which was observed ready, and gives it as it is to be written. v is changed with it.
// before and after are the tallies of own calls around the look; before holds only what Triton has counted for certain.
func (e *epochs) settle(w *watcher, b *book, key modelVersion, v *version, o *observation, before, after tally) record {
	now := e.now()
	r, found := e.known(b, key, v)
	what, why := renew, "it is new"
	if found {
		e.time(v, &r, o, now)
		e.join(v, &r, after)
		o.own = v.share(before, after)
		o.own.At = r.Shares[e.self].At
		what, why = judge(&r, o, e.self)
		what = e.ponder(v, &r, o, b.Tick, what, now)
	}
	if what == renew {
		if found {
			e.log.Info("a model counts as loaded anew", "model", key.model, "version", key.version, "because", why)
		}
		if found && surely(&r, o, e.self) || !found && w.turn > 0 {
			v.loads++
		}
		r = r.fresh(o, now)
		v.begin(before, after)
		o.own = share{}
	}
	if o.config != "" {
		r.Config, v.config = o.config, o.config
	}
	if o.load != "" {
		r.Load = o.load
	}
	r.Seen, r.At, r.Doubt = o.counters, now.UnixMilli(), v.suspect != nil
	if r.Shares == nil {
		r.Shares = map[string]share{}
	}
	o.own.Tick = b.Tick
	r.Shares[e.self] = o.own
	e.retire(w, &r, now)
	if !r.Doubt {
		r.tell(o.counters[successCount])
	}
	v.joined, v.record, v.settled, v.looked = true, r.clone(), before, now
	return r
}

// known gives the record to hold the observation against: the book's, or this process's own where that one is later. The book is
// behind after a time without the store, or where the store was rolled back.
func (e *epochs) known(b *book, key modelVersion, v *version) (record, bool) {
	r, found := b.Records[key.key()]
	r = r.clone()
	switch {
	case !v.joined:
		return r, found
	case !found, r.Epoch != v.record.Epoch && r.Number < v.record.Number:
		return v.record.clone(), true
	case r.Epoch == v.record.Epoch:
		r.Gone = r.Gone || v.record.Gone
		for i := range r.Seen {
			r.Seen[i] = max(r.Seen[i], v.record.Seen[i])
		}
	}
	return r, true
}

// time fills in how long nobody has looked. By this gateway's own clock, if the record was certainly written or seen at its last look or
// later; else by the clock of whoever wrote it, and a clock that is far off counts as a long time.
func (e *epochs) time(v *version, r *record, o *observation, now time.Time) {
	apart := time.Duration(now.UnixMilli()-r.At) * time.Millisecond
	o.since = max(apart, -apart)
	if v.joined && (v.shared || v.record.Epoch == r.Epoch) {
		o.since = min(o.since, now.Sub(v.looked))
	}
}

// join makes the counts of own calls relative to the record's epoch, where another gateway has begun it, or an earlier run of
// this one: that was after this process's last look, so calls settled by then were in the Base.
func (e *epochs) join(v *version, r *record, after tally) {
	if v.joined && v.record.Epoch == r.Epoch && r.has(e.self) {
		return
	}
	v.begin(v.settled, after)
}

// begin starts the count of own calls for another epoch.
func (v *version) begin(most, after tally) {
	v.suspect = nil
	v.most, v.least = most, after.succeeded+after.running()
	v.config = ""
}

// share is what own calls have added to Triton's count since the epoch began.
func (v *version) share(before, after tally) share {
	var s share
	if before.succeeded > v.least {
		s.Least = before.succeeded - v.least
	}
	if before.succeeded > v.most.succeeded {
		s.Sure = before.succeeded - v.most.succeeded
	}
	if gone := v.most.succeeded + v.most.unknown + after.refused; after.started > gone {
		s.Most = after.started - gone
	}
	return s
}

// ponder gives other gateways time to explain a growth. What they have told since, or their silence, decides.
func (e *epochs) ponder(v *version, r *record, o *observation, tick uint64, what verdict, now time.Time) verdict {
	if what != suspect {
		v.suspect = nil
		return what
	}
	_, open := r.sum(e.self)
	if v.suspect != nil && v.suspect.count-r.Base <= r.Told+open+o.own.open() {
		v.suspect = nil // that much is explained by now; whether there is more is the next look's business
		return keep
	}
	if v.suspect == nil {
		v.suspect = &doubt{count: o.counters[successCount], tick: tick, until: now.Add(suspicion)}
		return keep
	}
	for id, s := range r.Shares {
		if id != e.self && s.Tick <= v.suspect.tick && now.Before(v.suspect.until) {
			return keep
		}
	}
	return renew
}

// retire takes over the shares of gateways that have gone.
func (e *epochs) retire(w *watcher, r *record, now time.Time) {
	for id, s := range r.Shares {
		if id == e.self {
			continue
		}
		h, known := w.heard[id]
		if !known || s.Tick > h.tick {
			w.heard[id] = heard{s.Tick, now}
			continue
		}
		if now.Sub(h.at) > silence {
			r.Left.Least += s.Least
			r.Left.Most += s.Most
			r.Left.Sure += s.Most // by now all are counted, or never will be
			r.Left.At += min(s.At, s.Most)
			delete(r.Shares, id)
		}
	}
}

// forget drops what is known of gateways that have long gone.
func (w *watcher) forget(now time.Time) {
	for id, h := range w.heard {
		if now.Sub(h.at) > 6*silence {
			delete(w.heard, id)
		}
	}
}

// copyFor gives a version to work on while a look may still have to be taken anew.
func (w *watcher) copyFor(key modelVersion) *version {
	v, found := w.versions[key]
	if !found {
		return new(version)
	}
	out := *v
	out.record = v.record.clone()
	return &out
}
