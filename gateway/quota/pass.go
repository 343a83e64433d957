package quota

import (
	"context"
	"io"
	"time"
)

// Pass is a request that was let in. It is the context that the request's work runs under, so that the work finds it. Its methods may be called by many goroutines, also
// after Leave, because a computation that others share may outlive the request that began it; and they do nothing on nil.
type Pass struct {
	context.Context
	limiter *Limiter
	account *account
	began   time.Time
	state   [1]string // the header
	would   string    // the limit that would have refused it, in a dry run
	after   time.Duration
	body    countedBody
	later   bool // it does not count as a request at a time

	// Under the account's mu.
	guess   Cost // taken ahead
	spent   Cost
	items   int
	left    bool
	counted bool // spent is in the tier's sum
}

// Value finds the pass, and what the request's own context has.
func (p *Pass) Value(key any) any {
	if key == (passKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// Add tells what the request costs beyond what Enter was told.
func (p *Pass) Add(u Unit, n float64) {
	if p == nil || !(n > 0) || p.began.IsZero() { // or was refused
		return
	}
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()
	p.add(u, n)
}

// Sent tells that what was announced has come.
func (p *Pass) Sent(bytes int64) { p.Add(Bytes, float64(bytes)) }

// Item tells that an item is worked on. The first one is the request itself, each other counts as one more.
func (p *Pass) Item() {
	if p == nil {
		return
	}
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	if p.items++; p.items > 1 {
		p.add(Requests, 1)
	}
}

// add needs the account's mu.
func (p *Pass) add(u Unit, n float64) {
	p.spent[u] += n
	if !p.left {
		return
	}
	late := Cost{}
	late[u] = n
	p.limiter.book(p, &late)
}

// Leave ends the request: the difference between what was guessed and what it has cost is settled. Calling it again does nothing.
func (p *Pass) Leave() {
	if p == nil {
		return
	}
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.left || p.began.IsZero() {
		return
	}
	p.left = true
	if !p.later {
		a.running--
		a.tier.running.Add(-1)
	}
	now := p.limiter.now()
	a.pass(now)
	a.learn(&p.spent, now.Sub(p.began))
	diff := p.spent
	for u := range diff {
		diff[u] -= p.guess[u]
	}
	p.limiter.book(p, &diff)
}

// RateLimit gives the values of the headers RateLimit-Policy and RateLimit, each a slice of one that must not be changed; nil where there is nothing to say.
func (p *Pass) RateLimit() (policy, state []string) {
	if p == nil || p.state[0] == "" {
		return nil, nil
	}
	return p.account.policy[:1:1], p.state[:1:1]
}

// Would gives the limit that would have refused the request if this were no dry run, and when it might have come again; "" for none.
func (p *Pass) Would() (limit string, after time.Duration) { return p.would, p.after }

// Body counts the bytes that are read of a body. It may be called once.
func (p *Pass) Body(body io.ReadCloser) io.ReadCloser {
	p.body = countedBody{body, p}
	return &p.body
}

// countedBody tells how much of a body is read.
type countedBody struct {
	io.ReadCloser
	pass *Pass
}

// Read reads.
func (c *countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.pass.Add(Bytes, float64(n))
	return n, err
}
