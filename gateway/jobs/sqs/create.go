package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
)

// clock gives each job of this process its own place in the order of creation.
type clock struct {
	mu   sync.Mutex
	last int64
}

func (c *clock) next(now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, now.UnixMicro())
	return c.last
}

const (
	seqForm = "%016x.%s"       // microseconds, and what tells two processes apart
	grace   = 30 * time.Second // after which Sweep wonders where a job's message is
)

// Create implements jobs.Records. The job is in the table before its message is sent: where that fails, Sweep sends it.
func (s *Store) Create(ctx context.Context, spec *jobs.Spec) (existing *jobs.Job, err error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(ctx, err)
	}
	r, i, err := s.fresh(spec)
	if err != nil {
		return nil, err
	}
	if r.pointer != "" {
		if err := s.put(ctx, r.pointer, r.items); err != nil {
			return nil, failure(ctx, err)
		}
	}
	if err := s.hold(ctx, spec.ID, r.digests()); err != nil {
		return nil, failure(ctx, err)
	}
	if spec.Key == "" {
		err = s.insert(ctx, i)
	} else {
		existing, err = s.insertWithKey(ctx, spec, i)
	}
	if err != nil || existing != nil {
		return existing, failure(ctx, err)
	}
	// The job is taken in, be it that the caller has left by now.
	if err := s.send(context.WithoutCancel(ctx), r, r.msg, r.msg); err != nil {
		s.log.Warn("the message of a new job is not sent; it will be by a sweep", slog.String("job", spec.ID), slog.String("cause", err.Error()))
	}
	return nil, nil
}

// fresh makes the item of a new job.
func (s *Store) fresh(spec *jobs.Spec) (*record, item, error) {
	r := &record{Job: jobs.Job{Spec: *spec, State: jobs.Queued}, msg: token(), class: classOf(spec.Priority)}
	if r.class < 0 || !idForm.MatchString(spec.ID) {
		return nil, nil, invalid("a job has an id of letters, digits, _ and -, and a priority")
	}
	var err error
	if r.items, err = squeeze(spec.Items); err != nil {
		return nil, nil, err
	}
	head := *spec
	head.Items = nil
	plain, err := json.Marshal(head)
	if err != nil {
		return nil, nil, fmt.Errorf("the spec of a job: %w", err)
	}
	if len(plain) > 200<<10 {
		return nil, nil, invalid("a job without its items has %d bytes; options, webhook and names may have 200 KB together", len(plain))
	}
	now := s.now()
	i := jobKey(spec.ID)
	for name, v := range map[string]ddb.AttributeValue{
		"spec": text(string(plain)), "st": text(string(jobs.Queued)), "p": text(string(spec.Priority)), "t": text(spec.Tenant), "m": text(spec.Model),
		"run": number(jobs.Micros(spec.RunAt)), "dl": number(jobs.Micros(spec.Deadline)), "total": number(int64(len(spec.Items))), "done": number(0), "bad": number(0),
		"att": number(0), "cr": number(0), "fence": number(0), "gen": number(0), "end": number(0), "can": truth(false), "told": truth(spec.Webhook == ""),
		"msg": text(r.msg), "op": text(token()), "l": text("j"), "seq": text(fmt.Sprintf(seqForm, s.clock.next(now), token())),
		"w": text(active(r.class)), "due": number(r.dueAt(now)),
	} {
		i[name] = v
	}
	if len(r.items) > inItem {
		r.pointer = digest(r.items)
		i["ptr"] = text(r.pointer)
	} else {
		i["items"] = octets(r.items)
	}
	return r, i, nil
}

// dueAt is when Sweep is to look at a job that waits.
func (r *record) dueAt(now time.Time) int64 {
	at := now
	if r.RunAt.After(at) {
		at = r.RunAt
	}
	if at = at.Add(grace); !r.Deadline.IsZero() && r.Deadline.Before(at) {
		at = r.Deadline
	}
	return jobs.Micros(at)
}

const newItem = "attribute_not_exists(#pk)"

// insert puts a job that has no key.
func (s *Store) insert(ctx context.Context, i item) error {
	err := s.again(ctx, func(ctx context.Context) error {
		_, err := s.table.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.tables, Item: i, ConditionExpression: aws.String(newItem), ExpressionAttributeNames: aliases(newItem)})
		return err
	})
	var unmet *ddb.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		return s.mine(ctx, i)
	}
	return err
}

// mine tells the job of a call whose answer was lost from another's of the same id.
func (s *Store) mine(ctx context.Context, i item) error {
	old, err := s.item(ctx, item{"pk": i["pk"], "sk": i["sk"]})
	if err == nil && str(old, "op") != str(i, "op") {
		return conflict("there is a job of this id")
	}
	return err
}
