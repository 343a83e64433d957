package limit

import (
	"context"
	"sync"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// Bytes shares out a budget of memory. Those who must wait are served in order of arrival, and by priority as those of a Limiter are, so that
// a large request is not passed by small ones for ever. Safe for concurrent use.
type Bytes struct {
	capacity int64
	setting  string

	mu      sync.Mutex
	used    int64
	line    line
	refused uint64
}

// BytesStats is what a budget has at one moment.
type BytesStats struct {
	Used, Capacity int64
	Waiting        int
	Refused        uint64 // since the start: asked for more than there is, or too many were waiting
}

// longestLine bounds who waits for memory. Each of them holds a connection and little else.
const longestLine = 1024

// NewBytes makes a budget of so many bytes, at least 1.
func NewBytes(capacity int64) *Bytes {
	return &Bytes{capacity: max(capacity, 1), setting: "the memory limit"}
}

// Named sets the name of the setting that an error tells the reader to raise, and gives the budget back.
func (b *Bytes) Named(setting string) *Bytes {
	b.setting = setting
	return b
}

// Under sets how classes share the line, and gives the budget back.
func (b *Bytes) Under(p priority.Policy) *Bytes {
	b.line.Under(p)
	return b
}

// Acquire waits until n bytes are free and takes them; below 1 it takes none. The caller has to call release once it is done; calling
// it again does nothing. Errors: TooLarge where n is more than the whole budget, Busy where too many wait, Canceled or Timeout where ctx
// ends first.
func (b *Bytes) Acquire(ctx context.Context, n int64) (release func(), err error) {
	n = max(n, 0)
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	b.mu.Lock()
	if n > b.capacity {
		b.refused++
		b.mu.Unlock()
		return nil, fault.New(fault.TooLarge, "body_too_large", "the request needs %d bytes of memory and %d are all there is; raise %s", n, b.capacity, b.setting)
	}
	if n <= b.capacity-b.used && b.line.Len() == 0 {
		b.used += n
		b.mu.Unlock()
		return b.release(n), nil
	}
	if b.line.Len() >= longestLine {
		b.refused++
		class := priority.From(ctx)
		err := fault.New(fault.Busy, "queue_full", "%d requests wait for memory already; come again later or raise %s", longestLine, b.setting).After(guess)
		out := b.line.Yielding(class)
		if out == nil {
			b.line.Refused(class)
			b.mu.Unlock()
			return nil, err
		}
		b.line.turnOut(out, err)
	}
	w := b.line.join(ctx, n)
	b.mu.Unlock()

	select {
	case <-w.Value.turn:
		if w.Value.err != nil {
			return nil, w.Value.err
		}
		return b.release(n), nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.line.Leave(w) && w.Value.err == nil { // its turn came at the same moment: pass it on
		b.used -= n
	}
	b.admit() // also where it stood first and smaller ones behind it fit
	return nil, ended(ctx)
}

// Stats gives the present figures.
func (b *Bytes) Stats() BytesStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BytesStats{b.used, b.capacity, b.line.Len(), b.refused}
}

func (b *Bytes) release(n int64) func() {
	done := false
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if done {
			return
		}
		done = true
		b.used -= n
		b.admit()
	}
}

// admit serves those whose turn it is while what they ask for fits. It needs mu.
func (b *Bytes) admit() {
	for b.line.Len() > 0 {
		now := time.Now()
		p := b.line.Next(now)
		if p.Value.need > b.capacity-b.used {
			return
		}
		b.used += p.Value.need
		b.line.next(p, now)
	}
}
