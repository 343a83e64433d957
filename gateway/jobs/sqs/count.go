package sqs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// figures are what was counted last. Counting reads the whole index of what there is, so it is done again only after fifty times as long as it took.
type figures struct {
	mu     sync.Mutex
	counts *jobs.Counts
	until  time.Time
}

// Count implements jobs.Blobs. The figures are some seconds old, and older where there are very many jobs. Bytes are not known: S3 does not tell.
func (s *Store) Count(ctx context.Context) (*jobs.Counts, error) {
	s.figures.mu.Lock()
	defer s.figures.mu.Unlock()
	began := time.Now()
	if s.figures.counts == nil || began.After(s.figures.until) {
		c, err := s.count(ctx)
		if err != nil {
			return nil, failure(ctx, err)
		}
		s.figures.counts = c
		s.figures.until = time.Now().Add(max(s.spread, 50*time.Since(began)))
	}
	return clone(s.figures.counts), nil
}

func clone(c *jobs.Counts) *jobs.Counts {
	n := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}, Bytes: c.Bytes}
	for p, states := range c.Jobs {
		n.Jobs[p] = map[jobs.State]int{}
		for state, count := range states {
			n.Jobs[p][state] = count
		}
	}
	for p, at := range c.Oldest {
		n.Oldest[p] = at
	}
	return n
}

func (s *Store) count(ctx context.Context) (*jobs.Counts, error) {
	c := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}, Bytes: -1}
	for _, p := range classes {
		c.Jobs[p] = map[jobs.State]int{}
	}
	now := s.now()
	for _, w := range []string{active(0), active(1), active(2), told, untold} {
		where := "#w = :w"
		in := &dynamodb.QueryInput{
			TableName: &s.tables, IndexName: aws.String(dueIndex), KeyConditionExpression: &where, ExpressionAttributeNames: aliases(where), ExpressionAttributeValues: item{":w": text(w)},
		}
		for {
			out, err := s.page(ctx, in)
			if err != nil {
				return nil, err
			}
			for _, i := range out.Items {
				tally(c, i, now)
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
				break
			}
		}
	}
	return c, nil
}

// tally counts one job, by what the index holds of it.
func tally(c *jobs.Counts, i item, now time.Time) {
	p, state, run := jobs.Priority(str(i, "p")), jobs.State(str(i, "st")), num(i, "run")
	if classOf(p) < 0 || !slices.Contains(states, state) {
		return
	}
	c.Jobs[p][state]++
	if at := jobs.Moment(max(run, 0)); state == jobs.Queued && !at.After(now) {
		if oldest, ok := c.Oldest[p]; !ok || at.Before(oldest) {
			c.Oldest[p] = at
		}
	}
}

// matches is a filter on a job that was read otherwise than by the index of lists.
func matches(r *record, f jobs.Filter) bool {
	return (f.Tenant == nil || *f.Tenant == r.Tenant) && (f.Model == "" || f.Model == r.Model) && (f.Priority == "" || f.Priority == r.Priority) &&
		(len(f.States) == 0 || slices.Contains(f.States, r.State))
}

// absentOrDamaged: one job cannot be given, others can.
func absentOrDamaged(err error) bool {
	k := fault.KindOf(err)
	return k == fault.NotFound || k == fault.Internal && errors.Is(err, errItem)
}
