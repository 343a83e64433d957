package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// actCanary is what a canary does by itself, in the audit log.
const actCanary = "route.canary"

// canaryWrite is how long one move may take to be written.
const canaryWrite = 5 * time.Second

// errMoved says that a canary is not where it was when something was decided about it.
var errMoved = errors.New("somebody was faster")

// moveNames are the labels of gateway_canary_moves_total, and what the log says.
var moveNames = map[canary.Move]string{canary.Up: "up", canary.Back: "back", canary.Finished: "done"}

// judge asks one canary what is to be done. mu is held.
func (c *canaries) judge(run *canaryRun, e book.Entry) {
	now := c.now()
	run.over = !e.Canary.Moves()
	run.watched.Store(!run.over)
	switch {
	case e.Held && run.want == nil: // whoever was to write it is gone
		run.want = &canaryMove{canary.Back, *e.Canary, e.Number}
		return
	case run.over:
		return
	}
	if run.want == nil {
		run.judge.Go(e.Canary.Step, now)
	}
	ask := run.judge.Next
	if e.Canary.State != book.Running || run.want != nil || c.book.Away() {
		ask = run.judge.Watch
	}
	m, reason := ask(now)
	next := *e.Canary
	next.Rule, next.Reason = "", reason
	switch m {
	case canary.Stay:
		return
	case canary.Up:
		next.Step++
	case canary.Finished:
		next.State = book.Done
	case canary.Back:
		next.State, next.Rule = book.Back, run.judge.Seen().Rule
		run.over = true
		run.watched.Store(false)
		c.book.Withdraw(run.name, run.id, next.Rule, reason)
		c.log.Warn("a canary goes back: it gets no more traffic here", "route", run.name, "canary", run.target.String(), "step", next.Step+1, "rule", next.Rule, "reason", reason)
	}
	run.want = &canaryMove{m, next, e.Number}
}

// write writes down what canaries want.
func (c *canaries) write(ctx context.Context, runs map[string]*canaryRun) {
	defer func() {
		c.mu.Lock()
		c.writing = false
		c.mu.Unlock()
	}()
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		run := runs[name]
		c.mu.Lock()
		want := run.want
		c.mu.Unlock()
		if want == nil || ctx.Err() != nil {
			continue
		}
		err := c.put(ctx, run, want)
		c.mu.Lock()
		if run.want == want && (err == nil || want.move != canary.Back || lost(err)) {
			run.want = nil // one that goes up decides anew where the store did not answer
		}
		c.mu.Unlock()
	}
}

// lost reports whether a move is not to be made any more.
func lost(err error) bool {
	kind := fault.KindOf(err)
	return errors.Is(err, errMoved) || kind == fault.NotFound || kind == fault.Conflict
}

// put writes one move, as the canary, between two lines of the audit log.
func (c *canaries) put(ctx context.Context, run *canaryRun, want *canaryMove) error {
	ctx, cancel := context.WithTimeout(caller.With(ctx, &caller.Caller{ID: book.ByCanary}), canaryWrite)
	defer cancel()
	expect := want.number
	if want.move == canary.Back {
		expect = book.Any
	}
	var e book.Entry
	write := func() (err error) {
		e, err = c.book.Move(ctx, run.name, book.ByCanary, "canary", expect, func(now book.Canary, by string) (book.Canary, error) {
			if now.ID != run.id || !now.Guarded(by) || want.move != canary.Back && now.State != book.Running {
				return now, errMoved
			}
			return want.next, nil
		})
		return err
	}
	err := c.audit.do(ctx, actCanary, run.name, write)
	if faultOf(err).Code == "audit_unavailable" && want.move == canary.Back {
		err = write() // what is bad is not kept for want of a log, which has said that it cannot be written
	}
	at := []any{"route", run.name, "canary", run.target.String(), "move", moveNames[want.move], "rule", want.next.Rule, "reason", want.next.Reason}
	switch {
	case err == nil:
		c.mu.Lock()
		c.moves[moveKey{run.name, moveNames[want.move], want.next.Rule}]++
		c.mu.Unlock()
		c.log.LogAttrs(ctx, levelOf(want.move), "a canary has moved", slog.Group("", append(at, "share", e.Canary.Percent(&e.Plan.Spec), "version", e.Number)...))
	case !lost(err):
		c.log.Error("a canary's move cannot be written down", append(at, "error", err)...)
	}
	return err
}

func levelOf(m canary.Move) slog.Level {
	if m == canary.Back {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
