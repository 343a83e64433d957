package sqs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	sweepJobs  = 10 // that one Sweep deletes
	sweepBlobs = 25 // that one Sweep looks at
)

// Sweep implements jobs.Blobs. It also sends the messages of jobs that have none any more, and ends those whose deadline has passed.
func (s *Store) Sweep(ctx context.Context) (more bool, err error) {
	for class := range classes {
		n, err := s.rescue(ctx, class)
		if err != nil {
			return false, failure(ctx, err)
		}
		more = more || n
	}
	for _, w := range []string{dying, told, untold} {
		n, err := s.sweepOne(ctx, w, sweepJobs, s.bye)
		if err != nil {
			return false, failure(ctx, err)
		}
		more = more || n
	}
	n, err := s.sweepOne(ctx, kept, sweepBlobs, s.look)
	return more || n, failure(ctx, err)
}

// due gives the keys of what is to be looked at.
func (s *Store) due(ctx context.Context, w string, limit int) ([]item, error) {
	where := "#w = :w AND #due <= :now"
	out, err := s.page(ctx, &dynamodb.QueryInput{
		TableName: &s.tables, IndexName: aws.String(dueIndex), KeyConditionExpression: &where, ExpressionAttributeNames: aliases(where),
		ExpressionAttributeValues: item{":w": text(w), ":now": number(jobs.Micros(s.now()))}, Limit: aws.Int32(int32(limit)),
	})
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// sweepOne takes some of a kind, and tells whether there is more, which there is only where all were done.
func (s *Store) sweepOne(ctx context.Context, w string, limit int, do func(ctx context.Context, i item) (done bool, err error)) (more bool, err error) {
	list, err := s.due(ctx, w, limit)
	if err != nil {
		return false, err
	}
	more = len(list) == limit
	for _, i := range list {
		done, err := do(ctx, i)
		if err != nil {
			return false, err
		}
		more = more && done
	}
	return more, nil
}

// bye deletes a job: first nobody sees it any more, then what it has goes, and the item at last, so that a sweep which is cut off is taken up by the next.
func (s *Store) bye(ctx context.Context, i item) (bool, error) {
	id := strings.TrimPrefix(str(i, "pk"), "j#")
	now := s.now()
	whole, err := s.item(ctx, jobKey(id))
	if err != nil || len(whole) == 0 {
		return false, err // the index is behind
	}
	r, err := decode(whole)
	if err != nil {
		s.unreadable(ctx, whole, message{}, err)
		return true, nil
	}
	if !r.gone {
		if !r.State.Final() || r.Finished.Add(r.ResultTTL).After(now) {
			return false, nil
		}
		e := &edits{}
		e.is("st", text(string(r.State)))
		e.is("due", number(r.due))
		e.set("st", text(gone))
		e.set("w", text(dying))
		e.set("due", number(jobs.Micros(now)))
		if _, err := s.update(ctx, e.of(id)); errors.Is(err, errCondition) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, s.clear(ctx, r)
}

// clear deletes all that a job leaves.
func (s *Store) clear(ctx context.Context, r *record) error {
	var digests []string
	switch err := s.fill(ctx, r); {
	case err == nil:
		digests = r.digests()
	case fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Internal: // a list that is lost leaves its blobs to be looked at one by one
		return err
	}
	keys, more, err := s.leftovers(ctx, r.ID)
	if err != nil {
		return err
	}
	digests = append(digests, more...)
	slices.Sort(digests)
	if err := s.batch(ctx, keys); err != nil {
		return err
	}
	if err := s.letGo(ctx, r.ID, slices.Compact(digests)); err != nil {
		return err
	}
	if r.Key != "" {
		if err := s.remove(ctx, idempotency(r.Tenant, r.Key), "#job = :job", item{":job": text(r.ID)}); err != nil {
			return err
		}
	}
	return s.remove(ctx, jobKey(r.ID), "#st = :gone", item{":gone": text(gone)})
}

// look deletes a blob that no job names, and comes again later to one that some does.
func (s *Store) look(ctx context.Context, i item) (bool, error) {
	m, refs, err := s.named(ctx, strings.TrimPrefix(str(i, "pk"), "b#"))
	if err != nil || m.digest == "" || m.due > jobs.Micros(s.now()) || m.due < 0 {
		return false, err
	}
	now := s.now()
	for _, ref := range refs {
		id := strings.TrimPrefix(str(ref, "sk"), refSort)
		job, err := s.item(ctx, jobKey(id))
		if err != nil {
			return false, err
		}
		if len(job) > 0 || jobs.Moment(max(num(ref, "at"), 0)).Add(spare+fresh).After(now) {
			e := &edits{}
			e.is("due", number(m.due))
			e.set("due", number(jobs.Micros(now.Add(named))))
			w := e.of("")
			w.key, w.op = metaKey(m.digest), ""
			_, err := s.update(ctx, w)
			if errors.Is(err, errCondition) {
				err = nil
			}
			return true, err
		}
		if err := s.remove(ctx, key("b#"+m.digest, refSort+id), "", nil); err != nil { // its job never came, or is gone
			return false, err
		}
	}
	if len(refs) > 0 {
		return false, nil // there may be others
	}
	return true, s.forget(ctx, m)
}

// rescue looks at jobs that should have moved.
func (s *Store) rescue(ctx context.Context, class int) (more bool, err error) {
	late, err := s.late(ctx, class)
	if err != nil {
		return false, err
	}
	if late > 0 { // somebody waits in a line that may be long, or has no message any more
		s.exhume(ctx)
	}
	return s.sweepOne(ctx, active(class), sweepBlobs, func(ctx context.Context, i item) (bool, error) {
		id := strings.TrimPrefix(str(i, "pk"), "j#")
		whole, err := s.item(ctx, jobKey(id))
		if err != nil || len(whole) == 0 {
			return false, err
		}
		r, err := decode(whole)
		if err != nil {
			s.unreadable(ctx, whole, message{}, err)
			return true, nil
		}
		return s.rescueOne(ctx, r, late)
	})
}

func (s *Store) rescueOne(ctx context.Context, r *record, late time.Duration) (bool, error) {
	now := s.now()
	if r.State.Final() || r.gone || r.State == jobs.Running && r.end.After(now) {
		return false, nil // the index is behind, or its holder has just come back
	}
	e := &edits{}
	e.unchanged(r)
	state, over := r.over(now)
	switch {
	case over:
		e.finish(r, state, now)
	case now.Before(jobs.Moment(r.due).Add(late)):
		return false, nil // its message is in a long line
	default:
		e.set("msg", text(token()))
		e.set("due", number(jobs.Micros(now.Add(grace))))
	}
	i, err := s.update(ctx, e.of(r.ID))
	if errors.Is(err, errCondition) {
		return false, nil
	}
	if err != nil || over {
		return err == nil, err
	}
	if r, err = decode(i); err != nil {
		return false, err
	}
	s.log.Info("a job that nobody has taken is put into its queue again", slog.String("job", r.ID))
	return true, s.send(ctx, r, r.msg, r.msg)
}
