package sqs

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// empty wants that nothing is left of jobs that were deleted: no item of the table, and no object.
func empty(t *testing.T, s *Store) {
	t.Helper()
	out, err := s.table.Scan(t.Context(), &dynamodb.ScanInput{TableName: &s.tables})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range out.Items {
		t.Errorf("left in the table: %s %s", str(i, "pk"), str(i, "sk"))
	}
	if s.blobs == nil {
		return
	}
	list, err := s.blobs.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &s.bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		t.Errorf("left in the bucket: %s", *o.Key)
	}
}
