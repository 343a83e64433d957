package batch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// load is what is known of one version's present load.
type load struct {
	mu      sync.Mutex
	epoch   string
	off     bool           // a bit differed, or an answer could not be taken apart
	checked map[int64]bool // sizes of batches that have been compared
}

// is notes which load answered; another one has to show anew that it can be batched.
func (l *load) is(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch {
		l.epoch, l.off, l.checked = epoch, false, nil
	}
}

func (l *load) isOff() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.off
}

func (l *load) known(items int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checked[items]
}

// judge notes what a comparison has shown, and reports whether the load has just been turned off.
func (l *load) judge(epoch string, items int64, equal bool) bool {
	l.is(epoch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !equal {
		was := l.off
		l.off = true
		return !was
	}
	if l.checked == nil {
		l.checked = map[int64]bool{}
	}
	l.checked[items] = true
	return false
}

// run answers the calls of a batch, and reports whether the model ran. The bytes of the inputs are copied before, so that a caller may leave at any time.
func (g *group) run(list []*call, rule Rule) (ok bool) {
	defer func() {
		p := recover()
		for _, c := range list {
			if p != nil || c.out == nil && c.err == nil {
				c.out, c.err = nil, fault.New(fault.Internal, "internal", "").Wrap(fmt.Errorf("panic in a batch: %v", p))
			}
			close(c.done)
		}
	}()
	ctx, cancel := shared(list)
	defer cancel()
	request := join(list)
	for _, c := range list {
		c.free()
	}
	if len(list) == 1 {
		list[0].out, list[0].err = g.b.Inner.Infer(ctx, request)
		return list[0].err == nil
	}
	return g.together(ctx, request, list, rule)
}

// together runs several calls as one; where that fails by the fault of one of them, each half by itself.
func (g *group) together(ctx context.Context, r *backend.Request, list []*call, rule Rule) bool {
	out, err := g.b.Inner.Infer(ctx, r)
	if err != nil {
		if !poisoned(err) {
			for _, c := range list {
				c.err = err
			}
			return false
		}
		return g.halves(ctx, r, list, rule)
	}
	parts, ok := split(out, list)
	items := r.Inputs[0].Shape[0]
	if ok && (rule.Inexact || g.load.known(items)) {
		g.load.is(out.Epoch)
		for i, c := range list {
			c.out = parts[i]
		}
		return true
	}
	// The first batch of its size: what counts are the answers to the calls one by one.
	equal := ok
	for i, one := range apart(r, list) {
		c := list[i]
		if c.ctx.Err() != nil {
			c.err = left(c.ctx)
			continue
		}
		if c.out, c.err = g.b.Inner.Infer(ctx, one); c.err == nil && ok && c.out.Epoch == out.Epoch {
			equal = equal && same(c.out, parts[i])
		}
	}
	if g.load.judge(out.Epoch, items, equal) {
		g.b.turnedOff(r, out.Epoch, items)
	}
	return true
}

func (g *group) halves(ctx context.Context, r *backend.Request, list []*call, rule Rule) bool {
	if len(list) == 1 {
		list[0].out, list[0].err = g.b.Inner.Infer(ctx, r)
		return list[0].err == nil
	}
	singles := apart(r, list)
	half := len(list) / 2
	ran := false
	for _, side := range [2][2]int{{0, half}, {half, len(list)}} {
		part := list[side[0]:side[1]]
		if len(part) == 1 {
			part[0].out, part[0].err = g.b.Inner.Infer(ctx, singles[side[0]])
			ran = ran || part[0].err == nil
			continue
		}
		again := make([]*call, len(part)) // with the bytes of the batch, for those of the callers may be gone
		for i := range part {
			again[i] = &call{request: singles[side[0]+i], items: part[i].items, ctx: part[i].ctx}
		}
		ran = g.together(ctx, join(again), part, rule) || ran
	}
	return ran
}

// apart takes a batch's request apart again.
func apart(r *backend.Request, list []*call) []*backend.Request {
	whole := &backend.Response{Outputs: r.Inputs}
	parts, _ := split(whole, list) // the request was joined of them
	out := make([]*backend.Request, len(list))
	for i := range list {
		out[i] = &backend.Request{Model: r.Model, Version: r.Version, ID: list[i].request.ID, Outputs: r.Outputs, Params: r.Params, Inputs: parts[i].Outputs}
	}
	return out
}

// poisoned reports whether an error may be the fault of one call of the batch.
func poisoned(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Upstream, fault.Contract, fault.TooLarge, fault.Internal:
		return true
	}
	return false
}

// shared is a context of a batch: it lives as long as one of its callers does, up to the latest of their deadlines.
func shared(list []*call) (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(list[0].ctx)
	cancel := context.CancelFunc(func() {})
	latest, all := time.Time{}, true
	for _, c := range list {
		d, has := c.ctx.Deadline()
		all = all && has
		if d.After(latest) {
			latest = d
		}
	}
	if all {
		ctx, cancel = context.WithDeadline(ctx, latest)
	}
	ctx, stop := context.WithCancelCause(ctx)
	var mu sync.Mutex
	here := len(list)
	stops := make([]func() bool, len(list))
	for i, c := range list {
		stops[i] = context.AfterFunc(c.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if here--; here == 0 {
				stop(context.Cause(c.ctx))
			}
		})
	}
	return ctx, func() {
		for _, s := range stops {
			s()
		}
		stop(nil)
		cancel()
	}
}

func (b *Backend) turnedOff(r *backend.Request, epoch string, items int64) {
	b.options.Log.Warn("batches of this model differ from single calls in some bits, or cannot be taken apart; it is not batched",
		"model", r.Model, "version", r.Version, "items", items)
	if b.options.Off != nil {
		b.options.Off(r.Model, r.Version, epoch, int(items))
	}
}
