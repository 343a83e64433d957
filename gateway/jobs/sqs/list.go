package sqs

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
)

const (
	looked    = 500 // jobs that one query of a list with filters looks at
	listPages = 20  // such queries of one call; then the page is given short, with a cursor
)

var seqPattern = regexp.MustCompile(`^[0-9a-f]{16}\.[0-9a-f]{16}$`)

// List implements jobs.Records. A page may be short, or empty, and have a next one: a call looks at 10,000 jobs at most. The index follows the table within a
// moment.
func (s *Store) List(ctx context.Context, f jobs.Filter) (page []*jobs.Job, next string, err error) {
	if f.Untold {
		return s.listUntold(ctx, f)
	}
	from := "~"
	if f.Cursor != "" {
		if from = f.Cursor; !seqPattern.MatchString(from) {
			return nil, "", badCursor()
		}
	}
	filter, values := filterOf(f)
	for range listPages {
		found, last, err := s.listOnce(ctx, filter, values, from, f.Limit-len(page)+1)
		if err != nil {
			return nil, "", failure(ctx, err)
		}
		for n, i := range found {
			if len(page) == f.Limit {
				return page, str(found[n-1], "seq"), nil
			}
			if r, err := decode(i); err != nil {
				s.log.Warn("a job in the store cannot be read", slog.String("item", str(i, "pk")), slog.String("cause", err.Error()))
			} else {
				r.Place = -1
				page = append(page, &r.Job)
			}
		}
		if last == "" {
			return page, "", nil
		}
		if from = last; len(page) == f.Limit {
			break
		}
	}
	return page, from, nil
}

// listOnce gives jobs that come behind from, and where to go on; "" at the end.
func (s *Store) listOnce(ctx context.Context, filter string, values item, from string, limit int) (found []item, last string, err error) {
	values[":from"] = text(from)
	where := "#l = :l AND #seq < :from"
	if len(values) > 3 {
		limit = looked
	}
	out, err := s.page(ctx, &dynamodb.QueryInput{
		TableName: &s.tables, IndexName: aws.String(listIndex), KeyConditionExpression: &where, FilterExpression: &filter, ExpressionAttributeNames: aliases(where, filter),
		ExpressionAttributeValues: values, ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(limit)),
	})
	if err != nil {
		return nil, "", err
	}
	return out.Items, str(out.LastEvaluatedKey, "seq"), nil
}

// filterOf is a filter as an expression; it has three values where it lets all jobs pass.
func filterOf(f jobs.Filter) (string, item) {
	list, values := []string{"#st <> :gone"}, item{":l": text("j"), ":gone": text(gone), ":from": text("")}
	add := func(name, value string) {
		list, values[":"+name] = append(list, "#"+name+" = :"+name), text(value)
	}
	if f.Tenant != nil {
		add("t", *f.Tenant)
	}
	if f.Model != "" {
		add("m", f.Model)
	}
	if f.Priority != "" {
		add("p", string(f.Priority))
	}
	var in []string
	for n, state := range f.States {
		in = append(in, fmt.Sprint(":s", n))
		values[in[n]] = text(string(state))
	}
	if len(in) > 0 {
		list = append(list, "#st IN ("+strings.Join(in, ", ")+")")
	}
	return strings.Join(list, " AND "), values
}

func badCursor() error {
	return invalid("the cursor is none that a list gave; begin anew without one").At("query.cursor", "unknown")
}

// listUntold lists by the index of what Sweep looks at: jobs whose webhooks wait are few among many.
func (s *Store) listUntold(ctx context.Context, f jobs.Filter) (page []*jobs.Job, next string, err error) {
	where, values := "#w = :w", item{":w": text(untold)}
	in := &dynamodb.QueryInput{
		TableName: &s.tables, IndexName: aws.String(dueIndex), KeyConditionExpression: &where, ExpressionAttributeNames: aliases(where),
		ExpressionAttributeValues: values, Limit: aws.Int32(int32(min(f.Limit, 100))),
	}
	if f.Cursor != "" {
		if in.ExclusiveStartKey, err = untoldAfter(f.Cursor); err != nil {
			return nil, "", err
		}
	}
	out, err := s.page(ctx, in)
	if err != nil {
		return nil, "", failure(ctx, err)
	}
	for _, i := range out.Items {
		r, err := s.load(ctx, strings.TrimPrefix(str(i, "pk"), "j#"))
		if err != nil && !absentOrDamaged(err) {
			return nil, "", err
		}
		if err == nil && r.w == untold && matches(r, f) {
			r.Place = -1
			page = append(page, &r.Job)
		}
	}
	if last := out.LastEvaluatedKey; len(last) > 0 {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", num(last, "due"), str(last, "pk")))
	}
	return page, next, nil
}

func untoldAfter(cursor string) (item, error) {
	var (
		due int64
		pk  string
	)
	plain, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(plain) > 200 {
		return nil, badCursor()
	}
	if n, err := fmt.Sscanf(string(plain), "%d %s", &due, &pk); err != nil || n != 2 || due < 0 || !strings.HasPrefix(pk, "j#") || !idForm.MatchString(pk[2:]) {
		return nil, badCursor()
	}
	return item{"w": text(untold), "due": &ddb.AttributeValueMemberN{Value: fmt.Sprint(due)}, "pk": text(pk), "sk": text(jobSort)}, nil
}
