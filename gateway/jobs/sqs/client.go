package sqs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"
)

const (
	tries     = 6                      // of one call, as long as its patience lasts
	longWait  = 500 * time.Millisecond // between two tries, at most
	dialFor   = 2 * time.Second
	answerFor = 25 * time.Second // until an answer begins: more than a long poll
)

// connect makes the clients. It reads the SDK's own settings, such as ~/.aws and the environment, and asks nobody.
func (s *Store) connect(ctx context.Context) error {
	builder := awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialFor }).WithTransportOptions(func(t *http.Transport) {
		t.TLSHandshakeTimeout, t.ResponseHeaderTimeout, t.MaxIdleConns, t.MaxIdleConnsPerHost, t.IdleConnTimeout = 2*dialFor, answerFor, 200, 100, time.Minute
	})
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.region), config.WithHTTPClient(builder), config.WithRetryer(retryer), config.WithLogger(logging.Nop{}))
	if err != nil {
		return fmt.Errorf("the settings of AWS for jobs.queue: %w", err)
	}
	if b, ok := c.HTTPClient.(*awshttp.BuildableClient); ok { // with the certificates of AWS_CA_BUNDLE by now
		builder = b
	}
	s.http = &http.Client{Transport: builder.GetTransport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.HTTPClient = s.http
	if s.endpoint != "" {
		c.BaseEndpoint = aws.String(s.endpoint)
	}
	s.queues, s.table = awssqs.NewFromConfig(c), dynamodb.NewFromConfig(c)
	if s.bucket != "" {
		s.blobs = s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = s.endpoint != "" })
	}
	return nil
}

// retryer tries again what may be: throttling, server errors, lost connections. Contexts bound it, not a budget of tokens.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = tries, longWait, ratelimit.None
	})
}
