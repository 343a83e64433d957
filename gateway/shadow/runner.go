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
	Bytes     int64    // that the offer holds until Release
	// Primary makes the answer that is compared with, where the shadow has given one; it is called at most once.
	Primary func() (postprocess.Result, error)
	// Ask fetches the shadow's answer. It is to end when ctx does: its place is taken, and Close waits, until it returns. Where its error is ErrNoRoom, nobody was asked.
	Ask func(ctx context.Context) (postprocess.Result, error)
	// Item makes what is kept of a disagreement that is among the worst, and says how many bytes it holds. It is called before Release, at most once. May be nil.
	// The two answers are good until Release, as those who made them have to see to.
	Item func(primary, shadow *postprocess.Result) (item any, bytes int64)
	// Release is called exactly once, when nothing of the offer is used any more but its item: before Offer returns if the offer was dropped at once. May be nil.
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
	running int
	held    int64
	queue   []*run
	pairs   map[Pair]*Stats
	worst   map[string][]Disagreement // by route, the worst first
	rests   map[Pair]*rest
}

// run is an offer that was taken.
type run struct {
	Offer
	ctx context.Context // the caller's, without its end
	try bool            // asked to see whether a shadow that was left alone is back; see rest
}

// New makes a runner, which has no goroutines as long as nothing runs.
func New(o Options) *Runner {
	or(&o.Parallel, 2)
	or(&o.Waiting, 16)
	or(&o.HeldBytes, 64<<20)
	or(&o.Timeout, 10*time.Second)
	or(&o.Keep, 20)
	or(&o.KeepBytes, 16<<20)
	o.Parallel = max(o.Parallel, 1)
	r := &Runner{options: o, gone: make(chan struct{}), pairs: map[Pair]*Stats{}, rests: map[Pair]*rest{}, worst: map[string][]Disagreement{}}
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
	w := &run{Offer: o, ctx: context.WithoutCancel(ctx)}
	w.Bytes = max(w.Bytes, 0)
	dropped := r.take(w)
	if dropped == "" {
		return true
	}
	r.finish(w, Event{Pair: o.Pair, Outcome: dropped})
	return false
}

// take gives a run a place, or says why there is none.
func (r *Runner) take(w *run) Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return DroppedClosed
	case r.running >= r.options.Parallel && len(r.queue) >= r.options.Waiting:
		return DroppedFull
	case w.Bytes > r.options.HeldBytes-r.held:
		return DroppedBytes
	}
	rests, try := r.resting(w.Pair)
	if rests {
		return DroppedLate
	}
	w.try = try
	r.held += w.Bytes
	if r.running < r.options.Parallel {
		r.running++
		go r.work(w)
	} else {
		r.queue = append(r.queue, w)
	}
	return ""
}

// leave gives a run's place to the next one.
func (r *Runner) leave(w *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= w.Bytes
	if len(r.queue) > 0 {
		next := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		go r.work(next)
		return
	}
	r.running--
	if r.closed && r.running == 0 {
		close(r.gone)
	}
}

// Close takes no further offers, drops those that wait, ends the contexts of those that run and waits until they have returned and everything is released. It gives ctx's error where
// that ends first; they go on then. It may be called again, to wait again.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	first, waiting := !r.closed, r.queue
	r.queue, r.closed = nil, true
	var held int64
	for _, w := range waiting {
		held += w.Bytes
	}
	if first {
		r.running++ // what is dropped here is waited for like a run, by other calls of Close too
	}
	r.mu.Unlock()
	r.end()
	if first {
		for _, w := range waiting {
			r.finish(w, Event{Pair: w.Pair, Outcome: DroppedClosed})
		}
		r.leave(&run{Offer: Offer{Bytes: held}})
	}
	select {
	case <-r.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
