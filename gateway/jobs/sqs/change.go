package sqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
)

// Change implements jobs.Queue.
func (s *Store) Change(ctx context.Context, id string, c jobs.Change) (*jobs.Job, error) {
	if c != jobs.Cancel && c != jobs.Retry && c != jobs.Told {
		return nil, invalid("a job cannot be changed by %q; it can be by cancel, retry and told", c)
	}
	r, err := s.load(ctx, id)
	for range rounds {
		if err != nil {
			return nil, err
		}
		e, err := s.changed(ctx, r, c)
		if err != nil {
			return nil, failure(ctx, err)
		}
		i, err := s.update(ctx, e.of(id))
		if err != nil && !errors.Is(err, errCondition) {
			return nil, failure(ctx, err)
		}
		met := err != nil
		if r, err = existing(i); err != nil {
			return nil, err
		}
		if met {
			continue
		}
		if c == jobs.Retry {
			if err := s.send(context.WithoutCancel(ctx), r, r.msg, r.msg); err != nil {
				s.log.Warn("the message of a job is not sent; it will be by a sweep", slog.String("job", id), slog.String("cause", err.Error()))
			}
		}
		return &r.Job, s.fill(ctx, r)
	}
	return nil, unavailable("many write to one job at once; come again", nil)
}

// changed is the write of a change.
func (s *Store) changed(ctx context.Context, r *record, c jobs.Change) (*edits, error) {
	now, e := s.now(), &edits{}
	e.is("st", text(string(r.State)))
	e.is("fence", number(r.Fence))
	switch {
	case c == jobs.Cancel && r.State == jobs.Queued:
		e.set("can", truth(true))
		e.finish(r, jobs.Canceled, now)
	case c == jobs.Cancel && r.State == jobs.Running:
		e.set("can", truth(true))
	case c == jobs.Told && r.State.Final():
		e.set("told", truth(true))
		e.set("w", text(told))
	case c == jobs.Retry && r.State.Final() && r.State != jobs.Succeeded:
		return e, s.retry(ctx, r, e, now)
	default:
		return nil, conflict("the job is %s; it cannot be changed by %q", r.State, c)
	}
	return e, nil
}

// retry makes a job new but for its good results and its fence. Where some are bad, the good ones are written anew beside the old; the write of the job makes
// them the ones that count.
func (s *Store) retry(ctx context.Context, r *record, e *edits, now time.Time) error {
	e.is("gen", number(r.gen))
	if r.Bad > 0 {
		if err := s.weed(ctx, r, e); err != nil {
			return err
		}
	}
	if !r.Deadline.After(now) {
		r.Deadline = time.Time{}
		e.set("dl", number(0))
	}
	r.RunAt = now
	e.set("st", text(string(jobs.Queued)))
	e.set("run", number(jobs.Micros(now)))
	e.set("att", number(0))
	e.set("cr", number(0))
	e.set("can", truth(false))
	e.set("told", truth(r.Webhook == ""))
	e.set("msg", text(token()))
	e.set("w", text(active(r.class)))
	e.set("due", number(r.dueAt(now)))
	for _, name := range []string{"fin", "prob", "ttl"} {
		e.remove(name)
	}
	return nil
}

// weed writes the good results of a final job as those of its next gen. All who do so at once write the same.
func (s *Store) weed(ctx context.Context, r *record, e *edits) error {
	var (
		kept []byte
		list []ddb.WriteRequest
		n    int // results that are written
		more int // results in kept
	)
	flush := func(first int) error {
		i, err := s.segment(ctx, r.ID, r.gen+1, first, kept)
		if err == nil {
			list = append(list, ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: i}})
		}
		return err
	}
	for place := 0; place < r.Done; {
		first, part, err := s.segmentAt(ctx, r, place)
		if err != nil {
			return err
		}
		if first != place || len(part) == 0 {
			return damaged(fmt.Errorf("%w: result %d is missing", errItem, place))
		}
		for _, p := range part {
			if p.Bad {
				continue
			}
			one := pack(nil, []jobs.Result{p})
			if len(kept) > 0 && len(kept)+len(one) > segment {
				if err := flush(n); err != nil {
					return err
				}
				kept, n, more = nil, n+more, 0
			}
			kept, more = append(kept, one...), more+1
		}
		place += len(part)
	}
	total := n + more
	e.set("gen", number(r.gen+1))
	e.set("bad", number(0))
	e.set("done", number(int64(total)))
	if n == 0 && len(kept) <= inline {
		e.set("b0", octets(kept))
		e.set("n0", number(int64(total)))
		return nil
	}
	e.remove("b0")
	e.set("n0", number(0))
	if more > 0 {
		if err := flush(n); err != nil {
			return err
		}
	}
	return s.batch(ctx, list)
}

// leftovers are what a job leaves beside its item: keys of its segments, and digests of their blobs.
func (s *Store) leftovers(ctx context.Context, id string) (keys []ddb.WriteRequest, digests []string, err error) {
	err = s.segments(ctx, id, func(i item) error {
		if !strings.HasPrefix(str(i, "sk"), "r#") {
			return nil
		}
		keys = append(keys, ddb.WriteRequest{DeleteRequest: &ddb.DeleteRequest{Key: key("j#"+id, str(i, "sk"))}})
		if p := str(i, "ptr"); isDigest(p) {
			digests = append(digests, p)
		}
		return nil
	}, "#sk, #ptr")
	return keys, digests, err
}
