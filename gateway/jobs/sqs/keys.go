package sqs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const keyTries = 4 // at a key whose job has been deleted

// idempotency is the key of the item that says whose an Idempotency-Key is. Its job is that of this table, or, where away is set, one of another store, until then.
func idempotency(tenant, name string) item {
	return key("k#"+digest(fmt.Appendf(nil, "%d:%s%s", len(tenant), tenant, name)), keySort)
}

// insertWithKey puts a job and its key, both or none. Where the key is another job's, that is given.
func (s *Store) insertWithKey(ctx context.Context, spec *jobs.Spec, i item) (existing *jobs.Job, err error) {
	dead := "-"
	for range keyTries {
		k := idempotency(spec.Tenant, spec.Key)
		k["job"] = text(spec.ID)
		free := newItem + " OR #job = :dead OR #away <= :now"
		in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(token() + token()), TransactItems: []ddb.TransactWriteItem{
			{Put: &ddb.Put{
				TableName: &s.tables, Item: k, ConditionExpression: &free, ExpressionAttributeNames: aliases(free),
				ExpressionAttributeValues: item{":dead": text(dead), ":now": number(jobs.Micros(s.now()))},
			}},
			{Put: &ddb.Put{TableName: &s.tables, Item: i, ConditionExpression: aws.String(newItem), ExpressionAttributeNames: aliases(newItem)}},
		}}
		err = s.again(ctx, func(ctx context.Context) error {
			_, err := s.table.TransactWriteItems(ctx, in)
			return err
		})
		if !failed(err, 0) && !failed(err, 1) {
			return nil, err
		}
		old, err := s.item(ctx, idempotency(spec.Tenant, spec.Key))
		if err != nil {
			return nil, err
		}
		holder := str(old, "job")
		if holder == "" || holder == spec.ID {
			return nil, s.mine(ctx, i)
		}
		if num(old, "away") > jobs.Micros(s.now()) {
			return nil, conflict("a job with this Idempotency-Key is being handed in elsewhere")
		}
		other, err := s.Get(ctx, holder)
		if !errors.Is(err, notFound()) {
			return other, err
		}
		dead = holder // was deleted after its result_ttl, its key not yet
	}
	return nil, unavailable("the key of a deleted job could not be taken over; come again", nil)
}

// ByKey implements jobs.Keyed.
func (s *Store) ByKey(ctx context.Context, tenant, name string) (*jobs.Job, error) {
	i, err := s.item(ctx, idempotency(tenant, name))
	if err != nil {
		return nil, failure(ctx, err)
	}
	if len(i) == 0 || i["away"] != nil {
		return nil, notFound()
	}
	return s.Look(ctx, str(i, "job"))
}

// Claim keeps an Idempotency-Key, which is not "", for a job that another store is about to take in, until the given time: meanwhile Create refuses a job of that key with a Conflict. Many may claim
// one key. Where a job of this store has it, that is given, as Look does, and nothing is kept.
func (s *Store) Claim(ctx context.Context, tenant, name, id string, until time.Time) (existing *jobs.Job, err error) {
	dead := "-"
	for range keyTries {
		i, err := s.update(ctx, write{
			key: idempotency(tenant, name), set: "SET #job = :job, #away = :away, #ttl = :ttl", where: newItem + " OR #away > :zero OR #job = :dead",
			values: item{":job": text(id), ":away": number(jobs.Micros(until)), ":ttl": number(until.Add(ttlSpare).Unix()), ":zero": number(0), ":dead": text(dead)},
		})
		if !errors.Is(err, errCondition) {
			return nil, failure(ctx, err)
		}
		if existing, err = s.Look(ctx, str(i, "job")); err == nil || fault.KindOf(err) != fault.NotFound {
			return existing, err
		}
		dead = str(i, "job")
	}
	return nil, unavailable("the key of a deleted job could not be taken over; come again", nil)
}
