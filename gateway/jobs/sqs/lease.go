package sqs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	rounds    = 8 // of one Lease, where messages turn out to be of no use
	receives  = 3 // of one message; SQS hands it to the dead letters at the next one
	lateAfter = 30 * time.Second
)

// Lease implements jobs.Queue.
func (s *Store) Lease(ctx context.Context, n int, ttl time.Duration) (list []*jobs.Job, err error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(ctx, err)
	}
	if s.ended.Err() != nil {
		return nil, unavailable("the job store is closed", nil)
	}
	for range rounds {
		if len(list) >= n {
			break
		}
		found, err := s.gather(ctx, n-len(list), ttl)
		if err != nil && len(list) == 0 {
			return nil, failure(ctx, err)
		}
		if len(found) == 0 {
			break
		}
		var mu sync.Mutex
		err = each(ctx, len(found), func(ctx context.Context, i int) error {
			j, err := s.claim(ctx, found[i], ttl)
			mu.Lock()
			defer mu.Unlock()
			if j != nil {
				list = append(list, j)
			}
			return err
		})
		if err != nil && len(list) == 0 {
			return nil, failure(ctx, err)
		}
		if err != nil {
			break
		}
	}
	slices.SortFunc(list, byPlace)
	return list, nil
}

// claim leases the job that a message names, or makes the message go where it belongs.
func (s *Store) claim(ctx context.Context, m message, ttl time.Duration) (*jobs.Job, error) {
	if m.err != nil {
		s.bury(ctx, m)
		return nil, nil
	}
	now := s.now()
	if m.receives >= receives { // a copy begins to count anew
		r, err := s.load(ctx, m.ID)
		if err == nil && r.msg == m.Token && !r.State.Final() {
			s.renew(ctx, m, r)
			return nil, nil
		}
	}
	e := &edits{}
	e.is("st", text(string(jobs.Queued)))
	e.is("msg", text(m.Token))
	e.is("can", truth(false))
	e.musts = append(e.musts, "#run <= :now", "(#dl = :zero OR #dl > :now)")
	e.value(":zero", number(0))
	e.value(":now", number(jobs.Micros(now)))
	e.value(":one", number(1))
	e.lease(now, ttl, active(m.class))
	i, err := s.update(ctx, e.of(m.ID))
	for n := 0; ; n++ {
		if err == nil {
			return s.leased(ctx, i, m)
		}
		if !errors.Is(err, errCondition) {
			return nil, err
		}
		if n == rounds {
			return nil, nil // others were always faster; the message comes again
		}
		r, again := s.decide(ctx, i, m, ttl)
		if again == nil {
			return nil, nil
		}
		_, ends := r.over(now)
		if i, err = s.update(ctx, again.of(m.ID)); ends && err == nil {
			s.drop(m)
			return nil, nil
		}
	}
}

// lease makes a job Running.
func (e *edits) lease(now time.Time, ttl time.Duration, w string) {
	e.set("st", text(string(jobs.Running)))
	e.set("end", number(jobs.Micros(now.Add(ttl))))
	e.set("w", text(w))
	e.set("due", number(jobs.Micros(now.Add(ttl+lateAfter))))
	e.sets = append(e.sets, "#fence = #fence + :one", "#started = if_not_exists(#started, :now)")
}

// decide says what becomes of a job that cannot simply be leased: another write to try, or none, where the message has been dealt with.
func (s *Store) decide(ctx context.Context, i item, m message, ttl time.Duration) (r *record, e *edits) {
	now := s.now()
	r, err := existing(i)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		s.unreadable(ctx, i, m, err)
		return nil, nil
	}
	e = &edits{}
	switch {
	case err != nil || r.State.Final() || r.msg != m.Token:
		s.drop(m)
		return nil, nil
	case r.State == jobs.Running && r.end.After(now): // it was too early, or is a copy: it stays until the lease is over
		s.hideFor(ctx, m, r.end.Sub(now)+margin)
		return nil, nil
	}
	e.unchanged(r)
	if state, over := r.over(now); over {
		e.finish(r, state, now)
		return r, e
	}
	if r.RunAt.After(now) && r.State == jobs.Queued {
		if s.fifo {
			s.hideFor(ctx, m, r.RunAt.Sub(now))
		} else {
			s.renew(ctx, m, r)
		}
		return nil, nil
	}
	e.value(":one", number(1))
	e.value(":now", number(jobs.Micros(now)))
	e.lease(now, ttl, active(r.class))
	if r.State == jobs.Running { // its worker is gone
		e.set("cr", number(int64(r.Crashes)+1))
	}
	return r, e
}

// hideFor hides a message; one that is not hidden comes too early, and is hidden then.
func (s *Store) hideFor(ctx context.Context, m message, d time.Duration) {
	if err := s.hide(ctx, m, d); err != nil {
		s.troubled("a message is not hidden; it comes too early", m, err)
	}
}

// unreadable takes a damaged job out of the queue and of Sweep's way. It stays for who looks at the table.
func (s *Store) unreadable(ctx context.Context, i item, m message, err error) {
	s.log.Error("a job in the store cannot be read; it is left as it is", slog.String("item", str(i, "pk")), slog.String("cause", err.Error()))
	if m.receipt != "" {
		m.err = err
		s.bury(ctx, m)
	}
	w := write{key: item{"pk": i["pk"], "sk": i["sk"]}, set: "REMOVE #w, #due", values: nil}
	if _, err := s.update(ctx, w.always()); err != nil {
		s.troubled("a damaged job stays in the index", m, err)
	}
}

// leased gives a job to its new holder.
func (s *Store) leased(ctx context.Context, i item, m message) (*jobs.Job, error) {
	r, err := decode(i)
	if err != nil {
		s.unreadable(ctx, i, m, err)
		return nil, nil
	}
	if err := s.fill(ctx, r); err != nil {
		return nil, err // the lease ends by itself
	}
	j := r.Job
	h := &held{r: r, message: m}
	if r.Done == 0 {
		h.has = newSet(r.Total)
	}
	r.Items = nil
	s.holding.keep(h, s.now())
	return &j, nil
}

// byPlace compares jobs as a Lease gives them.
func byPlace(a, b *jobs.Job) int {
	return cmp.Or(a.RunAt.Add(-a.Priority.Lead()).Compare(b.RunAt.Add(-b.Priority.Lead())), cmp.Compare(a.ID, b.ID))
}
