package sqs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/internal/pause"
)

// The keys of the table: all that belongs to a job has its partition, and so has all that belongs to a blob.
//
//	j#ID      job            the job
//	j#ID      r#GEN#ORDINAL  results from that one on
//	k#HASH    key            the job of an Idempotency-Key
//	b#DIGEST  meta           a blob
//	b#DIGEST  ref#ID         a job that names it
//	c#DIGEST#GEN  N          a piece of a blob, where there is no bucket
const (
	jobSort  = "job"
	keySort  = "key"
	metaSort = "meta"
	refSort  = "ref#"
)

func jobKey(id string) item { return key("j#"+id, jobSort) }

func key(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

// The table's indexes.
const (
	listIndex = "list" // l, seq: jobs by creation
	dueIndex  = "due"  // w, due: what Sweep has to look at, and when
)

type item = map[string]ddb.AttributeValue

func text(v string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: v} }

func number(v int64) ddb.AttributeValue {
	return &ddb.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
}

func octets(v []byte) ddb.AttributeValue { return &ddb.AttributeValueMemberB{Value: v} }

func truth(v bool) ddb.AttributeValue { return &ddb.AttributeValueMemberBOOL{Value: v} }

// token is a random name.
func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// write is one conditional update. The names in its expressions begin with #, the values with a colon.
type write struct {
	key    item
	set    string // all of the update expression
	where  string // the condition
	values item
	op     string // is stored with it: by this a call whose answer was lost knows its own work; "": the write needs none
}

var nameForm = regexp.MustCompile(`#[a-z0-9]+`)

// aliases are the names that expressions use.
func aliases(expressions ...string) map[string]string {
	m := map[string]string{}
	for _, e := range expressions {
		for _, n := range nameForm.FindAllString(e, -1) {
			m[n] = n[1:]
		}
	}
	return m
}

// errCondition says that a condition was not met. The item, as it is, comes with it.
var errCondition = errors.New("the condition of a write is not met")

func (w *write) expression() (set string, values item) {
	set, values = w.set, w.values
	if w.op != "" {
		set = "SET #op = :op, " + set[len("SET "):]
		values[":op"] = text(w.op)
	}
	return set, values
}

// update writes and gives the item as it is then: after the write, or, with errCondition, without. Failures are not yet those of callers.
func (s *Store) update(ctx context.Context, w write) (now item, err error) {
	set, values := w.expression()
	in := &dynamodb.UpdateItemInput{
		TableName: &s.tables, Key: w.key, UpdateExpression: &set, ConditionExpression: &w.where, ExpressionAttributeNames: aliases(set, w.where),
		ExpressionAttributeValues: values, ReturnValues: ddb.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: ddb.ReturnValuesOnConditionCheckFailureAllOld,
	}
	err = s.again(ctx, func(ctx context.Context) error {
		out, err := s.table.UpdateItem(ctx, in)
		if err == nil {
			now = out.Attributes
		}
		return err
	})
	var unmet *ddb.ConditionalCheckFailedException
	if !errors.As(err, &unmet) {
		return now, err
	}
	if now = unmet.Item; len(now) == 0 {
		if now, err = s.item(ctx, w.key); err != nil {
			return nil, err
		}
	}
	if w.op != "" && str(now, "op") == w.op {
		return now, nil // this call's own, whose answer was lost
	}
	return now, errCondition
}

// transact writes the update and puts the others, all or none.
func (s *Store) transact(ctx context.Context, w write, puts ...ddb.Put) (now item, err error) {
	set, values := w.expression()
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(token() + token()), TransactItems: []ddb.TransactWriteItem{{Update: &ddb.Update{
		TableName: &s.tables, Key: w.key, UpdateExpression: &set, ConditionExpression: &w.where, ExpressionAttributeNames: aliases(set, w.where),
		ExpressionAttributeValues: values,
	}}}}
	for i := range puts {
		in.TransactItems = append(in.TransactItems, ddb.TransactWriteItem{Put: &puts[i]})
	}
	err = s.again(ctx, func(ctx context.Context) error {
		_, err := s.table.TransactWriteItems(ctx, in)
		return err
	})
	if failed(err, 0) {
		if now, err = s.item(ctx, w.key); err != nil {
			return nil, err
		}
		if w.op != "" && str(now, "op") == w.op {
			return now, nil
		}
		return now, errCondition
	}
	return nil, err
}

// failed reports whether the condition of the n-th write of a transaction was not met.
func failed(err error, n int) bool {
	var c *ddb.TransactionCanceledException
	return errors.As(err, &c) && n < len(c.CancellationReasons) && aws.ToString(c.CancellationReasons[n].Code) == "ConditionalCheckFailed"
}

// again tries as long as writers meet, which the SDK does not; within patience.
func (s *Store) again(ctx context.Context, try func(ctx context.Context) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, longWait) {
		err := try(ctx)
		if !momentary(err) || failed(err, 0) || failed(err, 1) {
			return err
		}
		if !pause.For(ctx, wait/2+mathrand.N(wait)) {
			return err
		}
	}
}

// item reads one as it is, nil where there is none.
func (s *Store) item(ctx context.Context, key item) (item, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	out, err := s.table.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.tables, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// remove deletes an item; where is a condition, "" for none. An unmet one is no error.
func (s *Store) remove(ctx context.Context, key item, where string, values item) error {
	in := &dynamodb.DeleteItemInput{TableName: &s.tables, Key: key}
	if where != "" {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = &where, aliases(where), values
	}
	err := s.again(ctx, func(ctx context.Context) error {
		_, err := s.table.DeleteItem(ctx, in)
		return err
	})
	var unmet *ddb.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		return nil
	}
	return err
}

// batch puts and deletes items in any order, 25 at a time.
func (s *Store) batch(ctx context.Context, list []ddb.WriteRequest) error {
	const most = 25 // of one BatchWriteItem
	return each(ctx, (len(list)+most-1)/most, func(ctx context.Context, n int) error {
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		left := list[n*most : min((n+1)*most, len(list))]
		for wait := 10 * time.Millisecond; len(left) > 0; wait = min(2*wait, longWait) {
			out, err := s.table.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{s.tables: left}})
			if err != nil {
				return err
			}
			if left = out.UnprocessedItems[s.tables]; len(left) > 0 && !pause.For(ctx, wait) {
				return ctx.Err()
			}
		}
		return nil
	})
}
