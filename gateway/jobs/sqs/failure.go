package sqs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"triton-gateway/internal/fault"
)

// bounded gives a call its time.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.patience)
}

var (
	absent  = []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "ResourceNotFoundException", "NoSuchBucket"}
	refused = []string{
		"AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken",
		"ExpiredTokenException", "InvalidAccessKeyId", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "KMSAccessDeniedException",
		"InvalidSignatureException", "OptInRequired", "AuthFailure",
	}
	slow = []string{
		"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "RequestThrottled", "SlowDown", "LimitExceededException",
	}
)

// failure makes the error that callers get. ctx is the caller's own.
func failure(ctx context.Context, err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if end := ctx.Err(); end != nil {
		return fault.Ended(end, "while the job store was asked")
	}
	var said smithy.APIError
	if !errors.As(err, &said) {
		if needsSign(err) {
			return unavailable("no credentials for AWS were found by the SDK's chain (environment, shared files, role); give the gateway some", err)
		}
		return unavailable("the AWS services of jobs.queue cannot be reached; look at its region and endpoint, and come again", err)
	}
	switch code := said.ErrorCode(); {
	case slices.Contains(absent, code):
		return unavailable("a queue, the table or the bucket that jobs.queue names is not there; make them by `triton-gateway jobs setup` or deploy/aws/jobs.yaml", err)
	case slices.Contains(refused, code):
		return unavailable("AWS refuses this gateway's credentials; they need the rights that deploy/aws/jobs.yaml lists for what jobs.queue names", err)
	case slices.Contains(slow, code):
		return unavailable("AWS throttles the calls of jobs.queue; come again later, and raise the table's capacity where it is not on demand", err)
	case said.ErrorFault() == smithy.FaultClient && !momentary(err):
		return damaged(err)
	}
	return unavailable("the AWS services of jobs.queue fail; come again", err)
}

// needsSign reports whether a call could not be signed.
func needsSign(err error) bool {
	var op *smithy.OperationError
	if !errors.As(err, &op) || op.Err == nil {
		return false
	}
	return strings.Contains(op.Err.Error(), "get identity:")
}

// momentary reports whether two writers met.
func momentary(err error) bool {
	var met *ddb.TransactionConflictException
	var busy *ddb.TransactionInProgressException
	if errors.As(err, &met) || errors.As(err, &busy) {
		return true
	}
	var c *ddb.TransactionCanceledException
	return errors.As(err, &c) && slices.ContainsFunc(c.CancellationReasons, func(r ddb.CancellationReason) bool {
		code := aws.ToString(r.Code)
		return code == "TransactionConflict" || code == "ThrottlingError" || code == "ProvisionedThroughputExceeded"
	})
}

// errItem is an item of the table that no store wrote.
var errItem = errors.New("an item of the table that cannot be read")

func unavailable(text string, err error) *fault.Error {
	return fault.New(fault.Unavailable, "job_store_unavailable", "%s", text).Wrap(err).After(time.Second)
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_request", format, args...)
}

// damaged is the failure of what somebody else has written, or of a bug here.
func damaged(err error) *fault.Error {
	return fault.New(fault.Internal, "internal", "a job in the store cannot be read or written; the log has the cause").Wrap(err)
}

func notFound() *fault.Error {
	return fault.New(fault.NotFound, "job_not_found", "there is no such job; it may have been deleted after its result_ttl")
}

func lost(format string, args ...any) *fault.Error {
	return fault.New(fault.Conflict, "lease_lost", format, args...)
}

func conflict(format string, args ...any) *fault.Error {
	return fault.New(fault.Conflict, "conflict", format, args...)
}
