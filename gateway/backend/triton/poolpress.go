package triton

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A look at the refusals takes pressLooks times the time of one call, within these bounds.
	pressLooks    = 10
	shortestPress = 200 * time.Millisecond
	longestPress  = 5 * time.Second
	pressLeast    = 8 // calls, or a look tells nothing
	pressShare    = 8 // one refused of so many, at least, is more than a burst
)

// press tells a burst, which a line is for, from a load that is above what the servers can do for longer. Of the latter a long line
// makes nothing but late answers: the line stays full, and every call waits for its whole length. It looks at how many of those that found no free place
// were refused, span by span; its methods may be called by many at a time.
type press struct {
	on atomic.Bool // the load was too high in the last span

	mu             sync.Mutex
	end            time.Duration // of this span
	asked, refused int
}

// count notes a call that found no free place. one is the time of one call, 0 where it is not known.
func (p *press) count(now, one time.Duration, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now >= p.end {
		span := min(max(pressLooks*one, shortestPress), longestPress)
		stale := now >= p.end+span // nobody has waited for longer than a span: what was before is over
		p.on.Store(!stale && p.tooMany())
		p.asked, p.refused, p.end = 0, 0, now+span
	}
	p.asked++
	if refused {
		p.refused++
	}
	if p.tooMany() { // the line has been filling for as long as those came that found room in it
		p.on.Store(true)
	}
}

// tooMany judges the calls of a span. It needs mu.
func (p *press) tooMany() bool {
	return p.asked >= pressLeast && p.refused >= pressLeast && p.refused*pressShare >= p.asked
}
