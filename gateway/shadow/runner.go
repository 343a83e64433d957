package shadow

import (
	"context"
	"errors"
	"sync"
	"time"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// Options bound what shadows may take. 0 means the default.
type Options struct {
	Parallel  int           // runs at the same time; 2
	Waiting   int           // offers that wait for a place; 16. Below 0: none
	HeldBytes int64         // that offers hold, waiting and running, by their own account; 64 MiB
	Timeout   time.Duration // of one run, from its beginning; 10 s
	Keep      int           // worst disagreements of a route; 20. Below 0: none
	KeepBytes int64         // that their items hold, per route; 16 MiB
	Sure      float64       // offers of each route, a second, that are run whatever else there is to do, if they ask for it; see Offer.Sure. 2. Below 0: none
	Idle      func() bool   // is asked before each run; false: there is no room now, the offer is dropped. nil: there always is
	Observe   func(Event)   // is told each offer's end, outside of all locks, where it ended: quick and safe for concurrent use. May be nil
}

// Pair names who is compared with whom. There are to be as many of them as an operator writes, not as callers make up.
type Pair struct {
	Route, Primary, Shadow string
}

// Offer is one answer that a shadow may be compared with.
type Offer struct {
	Pair      Pair
	Task      task.Name
	Tolerance *float64 // greatest Distance that is alike; nil: the task's
	Bytes     int64    // that the offer holds from Hold until Release
	// Sure asks for one of the runs that each route has for sure: one at a time, and Options.Sure a second. Such a run has a place of its own, is not asked whether it is Idle, and its Bytes
	// do not count. Where the route has none left, the offer is one like all others.
	Sure bool
	// Hold takes what the functions below need. It is called before Offer returns, once, and not where the offer is dropped at once. May be nil.
	Hold func()
	// Primary makes the answer that is compared with, where the shadow has given one; it is called at most once.
	Primary func() (postprocess.Result, error)
	// Ask fetches the shadow's answer. It is to end when ctx does: its place is taken, and Close waits, until it returns. Where its error is ErrNoRoom, nobody was asked.
	Ask func(ctx context.Context) (postprocess.Result, error)
	// Insist is Ask for a run that the route has for sure: where Ask gives way, it waits for its turn. nil: Ask.
	Insist func(ctx context.Context) (postprocess.Result, error)
	// Alone says how much of the time the model has taken that was asked, after Ask or Insist; 0 where that is not known. May be nil.
	Alone func() time.Duration
	// Item makes what is kept of a disagreement that is among the worst, and says how many bytes it holds. It is called before Release, at most once. May be nil.
	// The two answers are good until Release, as those who made them have to see to.
	Item func(primary, shadow *postprocess.Result) (item any, bytes int64)
	// Release is called exactly once after Hold, when nothing of the offer is used any more but its item. May be nil.
	Release func()
}

// Outcome is how an offer ended.
type Outcome string

// The outcomes. Those that begin with dropped did not get an answer, nor a failure of the shadow's own.
const (
	Compared      Outcome = "compared"
	Failed        Outcome = "failed"         // the shadow gave an error, or one of the offer's functions panicked
	TimedOut      Outcome = "timed_out"      // the shadow did not answer within Timeout
	DroppedFull   Outcome = "dropped_full"   // all places are taken, those to wait in too
	DroppedBytes  Outcome = "dropped_bytes"  // the other offers hold too many bytes
	DroppedLoad   Outcome = "dropped_load"   // Idle said no, or Ask found no room
	DroppedLate   Outcome = "dropped_late"   // the pair's shadow was late or away several times in a row, and is left alone for a while
	DroppedClosed Outcome = "dropped_closed" // the runner was closed
)

// Outcomes are all of them.
func Outcomes() []Outcome {
	return []Outcome{Compared, Failed, TimedOut, DroppedFull, DroppedBytes, DroppedLoad, DroppedLate, DroppedClosed}
}

// ErrNoRoom is what Ask gives where others need what it would take.
var ErrNoRoom = errors.New("there is no room for a shadow now")

// Event is an offer's end.
type Event struct {
	Pair       Pair
	Outcome    Outcome
	Comparison Comparison    // of Compared
	Took       time.Duration // by the shadow; 0 where it was not asked
	Alone      time.Duration // of it, by the model alone; 0 where that is not known
	Err        error         // of Failed and TimedOut
}

// Runner runs shadows beside the callers. Safe for concurrent use.
type Runner struct {
	options Options
	ended   context.Context // by Close
	end     context.CancelFunc
	gone    chan struct{} // closed when the runner is and nothing runs

	mu      sync.Mutex
	closed  bool
	alive   int // offers that were taken and have not ended
	running int // of those that have one of the places of all
	coming  int // that will wait in queue when they hold what they need
	held    int64
	queue   []*run
	budgets map[string]*budget // by route
	pairs   map[Pair]*Stats
	worst   map[string][]Disagreement // by route, the worst first
	rests   map[Pair]*rest
}

// run is an offer that was taken.
type run struct {
	Offer
	ctx    context.Context // the caller's, without its end
	try    bool            // asked to see whether a shadow that was left alone is back; see rest
	budget *budget         // of its route, whose run it is; nil where it has a place of all
	waits  bool            // there was no place yet
}

// New makes a runner, which has no goroutines as long as nothing runs.
func New(o Options) *Runner {
	or(&o.Parallel, 2)
	or(&o.Waiting, 16)
	or(&o.HeldBytes, 64<<20)
	or(&o.Timeout, 10*time.Second)
	or(&o.Keep, 20)
	or(&o.KeepBytes, 16<<20)
	or(&o.Sure, usualSure)
	o.Parallel = max(o.Parallel, 1)
	r := &Runner{options: o, gone: make(chan struct{}), pairs: map[Pair]*Stats{}, rests: map[Pair]*rest{}, worst: map[string][]Disagreement{}, budgets: map[string]*budget{}}
	r.ended, r.end = context.WithCancel(context.Background())
	return r
}

func or[T comparable](v *T, preset T) {
	var zero T
	if *v == zero {
		*v = preset
	}
}

// Offer hands an answer over to be compared, if there is room, and says whether it was taken. It returns at once: the shadow runs later and elsewhere, with ctx's values but not its end.
func (r *Runner) Offer(ctx context.Context, o Offer) bool {
	o.Bytes = max(o.Bytes, 0)
	w := &run{Offer: o}
	if dropped := r.take(w); dropped != "" {
		r.tell(Event{Pair: o.Pair, Outcome: dropped})
		return false
	}
	w.ctx = context.WithoutCancel(ctx)
	var err error
	if w.Hold != nil {
		err = guard(func() error { w.Hold(); return nil })
	}
	if r.start(w, err == nil) {
		return true
	}
	e := Event{Pair: o.Pair, Outcome: DroppedClosed}
	if err != nil {
		e.Outcome, e.Err = Failed, err
	}
	r.finish(w, e)
	r.leave(w)
	return false
}

// take gives a run a place, or one to wait in, or says why there is none.
func (r *Runner) take(w *run) Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return DroppedClosed
	}
	now := time.Now()
	own := r.budgetOf(w, now)
	switch {
	case own != nil:
	case r.running >= r.options.Parallel && len(r.queue)+r.coming >= r.options.Waiting:
		return DroppedFull
	case w.Bytes > r.options.HeldBytes-r.held:
		return DroppedBytes
	}
	rests, try := r.resting(w.Pair)
	if rests {
		return DroppedLate
	}
	w.try = try
	r.alive++
	switch {
	case own != nil:
		own.take()
		w.budget = own
	case r.running < r.options.Parallel:
		r.running++
		r.held += w.Bytes
	default:
		w.waits = true
		r.coming++
		r.held += w.Bytes
	}
	return ""
}

