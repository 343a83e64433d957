package triton

import (
	"context"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

const (
	resolveEvery = 5 * time.Second
	// resolveSoon is the time between two look-ups while a name has no address yet.
	resolveSoon    = 500 * time.Millisecond
	resolveTimeout = 2 * time.Second
	// firstResolve bounds the look-up that New waits for.
	firstResolve = time.Second
	// partWithin is how long calls may still run on an endpoint that was removed.
	partWithin = time.Minute
	// mostAddresses of one name are used.
	mostAddresses = 256
)

// entry is one line of the configuration, and the addresses that it stands for.
type entry struct {
	target
	addresses []string     // host:port; guarded by Client.judging
	due       atomic.Int64 // Client.nanos of the next look-up
	busy      atomic.Bool
}

// assemble makes the first list of endpoints.
func (c *Client) assemble(ctx context.Context) error {
	for _, n := range c.entries {
		if n.host == "" {
			continue
		}
		n.addresses = nil
		ctx, cancel := context.WithTimeout(ctx, firstResolve)
		list, err := c.lookup(ctx, n)
		cancel()
		if err != nil {
			c.log.Warn("the name of the model servers has no address yet", "endpoint", n.name, "error", err)
		}
		n.addresses = list
		n.due.Store(int64(c.nanos() + c.resolvePause(len(list))))
	}
	c.judging.Lock()
	defer c.judging.Unlock()
	return c.reassemble(false)
}

// lookup gives the addresses of an entry as host:port, sorted.
func (c *Client) lookup(ctx context.Context, n *entry) ([]string, error) {
	resolve := c.deps.Resolve
	if resolve == nil {
		resolve = net.DefaultResolver.LookupHost
	}
	_, port, _ := net.SplitHostPort(n.address)
	hosts, err := resolve(ctx, n.host)
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(hosts))
	for _, host := range hosts {
		list = append(list, net.JoinHostPort(host, port))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), mostAddresses)], nil
}

func (c *Client) resolvePause(addresses int) time.Duration {
	pause := c.config.Resolve
	if pause == 0 {
		pause = resolveEvery
	}
	if addresses == 0 {
		pause = min(pause, resolveSoon)
	}
	return pause
}

// resolveDue looks up the names whose time has come.
func (c *Client) resolveDue(ctx context.Context, now time.Duration) {
	for _, n := range c.entries {
		if n.host == "" || int64(now) < n.due.Load() || !n.busy.CompareAndSwap(false, true) {
			continue
		}
		c.minding.Go(func() {
			defer n.busy.Store(false)
			c.resolve(ctx, n)
		})
	}
}

// resolve looks up a name. Where that fails, or gives nothing, the addresses of the last time stay.
func (c *Client) resolve(ctx context.Context, n *entry) {
	lookCtx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	list, err := c.lookup(lookCtx, n)
	if ctx.Err() != nil {
		return
	}
	c.judging.Lock()
	if ctx.Err() != nil { // Close has the list, or will take it
		c.judging.Unlock()
		return
	}
	if len(list) == 0 {
		n.due.Store(int64(c.nanos() + c.resolvePause(len(n.addresses))))
		c.judging.Unlock()
		c.log.Warn("the name of the model servers cannot be looked up; its last addresses stay", "endpoint", n.name, "error", err)
		return
	}
	n.due.Store(int64(c.nanos() + c.resolvePause(len(list))))
	changed := !slices.Equal(list, n.addresses)
	if changed {
		n.addresses = list
		err = c.reassemble(true)
	}
	c.judging.Unlock()
	if changed {
		c.log.Info("the model servers have changed", "endpoint", n.name, "addresses", list, "error", err)
		c.dispatch()
	}
}

// reassemble makes the list of endpoints anew: those of addresses that are still there stay, with all that is known of them. It needs judging.
func (c *Client) reassemble(late bool) error {
	old := c.list()
	next := make([]*endpoint, 0, len(old))
	for _, n := range c.entries {
		for _, address := range n.addresses {
			if slices.ContainsFunc(next, func(e *endpoint) bool { return e.address == address }) {
				continue // two entries give the same
			}
			if at := slices.IndexFunc(old, func(e *endpoint) bool { return e.address == address }); at >= 0 {
				next = append(next, old[at])
				continue
			}
			e, err := dial(n.at(address), &c.config, &c.deps)
			if err != nil {
				return err
			}
			if late {
				e.since.Store(int64(c.nanos()))
				if c.returning.f.Load() != nil && c.othersServe(e) {
					why := "it is new"
					e.reason.Store(&why)
					e.ejected.Store(true) // until it is let in
				}
			}
			next = append(next, e)
		}
	}
	for _, e := range old {
		if !slices.Contains(next, e) {
			e.ejected.Store(true) // whoever still holds it in hand sends nothing new there
			why := "its address has gone"
			e.reason.Store(&why)
			e.since.Store(int64(c.nanos()))
			c.parting = append(c.parting, e)
		}
	}
	c.members.Store(&next)
	return nil
}

// at is the entry's target at one of its addresses.
func (n *entry) at(address string) target {
	t := n.target
	if n.host == "" {
		return t
	}
	t.address = address
	t.name = n.name + " (" + address + ")"
	if page, err := url.Parse(t.metrics); err == nil && t.metrics != "" {
		host, _, _ := net.SplitHostPort(address)
		page.Host = net.JoinHostPort(host, page.Port())
		if page.Port() == "" {
			page.Host = host
		}
		t.metrics = page.String()
	}
	return t
}

// part closes the connections of endpoints that were removed, when their calls have ended.
func (c *Client) part(now time.Duration) {
	c.judging.Lock()
	defer c.judging.Unlock()
	c.parting = slices.DeleteFunc(c.parting, func(e *endpoint) bool {
		if e.running.Load() > 0 && now-time.Duration(e.since.Load()) < partWithin {
			return false
		}
		_ = e.close()
		return true
	})
}
