package triton

import (
	"errors"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/h2"
)

const (
	// settling is how long Triton may take to count a call after it was answered. The Python backend answers first and reports then; of 500
	// calls in a row, 12 were counted late, all within a millisecond. The rest is for a machine that stands still.
	settling = 250 * time.Millisecond
	// markEvery and marks make the history long enough for settling, however often it is asked.
	markEvery = settling / 2
	marks     = 4
)

// outcome says what Triton has counted for a call that ended.
type outcome uint8

const (
	succeeded outcome = iota // one success, by now or within settling
	refused                  // no success
	unknown                  // perhaps a success, perhaps much later: cancelled, timed out, or the connection broke
)

// outcomeOf judges by the error of the call; answered says that the status came from the server.
func outcomeOf(err error, answered bool) outcome {
	if err == nil {
		return succeeded
	}
	s, _ := status.FromError(err)
	var message *inBand
	switch {
	case errors.As(err, &message) && message.ran:
		return unknown
	case errors.Is(err, h2.ErrConn): // not processed, for certain
		return refused
	case !answered, s.Code() == codes.Canceled, s.Code() == codes.DeadlineExceeded:
		return unknown
	case strings.Contains(s.Message(), "failed to unmarshal"): // the server has done its part
		return unknown
	}
	return refused
}

// tally is how many calls of one model version this process has made on one endpoint.
type tally struct{ started, succeeded, refused, unknown uint64 }

func (t tally) running() uint64 { return t.started - t.succeeded - t.refused - t.unknown }

// callCount is a tally and its recent past.
type callCount struct {
	mu      sync.Mutex
	now     tally
	history [marks]mark // a ring; the newest is at newest
	newest  int
}

type mark struct {
	at time.Time
	tally
}

func (c *callCount) begin() {
	c.mu.Lock()
	c.now.started++
	c.mu.Unlock()
}

func (c *callCount) end(o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch o {
	case succeeded:
		c.now.succeeded++
	case refused:
		c.now.refused++
	case unknown:
		c.now.unknown++
	}
}

// untimed counts a success whose start was not counted, as the version was not known then. It may explain what Triton counted, and proves nothing.
func (c *callCount) untimed() {
	c.mu.Lock()
	c.now.started++
	c.now.unknown++
	c.mu.Unlock()
}

// read gives the tally.
func (c *callCount) read() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// settled notes the present tally and gives the newest one that is at least settling old: every success in it has been counted by Triton.
func (c *callCount) settled(now time.Time) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.history[c.newest].at) >= markEvery {
		c.newest = (c.newest + 1) % marks
		c.history[c.newest] = mark{now, c.now}
	}
	for i := range marks {
		if m := c.history[(c.newest-i+marks)%marks]; now.Sub(m.at) >= settling {
			return m.tally
		}
	}
	return tally{}
}

// ledger holds the callCounts of one endpoint.
type ledger struct {
	mu   sync.RWMutex
	list map[modelVersion]*callCount
}

type modelVersion struct{ model, version string }

func newLedger() *ledger { return &ledger{list: map[modelVersion]*callCount{}} }

// of gives the count of a model version. Names that no server has come from callers and would fill the memory: of those there is one count.
func (l *ledger) of(model, version string) *callCount {
	const most = 10_000
	key := modelVersion{model, version}
	l.mu.RLock()
	c := l.list[key]
	l.mu.RUnlock()
	if c != nil {
		return c
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= most {
		key = modelVersion{}
	}
	if c = l.list[key]; c == nil {
		c = new(callCount)
		l.list[key] = c
	}
	return c
}

// settled gives the settled tally of every count.
func (l *ledger) settled(now time.Time) map[modelVersion]tally {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make(map[modelVersion]tally, len(l.list))
	for id, c := range l.list {
		out[id] = c.settled(now)
	}
	return out
}
