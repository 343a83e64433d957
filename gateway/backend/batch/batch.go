// Package batch puts calls of one model that would wait for each other into one call. It is for backends whose cost is by the call, such as the embedded engine; a Triton with
// dynamic batching does it better itself.
//
// Nobody waits for a batch while the model is free: a call that finds fewer batches under way than Parallel goes at once, alone, on its caller's goroutine. The others wait for the
// first of those under way to end, and go together then; so the size follows the traffic. The first of those who wait waits no longer than twice what a batch takes, as learnt, nor
// than Bound; then a batch goes too, beside the others. Where more wait than a batch takes, package priority says who is in it.
//
// An answer is the same, bit for bit, as without it: the first calls of each size, in each size of batch and each load, are answered call by call, and then run as a
// batch to be compared. Where a bit differs, as the sums of a matrix product may for another number of rows, the load is not batched any more.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/priority"
)

// Inner is a backend with all that both backends of the house have.
type Inner interface {
	backend.Backend
	backend.Streamer
	backend.Teller
	backend.Controller
	backend.Gate
}

// Rule says how a model is batched. Size below 2: not at all.
type Rule struct {
	Size     int           // items of a batch at most; not more than the model's max_batch_size
	Bound    time.Duration // that a call may wait for a batch
	Parallel int           // batches under way, above which calls wait; 0: 1
	Inexact  bool          // batches whose answers differ in their last bits are taken
	Load     string        // the version's load, for backends whose answers do not name theirs; "" otherwise
}

// Options are what a Backend needs.
type Options struct {
	Rule    func(model, version string) Rule                  // asked at every call: has to be fast
	Observe func(model string, items int, wait time.Duration) // of every batch: its size, and how long its first call waited; nil: nobody watches
	Off     func(model, version, epoch string, items int)     // a load turned out to be inexact; nil: nobody wants to know
	Log     *slog.Logger

	Priorities priority.Policy // of the lines in which calls wait for a batch
}

// Backend is Inner with batches. Make it with New.
type Backend struct {
	Inner
	options Options

	mu     sync.Mutex
	groups map[string]*group
	loads  map[string]*load // by model and version
}

// New wraps a backend.
func New(inner Inner, o Options) *Backend {
	return &Backend{Inner: inner, options: o, groups: map[string]*group{}, loads: map[string]*load{}}
}

// Full is the error that a call of the model that is made now would get; see backend.Gate.
func (b *Backend) Full(ctx context.Context, model, version string) error {
	if err := b.Inner.Full(ctx, model, version); err != nil {
		return err
	}
	b.mu.Lock()
	l := b.loads[model+"\x00"+version]
	b.mu.Unlock()
	if l == nil {
		return nil
	}
	err := l.full(model)
	if err != nil && l.waitingOf(priority.From(ctx)+1) > 0 {
		return nil // one of them makes room
	}
	return err
}

// Waiting is how many calls wait for a batch now. Those of a batch that is under way do not.
func (b *Backend) Waiting() (n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.loads {
		n += l.waitingOf(priority.Realtime)
	}
	return n
}

// mostGroups bounds what different shapes and parameters can make of it; calls beyond run alone.
const mostGroups = 1024

// Infer runs a call in a batch where it can. Errors are those of the backend's Infer; of a batch that fails because of one of its calls, only that call fails.
func (b *Backend) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	rule := b.options.Rule(r.Model, r.Version)
	items := rows(r)
	if rule.Size < 2 || items == 0 || items >= int64(rule.Size) || alone(r) || !exact(r) {
		return b.Inner.Infer(ctx, r)
	}
	g, l := b.group(r, rule)
	if g == nil {
		out, err := b.Inner.Infer(ctx, r)
		if err == nil {
			l.is(out.Epoch) // a new load is tried anew
		}
		return out, err
	}
	return g.infer(ctx, r, items)
}

// group finds the calls that may be put together with this one; nil where they may not, or there are too many groups.
func (b *Backend) group(r *backend.Request, rule Rule) (*group, *load) {
	key := keyOf(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	of := r.Model + "\x00" + r.Version
	l := b.loads[of]
	if l == nil {
		l = &load{}
		b.loads[of] = l
	}
	l.is(rule.Load)
	if !l.allows(&rule) {
		return nil, l
	}
	g := b.groups[key]
	if g == nil {
		if len(b.groups) >= mostGroups {
			b.forget()
		}
		if len(b.groups) >= mostGroups {
			return nil, l
		}
		g = &group{b: b, load: l}
		g.waiting.Under(b.options.Priorities)
		b.groups[key] = g
	}
	g.mu.Lock()
	g.rule = rule
	g.claims++ // it is not forgotten before infer has joined it
	g.mu.Unlock()
	return g, l
}

// forget drops groups in which nothing happens. It needs mu.
func (b *Backend) forget() {
	for key, g := range b.groups {
		g.mu.Lock()
		if g.claims == 0 && g.running == 0 && g.waiting.Len() == 0 {
			delete(b.groups, key)
		}
		g.mu.Unlock()
	}
}
