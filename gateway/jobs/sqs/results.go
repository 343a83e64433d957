package sqs

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"triton-gateway/gateway/jobs"
)

const (
	inline  = 4 << 10   // bytes of results that a job's item holds, as long as there are no more: every write of the job costs them again
	segment = 300 << 10 // bytes of results in one item; more become a blob
)

func segmentKey(id string, gen int64, ordinal int) item {
	return key("j#"+id, fmt.Sprintf("r#%06d#%09d", gen, ordinal))
}

// Results implements jobs.Records.
func (s *Store) Results(ctx context.Context, id string, from, limit int) ([]jobs.Result, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	from = max(from, 0)
	end := from + min(max(limit, 0), max(r.Done-from, 0))
	var list []jobs.Result
	for from < end {
		first, part, err := s.segmentAt(ctx, r, from)
		if err != nil {
			return nil, failure(ctx, err)
		}
		if from-first >= len(part) {
			return nil, damaged(fmt.Errorf("%w: result %d is missing", errItem, from))
		}
		part = part[from-first : min(len(part), end-first)]
		for _, p := range part {
			p.Body = bytes.Clone(p.Body)
			list = append(list, p)
		}
		from += len(part)
	}
	return list, nil
}

// segmentAt gives the results that were written together with the given one, and the place of the first of them.
func (s *Store) segmentAt(ctx context.Context, r *record, place int) (first int, list []jobs.Result, err error) {
	if place < r.inlined {
		list, err = unpack(r.inline, r.Total)
		return 0, list, err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	where := "#pk = :pk AND #sk BETWEEN :a AND :b"
	a, b := segmentKey(r.ID, r.gen, 0), segmentKey(r.ID, r.gen, place)
	out, err := s.table.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.tables, KeyConditionExpression: &where, ExpressionAttributeNames: aliases(where), ExpressionAttributeValues: item{":pk": a["pk"], ":a": a["sk"], ":b": b["sk"]},
		ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
	})
	if err != nil {
		return 0, nil, err
	}
	if len(out.Items) != 1 {
		return 0, nil, damaged(fmt.Errorf("%w: result %d is missing", errItem, place))
	}
	return s.readSegment(ctx, out.Items[0], r.Total)
}

// readSegment gives a segment's results and the place of the first one.
func (s *Store) readSegment(ctx context.Context, i item, total int) (first int, list []jobs.Result, err error) {
	if first = ordinal(i); first < 0 {
		return 0, nil, damaged(fmt.Errorf("%w: a segment without its place", errItem))
	}
	data := bin(i, "data")
	if p := str(i, "ptr"); p != "" {
		if data, err = s.Blob(ctx, p); err != nil {
			return 0, nil, err
		}
	}
	list, err = unpack(data, total)
	return first, list, err
}

// ordinal is the place of a segment's first result; -1 where it has none.
func ordinal(i item) int {
	parts := strings.Split(str(i, "sk"), "#")
	if len(parts) != 3 || parts[0] != "r" {
		return -1
	}
	n, err := strconv.ParseUint(parts[2], 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// segments reads what lies beside a job: all its segments, those of other gens too.
func (s *Store) segments(ctx context.Context, id string, each func(item) error, attributes string) error {
	where := "#pk = :pk AND begins_with(#sk, :r)"
	in := &dynamodb.QueryInput{
		TableName: &s.tables, KeyConditionExpression: &where, ExpressionAttributeValues: item{":pk": text("j#" + id), ":r": text("r#")}, ConsistentRead: aws.Bool(true),
		ExpressionAttributeNames: aliases(where, attributes), ProjectionExpression: &attributes,
	}
	for {
		page, err := s.page(ctx, in)
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			if err := each(i); err != nil {
				return err
			}
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

func (s *Store) page(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.table.Query(ctx, in)
}

// answered finds which items of a job have results.
func (s *Store) answered(ctx context.Context, r *record) (set, error) {
	has := newSet(r.Total)
	if r.Done == 0 {
		return has, nil
	}
	note := func(list []jobs.Result, err error) error {
		for _, l := range list {
			has.add(l.Index)
		}
		return err
	}
	if err := note(unpack(r.inline, r.Total)); err != nil || r.inlined == r.Done {
		return has, err
	}
	return has, s.segments(ctx, r.ID, func(i item) error {
		if !strings.HasPrefix(str(i, "sk"), fmt.Sprintf("r#%06d#", r.gen)) || ordinal(i) >= r.Done {
			return nil
		}
		_, list, err := s.readSegment(ctx, i, r.Total)
		return note(list, err)
	}, "#sk, #data, #ptr")
}
