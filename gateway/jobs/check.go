package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"triton-gateway/internal/fault"
)

const (
	longest      = 30 * 24 * time.Hour // of a delay, a deadline and what a result is kept
	mostAttempts = 20
	mostKey      = 255
	mostName     = 1024
	mostOptions  = 64 << 10
)

// invalid is what is wrong at one place of the request.
func invalid(place, format string, args ...any) *fault.Error {
	e := fault.New(fault.Invalid, "invalid_request", format, args...)
	return e.At(place, e.Detail)
}

// ended makes a fault of a context's end, and leaves other errors.
func ended(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return fault.Ended(err, "while the job was handed in")
	}
	return err
}

// check makes a spec without items and digest.
func (s *Service) check(in *Submission, now time.Time) (*Spec, error) {
	spec := &Spec{
		ID: newID(now), Tenant: in.Tenant, Caller: in.Caller, Tier: in.Tier, Model: in.Model, Version: in.Version, Priority: in.Priority, Options: in.Options, Cache: in.Cache, Single: in.Single,
		Created: now, RunAt: now.Add(in.Delay), ResultTTL: in.ResultTTL, Attempts: in.Attempts, Webhook: in.Webhook, Key: in.Key,
	}
	if spec.Priority == "" {
		spec.Priority = Interactive
	}
	if spec.ResultTTL == 0 {
		spec.ResultTTL = s.Limits.ResultTTL
	}
	if spec.Attempts == 0 {
		spec.Attempts = s.Limits.Attempts
	}
	if !in.RunAt.IsZero() {
		spec.RunAt = in.RunAt.UTC().Truncate(time.Millisecond)
	}
	if spec.RunAt.Before(now) {
		spec.RunAt = now
	}
	if in.Deadline > 0 {
		spec.Deadline = now.Add(in.Deadline)
	}
	switch {
	case in.Model == "":
		return nil, invalid("query.model", "no model is named; add model=NAME")
	case spec.Priority != Realtime && spec.Priority != Interactive && spec.Priority != Batch:
		return nil, invalid("query.priority", "there is no such priority; it is realtime, interactive or batch")
	case in.Delay < 0 || in.Delay > longest:
		return nil, invalid("query.delay", "the delay is %v; it is between 0 and %v", in.Delay, longest)
	case in.Delay > 0 && !in.RunAt.IsZero():
		return nil, invalid("query.run_at", "both a delay and a time to run at are given; give one")
	case spec.RunAt.Sub(now) > longest:
		return nil, invalid("query.run_at", "the job is to run more than %v from now; it is at most that", longest)
	case spec.ResultTTL < time.Second || spec.ResultTTL > longest:
		return nil, invalid("query.result_ttl", "results are to be kept for %v; it is between 1s and %v", in.ResultTTL, longest)
	case in.Deadline < 0 || in.Deadline > longest:
		return nil, invalid("query.deadline", "the deadline is %v from now; it is between 1ms and %v", in.Deadline, longest)
	case in.Deadline > 0 && !spec.Deadline.After(spec.RunAt):
		return nil, invalid("query.deadline", "the deadline is over before the job may run; allow more than the delay")
	case spec.Attempts < 1 || spec.Attempts > mostAttempts:
		return nil, invalid("query.attempts", "there are to be %d attempts; it is between 1 and %d", in.Attempts, mostAttempts)
	case !printable(in.Key) || len(in.Key) > mostKey:
		return nil, invalid("header.Idempotency-Key", "the key is longer than %d characters or has others than printable ASCII", mostKey)
	case len(in.Options) > mostOptions || len(in.Options) > 0 && !json.Valid(in.Options):
		return nil, invalid("query", "the options are longer than %d bytes or no JSON", mostOptions)
	}
	return spec, nil
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// checkInput checks one item that comes after n others of together sum bytes.
func (s *Service) checkInput(in *Input, n int, sum int64, single bool) error {
	switch {
	case in.Kind != Image && in.Kind != Row && in.Kind != Raw:
		return fault.New(fault.Internal, "internal", "item %d is of unknown kind %q", n, in.Kind)
	case n >= s.Limits.Items:
		return fault.New(fault.TooLarge, "body_too_large", "the job has more than %d items; hand it in as several, or raise jobs.items", s.Limits.Items).At("body", "too many items")
	case single && n > 0:
		return fault.New(fault.Internal, "internal", "a job of a single item has several")
	case int64(len(in.Data)) > s.Limits.Bytes-sum:
		return fault.New(fault.TooLarge, "body_too_large", "the job's items are more than %d bytes; hand it in as several, or raise jobs.bytes", s.Limits.Bytes).At("body", "too large")
	case len(in.Name) > mostName || !utf8.ValidString(in.Name):
		return invalid("body", "the name of item %d is longer than %d bytes or no UTF-8; rename the file", n, mostName)
	}
	return nil
}
