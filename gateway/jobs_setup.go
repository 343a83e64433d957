package gateway

import (
	"context"
	"errors"
	"strings"

	"triton-gateway/gateway/jobs/sqs"
)

// SetupJobs makes what a URL of jobs.queue needs outside of the gateway, where it is not there: queues, a table and a bucket on AWS, or on what speaks like it. It
// tells what there is now, a line each. The other stores need nothing; asked for them it is an error that says so.
func SetupJobs(ctx context.Context, queue string) (made []string, err error) {
	scheme, _, _ := strings.Cut(queue, ":")
	switch scheme {
	case "sqs":
		return sqs.Setup(ctx, queue)
	case "sqlite", "redis", "rediss", "unix":
		return nil, errors.New("nothing has to be made for " + scheme + ": the gateway makes what it needs itself")
	}
	return nil, errors.New("only URLs such as sqs://eu-central-1/photos?bucket=NAME have something to be made")
}
