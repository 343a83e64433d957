package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/internal/parts"
)

const template = "deploy/aws/jobs.yaml"

func TestTemplateIsClean(t *testing.T) {
	if got := parts.CloudFormationLint(t, template); got != "" {
		t.Error(got)
	}
}

// form makes a stack of the template, as CloudFormation would.
func form(t *testing.T, endpoint string, parameters map[string]string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(parts.Root(t), template))
	if err != nil {
		t.Fatal(err)
	}
	q := neturl.Values{
		"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {"s" + token()}, "TemplateBody": {string(body)}, "Capabilities.member.1": {"CAPABILITY_IAM"},
	}
	for n, name := range slices.Sorted(maps.Keys(parameters)) {
		q.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", n+1), name)
		q.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", n+1), parameters[name])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(q.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/eu-central-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0")
	defer http.DefaultClient.CloseIdleConnections()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", response.Status, text)
	}
}

// shape is all that matters of what a URL names, its own names left out.
func shape(t *testing.T, s *Store) string {
	t.Helper()
	ctx := t.Context()
	list := map[string]any{}
	for class := -1; class < len(classes); class++ {
		u, err := s.address(ctx, class)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.queues.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: u, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
		if err != nil {
			t.Fatal(err)
		}
		kept := map[string]string{}
		for _, name := range []string{
			"MessageRetentionPeriod", "VisibilityTimeout", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue", "DeduplicationScope", "FifoThroughputLimit",
			"SqsManagedSseEnabled", "DelaySeconds", "MaximumMessageSize",
		} {
			var redrive struct {
				Target string `json:"deadLetterTargetArn"`
				Most   any    `json:"maxReceiveCount"`
			}
			kept[name] = strings.ToLower(got.Attributes[name])
			if name == "RedrivePolicy" && class >= 0 {
				if err := json.Unmarshal([]byte(got.Attributes[name]), &redrive); err != nil {
					t.Fatal(err)
				}
				kept[name] = fmt.Sprint(redrive)
			}
		}
		list["queue"+strings.TrimPrefix(s.queue(class), s.prefix)] = kept
	}
	table, err := s.table.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.tables})
	if err != nil {
		t.Fatal(err)
	}
	indexes := map[string]any{}
	for _, i := range table.Table.GlobalSecondaryIndexes {
		slices.Sort(i.Projection.NonKeyAttributes)
		indexes[*i.IndexName] = []any{i.KeySchema, i.Projection}
	}
	slices.SortFunc(table.Table.AttributeDefinitions, func(a, b ddb.AttributeDefinition) int { return strings.Compare(*a.AttributeName, *b.AttributeName) })
	list["table"] = []any{table.Table.KeySchema, indexes, table.Table.AttributeDefinitions, table.Table.BillingModeSummary.BillingMode}
	if _, err := s.blobs.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(s.prefix, "PREFIX", s.bucket, "BUCKET").Replace(string(text))
}

// TestTemplateAgrees: the template and Setup make the same.
func TestTemplateAgrees(t *testing.T) {
	c := newCloud(t)
	for _, fifo := range []string{"false", "true"} {
		t.Run("fifo="+fifo, func(t *testing.T) {
			url := func(prefix string) string {
				return "sqs://eu-central-1/" + prefix + "?visibility=450s&endpoint=" + c.endpoint + "&bucket=" + prefix + "&fifo=" + fifo
			}
			mine, theirs := url("t"+token()), url("t"+token())
			for range 2 { // a second time changes nothing
				made, err := Setup(t.Context(), mine)
				if err != nil || len(made) != 3 {
					t.Fatal(made, err)
				}
			}
			their := open(t, Options{URL: theirs})
			form(t, c.endpoint, map[string]string{"Prefix": their.prefix, "BucketName": their.bucket, "Fifo": fifo, "VisibilityTimeout": "450"})
			a, b := shape(t, open(t, Options{URL: mine})), shape(t, their)
			if a != b {
				t.Errorf("Setup makes\n%s\nthe template\n%s", a, b)
			}
			if !strings.Contains(a, "1209600") || !strings.Contains(a, "450") || !strings.Contains(a, `-dead`) {
				t.Errorf("not the settings:\n%s", a)
			}
			unkept(t, open(t, Options{URL: mine}))
			add(t, their) // it works
		})
	}
}

// unkept looks at what moto does not keep of a template: that nobody else reads the bucket, and the TTL attribute of the table.
func unkept(t *testing.T, s *Store) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(t), template))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.blobs.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: &s.bucket})
	if err != nil {
		t.Fatal(err)
	}
	b := got.PublicAccessBlockConfiguration
	for name, set := range map[string]*bool{
		"BlockPublicAcls": b.BlockPublicAcls, "BlockPublicPolicy": b.BlockPublicPolicy, "IgnorePublicAcls": b.IgnorePublicAcls, "RestrictPublicBuckets": b.RestrictPublicBuckets,
	} {
		if set == nil || !*set || !strings.Contains(string(text), name+": true\n") {
			t.Errorf("%s is not set by both", name)
		}
	}
	ttl, err := s.table.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &s.tables})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != ddb.TimeToLiveStatusEnabled || *d.AttributeName != "ttl" ||
		!strings.Contains(string(text), "        AttributeName: ttl\n        Enabled: true\n") {
		t.Errorf("the TTL attribute is not set by both: %+v", d)
	}
}

func TestSetupRefused(t *testing.T) {
	if made, err := Setup(t.Context(), "sqs://x"); err == nil || len(made) > 0 {
		t.Errorf("%v, %v", made, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if made, err := Setup(ctx, "sqs://eu-central-1/photos?endpoint=http://127.0.0.1:1"); err == nil || len(made) > 0 {
		t.Errorf("%v, %v", made, err)
	}
}
