package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	retention = 14 * 24 * time.Hour // of messages, the longest that SQS has
	setupFor  = 3 * time.Minute     // for which Setup waits at most until the table can be used
)

// Setup makes what a URL of jobs.queue names, where it is not there: the queues, the dead-letter queue, the table, and the bucket where one is named. deploy/aws/jobs.yaml makes the
// same with the rights that a gateway needs. It tells what it made, a line each. Calling it again changes nothing; a queue of the same name and other settings is an error.
func Setup(ctx context.Context, url string) (made []string, err error) {
	s, err := Open(ctx, Options{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	steps := []func(context.Context) (string, error){s.makeQueues, s.makeTable}
	if s.bucket != "" {
		steps = append(steps, s.makeBucket)
	}
	for _, step := range steps {
		done, err := step(ctx)
		if err != nil {
			return made, failure(ctx, err)
		}
		made = append(made, done)
	}
	return made, nil
}

// attributes are those of all queues; redrive names the dead letters' queue, "" for that itself.
func (n names) attributes(redrive string) (map[string]string, error) {
	a := map[string]string{
		"MessageRetentionPeriod": fmt.Sprint(int(retention.Seconds())), "SqsManagedSseEnabled": "true",
		"VisibilityTimeout": fmt.Sprint(int(n.term.Seconds())), "ReceiveMessageWaitTimeSeconds": fmt.Sprint(pollFor),
	}
	if n.fifo {
		a["FifoQueue"], a["DeduplicationScope"], a["FifoThroughputLimit"] = "true", "messageGroup", "perMessageGroupId"
	}
	if redrive != "" {
		policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": redrive, "maxReceiveCount": receives})
		if err != nil {
			return nil, err
		}
		a["RedrivePolicy"] = string(policy)
	}
	return a, nil
}

func (s *Store) makeQueues(ctx context.Context) (string, error) {
	arn := ""
	for class := -1; class < len(classes); class++ {
		a, err := s.attributes(arn)
		if err != nil {
			return "", err
		}
		name := s.queue(class)
		out, err := s.queues.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: &name, Attributes: a})
		if err != nil {
			return "", fmt.Errorf("make the queue %s: %w", name, err)
		}
		if class >= 0 {
			continue
		}
		got, err := s.queues.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: out.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn}})
		if err != nil {
			return "", fmt.Errorf("look at the queue %s: %w", name, err)
		}
		arn = got.Attributes["QueueArn"]
	}
	return fmt.Sprintf("queues %s, %s, %s, and %s for dead letters", s.queue(0), s.queue(1), s.queue(2), s.queue(-1)), nil
}

// tableInput describes the table.
func (n names) tableInput() *dynamodb.CreateTableInput {
	kind := func(name string, t ddb.ScalarAttributeType) ddb.AttributeDefinition {
		return ddb.AttributeDefinition{AttributeName: &name, AttributeType: t}
	}
	keys := func(hash, sort string) []ddb.KeySchemaElement {
		return []ddb.KeySchemaElement{{AttributeName: &hash, KeyType: ddb.KeyTypeHash}, {AttributeName: &sort, KeyType: ddb.KeyTypeRange}}
	}
	index := func(name, hash, sort string, fields []string) ddb.GlobalSecondaryIndex {
		return ddb.GlobalSecondaryIndex{IndexName: &name, KeySchema: keys(hash, sort), Projection: &ddb.Projection{ProjectionType: ddb.ProjectionTypeInclude, NonKeyAttributes: fields}}
	}
	return &dynamodb.CreateTableInput{
		TableName: &n.tables, BillingMode: ddb.BillingModePayPerRequest, KeySchema: keys("pk", "sk"),
		AttributeDefinitions: []ddb.AttributeDefinition{
			kind("pk", ddb.ScalarAttributeTypeS), kind("sk", ddb.ScalarAttributeTypeS), kind("l", ddb.ScalarAttributeTypeS), kind("seq", ddb.ScalarAttributeTypeS),
			kind("w", ddb.ScalarAttributeTypeS), kind("due", ddb.ScalarAttributeTypeN),
		},
		GlobalSecondaryIndexes: []ddb.GlobalSecondaryIndex{index(listIndex, "l", "seq", fields), index(dueIndex, "w", "due", []string{"st", "p", "run"})},
	}
}

func (s *Store) makeTable(ctx context.Context) (string, error) {
	_, err := s.table.CreateTable(ctx, s.tableInput())
	var there *ddb.ResourceInUseException
	if err != nil && !errors.As(err, &there) {
		return "", fmt.Errorf("make the table %s: %w", s.tables, err)
	}
	if err := dynamodb.NewTableExistsWaiter(s.table).Wait(ctx, &dynamodb.DescribeTableInput{TableName: &s.tables}, setupFor); err != nil {
		return "", fmt.Errorf("wait for the table %s: %w", s.tables, err)
	}
	ttl, err := s.table.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.tables})
	if err != nil {
		return "", fmt.Errorf("look at the table %s: %w", s.tables, err)
	}
	if d := ttl.TimeToLiveDescription; d == nil || d.TimeToLiveStatus == ddb.TimeToLiveStatusDisabled {
		_, err = s.table.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &s.tables, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{
			AttributeName: aws.String("ttl"), Enabled: aws.Bool(true),
		}})
		if err != nil {
			return "", fmt.Errorf("set the TTL attribute of the table %s: %w", s.tables, err)
		}
	}
	return "table " + s.tables, nil
}

func (s *Store) makeBucket(ctx context.Context) (string, error) {
	in := &s3.CreateBucketInput{Bucket: &s.bucket}
	if s.region != "us-east-1" { // which S3 does not take by its name
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(s.region)}
	}
	_, err := s.blobs.CreateBucket(ctx, in)
	var mine *s3types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		return "", fmt.Errorf("make the bucket %s: %w", s.bucket, err)
	}
	_, err = s.blobs.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &s.bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
		BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
	}})
	if err != nil {
		return "", fmt.Errorf("keep the bucket %s private: %w", s.bucket, err)
	}
	return "bucket " + s.bucket, nil
}
