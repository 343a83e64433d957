// Package load makes calls at a chosen pace and tells what came of each: in a closed loop, where every caller waits for its answer, or in an
// open one, where calls are made at a constant rate whatever comes back. It exists because the end-to-end tests and the benchmarks
// need the same generator, and because a closed loop hides how long a server that is too slow makes its callers wait.
package load

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/pause"
)

// Verdict is what became of a call.
type Verdict uint8

// The verdicts.
const (
	Answered Verdict = iota
	Rejected         // refused for want of room, and told when to come again
	Bare             // refused for want of room, without a word of when to come again
	Late             // its time was over
	Down             // nobody was there to answer: unavailable
	Failed           // all else
)

// Call makes one call. n counts the calls of a run from 0 on. Text says what went wrong, "" where nothing did.
type Call func(ctx context.Context, n int) (v Verdict, text string)

// Sample is one call.
type Sample struct {
	At      time.Duration // when it was due, since the start of the run
	Took    time.Duration // from then to its end
	Verdict Verdict
}

// Result is what a run gives. The samples are in the order of their ends.
type Result struct {
	Samples []Sample
	Elapsed time.Duration  // from the start to the end of the last call
	Texts   map[string]int // what went wrong, and how often; at most 20 texts
	Unmade  int            // calls of an open run that were not made, because too many were under way
	started time.Time      // of the run
	mu      sync.Mutex     // guards Samples, Texts and Elapsed while the run lasts
}

// textsKept bounds Texts.
const textsKept = 20

func newResult() *Result {
	return &Result{Texts: map[string]int{}, started: time.Now()}
}

func (r *Result) add(at time.Duration, v Verdict, text string) {
	end := time.Since(r.started)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Samples = append(r.Samples, Sample{at, end - at, v})
	r.Elapsed = max(r.Elapsed, end)
	if _, known := r.Texts[text]; text != "" && (known || len(r.Texts) < textsKept) {
		r.Texts[text]++
	}
}

// Closed runs callers that make one call after the other until each has made its share of calls or the time is over, whichever is first; 0
// stands for no bound. The end of ctx ends the run too; calls that are under way then end by themselves.
func Closed(ctx context.Context, callers, calls int, lasting time.Duration, call Call) *Result {
	r, whole := newResult(), context.WithoutCancel(ctx)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				at := time.Since(r.started)
				if calls > 0 && n >= calls || lasting > 0 && at >= lasting || ctx.Err() != nil {
					return
				}
				v, text := call(whole, n)
				r.add(at, v, text)
			}
		})
	}
	wait.Wait()
	return r
}

// Open makes rate calls a second, evenly spaced, for as long as the run lasts, and then waits for the last answer. How long a call took counts from
// when it was due, so a generator that falls behind makes answers look later, never earlier. Above most calls under way at a time, calls
// are counted as Unmade. The end of ctx ends the run, not the calls under way.
func Open(ctx context.Context, rate float64, lasting time.Duration, most int, call Call) *Result {
	r, whole := newResult(), context.WithoutCancel(ctx)
	var wait sync.WaitGroup
	var running atomic.Int64
	for n := range int(rate * lasting.Seconds()) {
		at := time.Duration(float64(n) / rate * float64(time.Second))
		if !pause.For(ctx, time.Until(r.started.Add(at))) {
			break
		}
		if running.Load() >= int64(most) {
			r.Unmade++
			continue
		}
		running.Add(1)
		wait.Go(func() {
			defer running.Add(-1)
			v, text := call(whole, n)
			r.add(at, v, text)
		})
	}
	wait.Wait()
	return r
}

// Count is how many calls ended with one of these verdicts.
func (r *Result) Count(verdicts ...Verdict) (n int) {
	for _, s := range r.Samples {
		if slices.Contains(verdicts, s.Verdict) {
			n++
		}
	}
	return n
}

// Rate is how many calls a second ended with one of these verdicts.
func (r *Result) Rate(verdicts ...Verdict) float64 {
	return float64(r.Count(verdicts...)) / r.Elapsed.Seconds()
}

// Between keeps the calls that were due in a part of the run.
func (r *Result) Between(from, to time.Duration) *Result {
	part := &Result{Texts: r.Texts, Elapsed: to - from}
	for _, s := range r.Samples {
		if s.At >= from && s.At < to {
			part.Samples = append(part.Samples, s)
		}
	}
	return part
}

// Quantile is how long the share q of the calls with these verdicts took at most, of all calls where there are no verdicts; 0 where there is no such call.
func (r *Result) Quantile(q float64, verdicts ...Verdict) time.Duration {
	var took []time.Duration
	for _, s := range r.Samples {
		if len(verdicts) == 0 || slices.Contains(verdicts, s.Verdict) {
			took = append(took, s.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[max(0, int(math.Ceil(q*float64(len(took))))-1)]
}

// Last is when the last call with one of these verdicts ended, since the start of the run; 0 where there is none.
func (r *Result) Last(verdicts ...Verdict) (end time.Duration) {
	for _, s := range r.Samples {
		if slices.Contains(verdicts, s.Verdict) {
			end = max(end, s.At+s.Took)
		}
	}
	return end
}
