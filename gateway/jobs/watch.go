package jobs

import (
	"context"
	"iter"
	"sync"
	"time"
)

// hub tells those who watch a job of this process that there is news. News of other processes is found by looking.
type hub struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]struct{}
}

func (h *hub) watch(id string) (news chan struct{}, stop func()) {
	news = make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[id] == nil {
		h.watchers[id] = map[chan struct{}]struct{}{}
	}
	h.watchers[id][news] = struct{}{}
	return news, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers[id], news)
		if len(h.watchers[id]) == 0 {
			delete(h.watchers, id)
		}
	}
}

func (h *hub) notify(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.watchers[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

const (
	firstLook = 20 * time.Millisecond
	lastLook  = time.Second // between two looks at a job that another process has
	mostLate  = 8           // looks for results of a final job that are counted and not seen
)

// Wait gives the job when it is final, or as it is after d; as Look does, without its Items. Errors are those of Get, and ctx's.
func (s *Service) Wait(ctx context.Context, tenant *string, id string, d time.Duration) (*Job, error) {
	news, stop := s.hub.watch(id)
	defer stop()
	end := s.Now().Add(d)
	for look := firstLook; ; look = min(look*3/2, lastLook) {
		j, err := s.Look(ctx, tenant, id)
		if err != nil || j.State.Final() || !s.Now().Before(end) {
			return j, err
		}
		if !await(ctx, news, min(look, end.Sub(s.Now()))) {
			return nil, ended(ctx.Err())
		}
	}
}

// Event is a step of a job's progress.
type Event struct {
	ID     int     // how many results there are with this one; it is where to go on from
	Result *Result // of one item; nil at the end
	Job    *Job    // at the end: the job in its final state; otherwise as it was last seen. As of Look
}

// Events gives what becomes of a job, one event an item, from the given number of results on; the last one is that of the final state. It ends with an error:
// those of Get, and ctx's. After a Retry, which drops bad results, it goes on from those that are left.
func (s *Service) Events(ctx context.Context, tenant *string, id string, from int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		news, stop := s.hub.watch(id)
		defer stop()
		look, late := firstLook, 0
		for {
			// The job is read first: a result that comes after it belongs to it, one that came before is not missed.
			j, err := s.Look(ctx, tenant, id)
			if err != nil {
				yield(Event{}, err)
				return
			}
			from = min(max(from, 0), j.Done)
			var page []Result
			if j.Done > from {
				if page, err = s.Store.Results(ctx, id, from, min(j.Done-from, 64)); err != nil {
					yield(Event{}, err)
					return
				}
			}
			for i := range page {
				from++
				if !yield(Event{ID: from, Result: &page[i], Job: j}, nil) {
					return
				}
			}
			switch {
			case len(page) > 0:
				look, late = firstLook, 0
				continue
			case j.State.Final() && (j.Done <= from || late >= mostLate):
				yield(Event{ID: from, Job: j}, nil)
				return
			case j.State.Final():
				late++ // the store shows the count before the results
			}
			if !await(ctx, news, look) {
				yield(Event{}, ended(ctx.Err()))
				return
			}
			look = min(look*3/2, lastLook)
		}
	}
}
