package batch

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// load is what is known of one version's present load.
type load struct {
	waiting [priority.Classes]atomic.Int64 // calls of all groups of the version that wait, by class

	mu    sync.Mutex
	epoch string
	loads uint64 // how many there have been
	off   bool   // a bit differed
	apart bool   // batches fail, or their answers cannot be taken apart
}

// is notes which load answered, and reports whether it is another than before: it has to show anew that it can be batched. "" says nothing.
func (l *load) is(epoch string) (other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other = epoch != "" && l.epoch != epoch; other {
		l.epoch, l.off, l.apart = epoch, false, false
		l.loads++
	}
	return other
}

// allows reports whether the load may be batched.
func (l *load) allows(rule *Rule) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.apart && (!l.off || rule.Inexact)
}

// present is the load that answered last.
func (l *load) present() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

func (l *load) count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loads
}

// waitingOf counts those of the class and of less urgent ones that wait.
func (l *load) waitingOf(class priority.Class) (n int64) {
	for i := class.Index(); i < priority.Classes; i++ {
		n += l.waiting[i].Load()
	}
	return n
}

// full is the error of a call that would have to wait beside too many others; nil where it need not.
func (l *load) full(model string) error {
	if l.waitingOf(priority.Realtime) < mostWaiting {
		return nil
	}
	return fault.New(fault.Busy, "queue_full", "%d calls of model %q wait for a batch already; come again later", mostWaiting, model).After(time.Second)
}

// pair is a size of a call and of the batch that it was in.
type pair struct{ own, batch int64 }

// known reports whether calls of these sizes have been compared with a batch of so many items, in the present load.
func (g *group) known(list []*call, items int64) bool {
	loads := g.load.count()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.checkedOf != loads {
		g.checked, g.checkedOf = nil, loads
	}
	for _, c := range list {
		if !g.checked[pair{c.items, items}] {
			return false
		}
	}
	return true
}

// compare answers the first calls of their size one by one, as they would have been without batches, and then runs those that had an answer as a batch, for which nobody
// waits. Calls that failed or left are not in it: they would make it fail, and nothing of it would be known.
func (g *group) compare(ctx context.Context, r *backend.Request, list []*call, rule Rule) {
	alone := make([]*backend.Response, len(list))
	g.singly(r, list, rule, func(i int, out *backend.Response, err error) {
		if err == nil {
			alone[i] = clone(out)
		}
	})
	var answers []*backend.Response
	var good []*call
	for i, one := range apart(r, list) {
		if alone[i] != nil && (len(answers) == 0 || alone[i].Epoch == answers[0].Epoch) {
			answers = append(answers, alone[i])
			good = append(good, &call{request: one, items: list[i].items})
		}
	}
	if len(good) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	probe := join(good)
	probe.Requests, probe.Waited = 0, 0 // it answers nobody
	out, err := g.one(ctx, probe)
	if err != nil {
		if poisoned(err) {
			g.turnOff(probe, g.load.present(), true)
		}
		return
	}
	g.load.is(out.Epoch)
	if out.Epoch != answers[0].Epoch {
		return
	}
	parts, whole := split(out, good)
	if !whole {
		g.turnOff(probe, out.Epoch, true)
		return
	}
	seen := map[pair]bool{}
	for i, one := range answers {
		if !same(one, parts[i]) {
			g.turnOff(probe, out.Epoch, false)
			return
		}
		seen[pair{good[i].items, probe.Inputs[0].Shape[0]}] = true
	}
	g.learn(seen)
}

// probeTime bounds a batch that is made to be compared.
const probeTime = 30 * time.Second

// learn notes which sizes have been found equal.
func (g *group) learn(seen map[pair]bool) {
	loads := g.load.count()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.checkedOf != loads || g.checked == nil {
		g.checked, g.checkedOf = map[pair]bool{}, loads
	}
	for p := range seen {
		g.checked[p] = true
	}
}

// singly answers calls one by one, as many side by side as batches run. each, if not nil, hears of every one, one after the other and before the caller does.
func (g *group) singly(r *backend.Request, list []*call, rule Rule, each func(i int, out *backend.Response, err error)) {
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, max(rule.Parallel, 1))
	for i, one := range apart(r, list) {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			c := list[i]
			out, err := g.one(c.ctx, one)
			if each != nil {
				mu.Lock()
				each(i, out, err)
				mu.Unlock()
			}
			c.finish(out, err)
		})
	}
	all.Wait()
}

// one runs a call by itself. A panic is an error.
func (g *group) one(ctx context.Context, r *backend.Request) (out *backend.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "internal", "").Wrap(fmt.Errorf("panic in a call: %v", p))
		}
	}()
	if ctx.Err() != nil {
		return nil, left(ctx)
	}
	return g.b.Inner.Infer(ctx, r)
}

// turnOff ends the batching of a load; where no batch of it can be used, also for those who take inexact ones.
func (g *group) turnOff(r *backend.Request, epoch string, apart bool) {
	l := g.load
	l.is(epoch)
	l.mu.Lock()
	was := l.off || l.apart
	l.off, l.apart = true, l.apart || apart
	l.mu.Unlock()
	if was {
		return
	}
	items := int(r.Inputs[0].Shape[0])
	why := "batches differ from single calls in some bits; batching.inexact in task.yaml allows that"
	if apart {
		why = "the model does not take batches of this size, or does not answer by the item"
	}
	g.b.options.Log.Warn("the calls of this model are not batched", "model", r.Model, "version", r.Version, "items", items, "reason", why)
	if g.b.options.Off != nil {
		g.b.options.Off(r.Model, r.Version, epoch, items)
	}
}
