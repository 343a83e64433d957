package batch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// run answers the calls of a batch, and reports whether it took as long as a batch does. The bytes of the inputs are copied before, so that a caller may
// leave at any time.
func (g *group) run(list []*call, rule Rule) (ok bool) {
	defer func() {
		p := recover()
		for _, c := range list {
			c.finish(nil, fault.New(fault.Internal, "internal", "").Wrap(fmt.Errorf("panic in a batch: %v", p)))
		}
	}()
	ctx, cancel := shared(list)
	defer cancel()
	ctx = priority.With(ctx, urgency(list))
	request := join(list)
	for _, c := range list {
		c.free()
	}
	return g.together(ctx, request, list, rule)
}

// urgency is the most urgent class of a batch's calls: the batch goes on with it.
func urgency(list []*call) priority.Class {
	class := priority.Batch
	for _, c := range list {
		class = min(class, priority.From(c.ctx))
	}
	return class
}

// together runs several calls as one; where that fails by the fault of one of them, each half by itself.
func (g *group) together(ctx context.Context, r *backend.Request, list []*call, rule Rule) bool {
	if len(list) == 1 {
		out, err := g.b.Inner.Infer(ctx, r)
		if err == nil {
			g.load.is(out.Epoch)
		}
		list[0].finish(out, err)
		return err == nil
	}
	if !rule.Inexact && !g.known(list, r.Inputs[0].Shape[0]) {
		g.compare(ctx, r, list, rule)
		return false
	}
	out, err := g.b.Inner.Infer(ctx, r)
	if err != nil {
		if poisoned(err) {
			return g.halves(ctx, r, list, rule)
		}
		for _, c := range list {
			c.finish(nil, err)
		}
		return false
	}
	parts, whole := split(out, list)
	if other := g.load.is(out.Epoch); !whole || other && !rule.Inexact { // of a new load nothing is known yet
		if !whole {
			g.turnOff(r, out.Epoch, true)
		}
		g.singly(r, list, rule, nil)
		return false
	}
	for i, c := range list {
		c.finish(parts[i], nil)
	}
	return true
}

// halves runs each half of a batch by itself.
func (g *group) halves(ctx context.Context, r *backend.Request, list []*call, rule Rule) bool {
	singles := apart(r, list)
	half := len(list) / 2
	ran := false
	for _, side := range [2][2]int{{0, half}, {half, len(list)}} {
		part := list[side[0]:side[1]]
		again := make([]*call, len(part)) // with the bytes of the batch, for those of the callers may be gone
		for i := range part {
			again[i] = &call{request: singles[side[0]+i], items: part[i].items, ctx: part[i].ctx, since: part[i].since}
		}
		ran = g.together(ctx, join(again), part, rule) || ran
	}
	return ran
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
