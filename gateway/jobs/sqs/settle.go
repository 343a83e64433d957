package sqs

import (
	"context"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// append adds results to a write: within the job's item as long as they are few bytes, in an item of their own otherwise, in a blob where they are too many
// for an item. The number of results that the write expects sees to it that none is lost.
func (s *Store) append(ctx context.Context, h *held, e *edits, list []jobs.Result) (puts []ddb.Put, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	bad := h.r.Bad
	for _, r := range list {
		if r.Bad {
			bad++
		}
	}
	e.is("done", number(int64(h.r.Done)))
	e.set("done", number(int64(h.r.Done+len(list))))
	e.set("bad", number(int64(bad)))
	e.set("cr", number(0))
	if h.r.inlined == h.r.Done {
		if all := pack(h.r.inline[:len(h.r.inline):len(h.r.inline)], list); len(all) <= inline {
			e.set("b0", octets(all))
			e.set("n0", number(int64(h.r.Done+len(list))))
			return nil, nil
		}
	}
	i, err := s.segment(ctx, h.r.ID, h.r.gen, h.r.Done, pack(nil, list))
	if err != nil {
		return nil, err
	}
	return []ddb.Put{{TableName: &s.tables, Item: i}}, nil
}

// segment makes the item of results that lie one after the other.
func (s *Store) segment(ctx context.Context, id string, gen int64, first int, data []byte) (item, error) {
	i := segmentKey(id, gen, first)
	if len(data) <= segment {
		i["data"] = octets(data)
		return i, nil
	}
	name := digest(data)
	if err := s.put(ctx, name, data); err != nil {
		return nil, err
	}
	if err := s.hold(ctx, id, []string{name}); err != nil {
		return nil, err
	}
	i["ptr"] = text(name)
	return i, nil
}

// Extend implements jobs.Queue. The message is hidden for as long only when three tenths of the lease are gone: calls that write results between two
// heartbeats cost one request.
func (s *Store) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	var (
		now     = s.now()
		prolong bool
	)
	h, err := s.write(ctx, l, add, func(h *held, e *edits) {
		e.set("end", number(jobs.Micros(now.Add(ttl))))
		e.is("can", truth(h.r.Canceled)) // a transaction does not tell what it finds
		if prolong = h.message.until.Sub(now) < ttl*3/4; prolong {
			e.set("due", number(jobs.Micros(now.Add(ttl+lateAfter))))
		}
	})
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if prolong && h.message.receipt != "" {
		s.hideFor(ctx, h.message, ttl+margin)
		h.message.until = now.Add(ttl + margin)
	}
	return h.r.Canceled, nil
}

// Settle implements jobs.Queue.
func (s *Store) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	if o.State != jobs.Queued && !o.State.Final() {
		return fault.New(fault.Internal, "internal", "a lease cannot end in state %q", o.State)
	}
	now, state := s.now(), o.State
	h, err := s.write(ctx, l, add, func(h *held, e *edits) {
		if o.Burn {
			e.set("att", number(int64(h.r.Attempt)+1))
		}
		if o.State.Final() || o.Problem != nil {
			e.problem(o.Problem)
		}
		if state = o.State; state == jobs.Queued {
			e.is("can", truth(h.r.Canceled))
			if h.r.Canceled {
				state = jobs.Canceled
			}
		}
		if state.Final() {
			e.finish(h.r, state, now)
			return
		}
		if o.RunAt.After(now) {
			h.r.RunAt = time.UnixMicro(jobs.Micros(o.RunAt)).UTC()
			e.set("run", number(jobs.Micros(h.r.RunAt)))
		}
		e.set("st", text(string(jobs.Queued)))
		e.set("due", number(h.r.dueAt(now)))
	})
	if err != nil {
		return err
	}
	s.holding.drop(h, l.ID)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case state.Final():
		s.drop(h.message)
	case h.message.receipt != "":
		s.renew(ctx, h.message, h.r)
	default: // another process received the message: it comes again at the end of the lease, as one of two
		if err := s.send(ctx, h.r, h.r.msg, token()); err != nil {
			s.troubled("the message of a job that is given back is not sent; it comes when its lease would have ended", message{body: body{ID: l.ID}, class: h.r.class}, err)
		}
	}
	return nil
}
