package gateway

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/fault"
)

// leastCompared is how many inputs have to be compared at each step where a rule asks for that: if all are answered otherwise, that is enough to go back.
const leastCompared = 6

// canaryTick is how often canaries are looked at.
const canaryTick = time.Second

// canaries move the weights of routes' canaries by how well those do. Each gateway judges by its own traffic; what one of them has written holds for all.
type canaries struct {
	book  *book.Book
	audit auditor
	log   *slog.Logger
	began time.Time
	// chance is a number from 0 to 1, 1 excluded, that decides which answers are compared. It is called by many at once.
	chance func() float64

	runs atomic.Pointer[map[string]*canaryRun] // by route

	mu      sync.Mutex // held by a look, and to change what a run wants
	writing bool
	moves   map[moveKey]float64 // that were written from here
	done    sync.WaitGroup
	cancel  context.CancelFunc
}

// canaryRun is one route's canary on this gateway.
type canaryRun struct {
	name, id        string
	written         route.Canary
	target, control route.Target
	compare         float64
	judge           *canary.Canary
	watched         atomic.Bool // answers count

	over bool        // it has ended; guarded by canaries.mu, as what follows is
	want *canaryMove // what is to be written
}

// canaryMove is a decision that has yet to be written.
type canaryMove struct {
	move   canary.Move
	next   book.Canary
	number int // the version of the route that it was made at
}

// openCanaries begins to look after the canaries of a book.
func openCanaries(b *book.Book, audit auditor, log *slog.Logger) *canaries {
	c := &canaries{book: b, audit: audit, log: log, began: time.Now(), chance: rand.Float64, moves: map[moveKey]float64{}}
	c.runs.Store(&map[string]*canaryRun{})
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.look(ctx)
	c.done.Go(func() {
		tick := time.NewTicker(canaryTick)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return c
}

// close ends the looking. Weights stay as they are.
func (c *canaries) close() error {
	c.cancel()
	c.done.Wait()
	return nil
}

func (c *canaries) now() time.Duration { return time.Since(c.began) }

// run is the canary of a route as far as it is watched here.
func (c *canaries) run(name string) *canaryRun {
	if c == nil {
		return nil
	}
	return (*c.runs.Load())[name]
}

// answered counts the answer of a request that weights have decided: rules may send others than the usual ones.
func (c *canaries) answered(r *pipeline.Routed, took time.Duration, err error) {
	if c == nil || r.Plan.Spec.Canary == nil || !weighed(r.Reason) {
		return
	}
	run := c.run(r.Plan.Name)
	if run == nil || !run.watched.Load() {
		return
	}
	side, known := run.side(r.Target)
	failed, counts := failedItself(err)
	if known && counts {
		run.judge.Answered(side, c.now(), took, failed)
	}
}

// weighed reports whether weights have decided, by X-Route's reason.
func weighed(reason string) bool { return reason == "weight" || strings.HasPrefix(reason, "sticky:") }

// failedItself reports whether an answer is a failure of the model or of who runs it; counts is false for failures that say nothing of those.
func failedItself(err error) (failed, counts bool) {
	if err == nil {
		return false, true
	}
	switch fault.KindOf(err) {
	case fault.Internal, fault.Timeout, fault.Upstream, fault.Contract, fault.Unavailable:
		return true, true
	}
	return false, false
}

// side is who a target is.
func (r *canaryRun) side(t route.Target) (side canary.Side, known bool) {
	switch t {
	case r.target:
		return canary.Candidate, true
	case r.control:
		return canary.Control, true
	}
	return 0, false
}

// also is who an answer is to be compared with: the control, for a share of the canary's answers. Some of these are compared whatever else there is to do, since nobody else can
// tell that a version says something else: see shadow.Options.Sure.
func (c *canaries) also(r *pipeline.Routed) (t route.Target, ok bool) {
	if r.Plan.Spec.Canary == nil || !weighed(r.Reason) {
		return t, false
	}
	run := c.run(r.Plan.Name)
	if run == nil || !run.watched.Load() || r.Target != run.target || c.chance() >= run.compare {
		return t, false
	}
	return run.control, true
}

// told hears how a comparison went. At the last step nobody but who is asked for comparisons has the control answer, so that its times count too, as far as the model took them: so
// are those of the callers measured.
func (c *canaries) told(e shadow.Event) {
	run := c.run(e.Pair.Route)
	if run == nil || !run.watched.Load() {
		return
	}
	asked, by := named(e.Pair.Shadow, run.control), named(e.Pair.Primary, run.target)
	if !asked || !by {
		return
	}
	switch e.Outcome {
	case shadow.Compared:
		took := time.Duration(-1)
		if run.judge.Share() == 100 && e.Alone > 0 {
			took = e.Alone
		}
		run.judge.Answered(canary.Control, c.now(), took, false)
		run.judge.Compared(e.Comparison.Alike)
	case shadow.Failed, shadow.TimedOut:
		if failed, counts := failedItself(e.Err); counts {
			run.judge.Answered(canary.Control, c.now(), -1, failed)
		}
	}
}

// targetName names a target as X-Route does: model/version, or the model alone.
func targetName(t route.Target) string {
	return variant(t.Model, string(t.Version))
}

// named reports whether a name as X-Route has it, model/version, is that of a target.
func named(name string, t route.Target) bool {
	if t.Version != "" {
		return name == targetName(t)
	}
	return name == t.Model || strings.HasPrefix(name, t.Model+"/")
}

// look asks every canary what is to be done. It waits for nobody: what goes back has nothing any more before that is written, whether or not the store answers.
func (c *canaries) look(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, _ := c.book.Entries()
	old := *c.runs.Load()
	next := map[string]*canaryRun{}
	for name, e := range entries {
		if e.Canary == nil {
			continue
		}
		run := old[name]
		if run == nil || run.id != e.Canary.ID || run.over && e.Canary.Moves() || !run.is(&e.Plan.Spec) {
			if run = c.begin(name, e); run == nil {
				continue
			}
		}
		next[name] = run
	}
	if !maps.Equal(old, next) {
		c.runs.Store(&next)
	}
	waiting := false
	for _, name := range slices.Sorted(maps.Keys(next)) {
		c.judge(next[name], entries[name])
		waiting = waiting || next[name].want != nil
	}
	if waiting && !c.writing && !c.book.Away() {
		c.writing = true
		c.done.Go(func() { c.write(ctx, next) })
	}
}

func (c *canaries) begin(name string, e book.Entry) *canaryRun {
	spec, compare, err := e.Plan.Spec.Canary.Complete()
	control, ok := e.Plan.Spec.Control()
	if err != nil || !ok {
		return nil // such a route is not taken
	}
	judge := canary.New(spec, e.Canary.Step, c.now())
	if compare > 0 && spec.Guard.Disagreement >= 0 {
		judge.Need(max(leastCompared, int(float64(spec.Samples)*compare/4))) // some find no room, for others come first
	}
	return &canaryRun{name: name, id: e.Canary.ID, written: *e.Plan.Spec.Canary, target: e.Plan.Spec.Canary.Target, control: control, compare: compare,
		judge: judge}
}

// is reports whether a spec still says what the run goes by.
func (r *canaryRun) is(s *route.Spec) bool {
	control, _ := s.Control()
	return control == r.control && reflect.DeepEqual(*s.Canary, r.written)
}
