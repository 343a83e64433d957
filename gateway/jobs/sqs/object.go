package sqs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	piece = 350_000 // bytes of a blob in one item, which may have 400 KB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	most  = 1 << 30 // bytes of a blob
)

// errNoBytes says that a blob's bytes are not where its item says.
var errNoBytes = errors.New("the bytes of a blob are missing")

func (s *Store) object(digest, gen string) *string {
	return aws.String(s.prefix + "/blobs/" + digest + "/" + gen)
}

func pieceKey(digest, gen string, n int) item {
	return key("c#"+digest+"#"+gen, fmt.Sprintf("%06d", n))
}

// store writes a blob's bytes.
func (s *Store) store(ctx context.Context, m meta, data []byte) error {
	if s.blobs != nil {
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		_, err := s.blobs.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: s.object(m.digest, m.gen), Body: bytes.NewReader(data), ContentType: aws.String("application/octet-stream")})
		return err
	}
	var list []ddb.WriteRequest
	for n := 0; n*piece < len(data); n++ {
		i := pieceKey(m.digest, m.gen, n)
		i["data"] = octets(data[n*piece : min((n+1)*piece, len(data))])
		list = append(list, ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: i}})
	}
	return s.batch(ctx, list)
}

// fetch reads a blob's bytes, of which its item says how many there are.
func (s *Store) fetch(ctx context.Context, m meta) ([]byte, error) {
	if m.size > most {
		return nil, fmt.Errorf("%w: a blob of %d bytes", errItem, m.size)
	}
	if s.blobs == nil {
		return s.pieces(ctx, m)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	out, err := s.blobs.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.object(m.digest, m.gen)})
	var none *s3types.NoSuchKey
	if errors.As(err, &none) {
		return nil, errNoBytes
	}
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	if got := aws.ToInt64(out.ContentLength); got != m.size {
		return nil, fmt.Errorf("%w: an object of %d bytes, want %d", errItem, got, m.size)
	}
	data := make([]byte, m.size)
	_, err = io.ReadFull(out.Body, data)
	return data, err
}

func (s *Store) pieces(ctx context.Context, m meta) ([]byte, error) {
	data := make([]byte, m.size)
	return data, each(ctx, int((m.size+piece-1)/piece), func(ctx context.Context, n int) error {
		i, err := s.item(ctx, pieceKey(m.digest, m.gen, n))
		if err != nil {
			return err
		}
		if i == nil {
			return errNoBytes
		}
		part := data[n*piece : min((n+1)*piece, len(data))]
		if got := bin(i, "data"); len(got) != len(part) {
			return fmt.Errorf("%w: a piece of a blob has %d bytes, want %d", errItem, len(got), len(part))
		}
		copy(part, bin(i, "data"))
		return nil
	})
}

// discard deletes the bytes under a gen; deleting what is not there is no failure.
func (s *Store) discard(ctx context.Context, digest, gen string, size int64) error {
	if s.blobs != nil {
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		_, err := s.blobs.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.object(digest, gen)})
		return err
	}
	var list []ddb.WriteRequest
	for n := 0; int64(n)*piece < min(max(size, 0), most); n++ {
		list = append(list, ddb.WriteRequest{DeleteRequest: &ddb.DeleteRequest{Key: pieceKey(digest, gen, n)}})
	}
	return s.batch(ctx, list)
}
