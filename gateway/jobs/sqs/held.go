package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// held is a lease of this process: what is known of its job, so that a write needs no read before it. One writer at a time.
type held struct {
	mu      sync.Mutex
	r       *record
	message message
	has     set  // items with a result; nil: not known yet
	stale   bool // a write failed, and what became of it is not known
}

// holding are the leases of this process.
type holding struct {
	mu     sync.Mutex
	leases map[string]*held
}

// keep notes a lease. Leases that ended long ago, whose workers were never heard of again, go.
func (h *holding) keep(l *held, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.leases); n >= 1024 && n&(n-1) == 0 {
		for id, old := range h.leases {
			if old.message.until.Add(24 * time.Hour).Before(now) {
				delete(h.leases, id)
			}
		}
	}
	h.leases[l.r.ID] = l
}

func (h *holding) get(id string) *held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases[id]
}

func (h *holding) drop(l *held, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leases[id] == l {
		delete(h.leases, id)
	}
}

// held gives a lease for one write, locked. One that another process has begun is read from the table; its message is not known then.
func (s *Store) held(ctx context.Context, l jobs.Lease) (*held, error) {
	h := s.holding.get(l.ID)
	if h == nil || h.r.Fence != l.Fence {
		h = &held{stale: true}
	}
	h.mu.Lock()
	if !h.stale {
		return h, nil
	}
	r, err := s.load(ctx, l.ID)
	if err == nil {
		err = h.refresh(r, l)
	}
	if err != nil {
		h.mu.Unlock()
		return nil, err
	}
	if h.message.receipt == "" {
		s.holding.keep(h, s.now())
	}
	return h, nil
}

// refresh takes what the table says, or tells that the lease is lost.
func (h *held) refresh(r *record, l jobs.Lease) error {
	if r.State != jobs.Running || r.Fence != l.Fence {
		return lost("the lease %d is lost: the job is %s, and its newest lease is %d", l.Fence, r.State, r.Fence)
	}
	if h.r == nil || h.r.Done != r.Done || h.r.gen != r.gen {
		h.has = nil
	}
	r.Items, h.r, h.stale = nil, r, false
	return nil
}

// write makes one write of a lease, with results. edit adds to it; it is called again where the job has changed meanwhile. The job is given as it is then.
func (s *Store) write(ctx context.Context, l jobs.Lease, add []jobs.Result, edit func(h *held, e *edits)) (*held, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(ctx, err)
	}
	if s.ended.Err() != nil {
		return nil, unavailable("the job store is closed", nil)
	}
	h, err := s.held(ctx, l)
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	for range rounds {
		if h.has == nil {
			if h.has, err = s.answered(ctx, h.r); err != nil {
				return nil, failure(ctx, err)
			}
		}
		fresh, err := h.fresh(add)
		if err != nil {
			return nil, err
		}
		e := &edits{}
		e.is("st", text(string(jobs.Running)))
		e.is("fence", number(l.Fence))
		puts, err := s.append(ctx, h, e, fresh)
		if err != nil {
			return nil, failure(ctx, err)
		}
		edit(h, e)
		var i item
		if len(puts) == 0 {
			i, err = s.update(ctx, e.of(l.ID))
		} else {
			i, err = s.transact(ctx, e.of(l.ID), puts...)
		}
		if err == nil {
			h.note(fresh, len(puts) == 0)
			return h, nil
		}
		if !errors.Is(err, errCondition) {
			h.stale = true
			return nil, failure(ctx, err)
		}
		r, err := existing(i)
		if err == nil {
			err = h.refresh(r, l)
		}
		if err != nil {
			if k := fault.KindOf(err); k == fault.Conflict || k == fault.NotFound {
				s.holding.drop(h, l.ID)
			}
			return nil, err
		}
	}
	return nil, unavailable("many write to one job at once; come again", nil)
}

// fresh gives the results of items that have none yet, each once.
func (h *held) fresh(add []jobs.Result) (list []jobs.Result, err error) {
	seen := map[int]bool{}
	for _, r := range add {
		if r.Index < 0 || r.Index >= h.r.Total {
			return nil, fault.New(fault.Internal, "internal", "a result of item %d, of %d", r.Index, h.r.Total).Wrap(fmt.Errorf("job %s", h.r.ID))
		}
		if !h.has.has(r.Index) && !seen[r.Index] {
			seen[r.Index] = true
			list = append(list, r)
		}
	}
	return list, nil
}

// note takes up what was written.
func (h *held) note(list []jobs.Result, inItem bool) {
	if len(list) == 0 {
		return
	}
	h.r.Crashes = 0
	if inItem {
		h.r.inline = pack(h.r.inline[:len(h.r.inline):len(h.r.inline)], list)
		h.r.inlined += len(list)
	}
	for _, r := range list {
		h.has.add(r.Index)
		if h.r.Done++; r.Bad {
			h.r.Bad++
		}
	}
}