// start runs what was taken, or has it wait; false where it is not good, or the runner was closed while it waited: whoever calls ends it.
func (r *Runner) start(w *run, good bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.waits {
		r.coming--
		w.waits = r.running >= r.options.Parallel
		if !w.waits {
			r.running++
		} else if good && !r.closed {
			r.queue = append(r.queue, w)
			return true
		}
	}
	if !good || w.waits {
		return false
	}
	go r.work(w)
	return true
}

// leave gives a run's place to the next one.
func (r *Runner) leave(w *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.over()
	if w.budget != nil {
		w.budget.runs = false
		return
	}
	r.held -= w.Bytes
	if w.waits {
		return // it never had one
	}
	if len(r.queue) > 0 {
		next := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		next.waits = false
		go r.work(next)
		return
	}
	r.running--
}

// over notes that an offer has ended. It needs mu.
func (r *Runner) over() {
	if r.alive--; r.closed && r.alive == 0 {
		close(r.gone)
	}
}

// Close takes no further offers, drops those that wait, ends the contexts of those that run and waits until they have returned and everything is released. It gives ctx's error where
// that ends first; they go on then. It may be called again, to wait again.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	first, waiting := !r.closed, r.queue
	r.queue, r.closed = nil, true
	if first {
		r.alive++ // it is waited for like a run, by other calls of Close too
	}
	r.mu.Unlock()
	r.end()
	for _, w := range waiting {
		r.finish(w, Event{Pair: w.Pair, Outcome: DroppedClosed})
		r.leave(w)
	}
	if first {
		r.mu.Lock()
		r.over()
		r.mu.Unlock()
	}
	select {
	case <-r.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
