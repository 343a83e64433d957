package gateway

import (
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// kindOfCode gives the kind of a code that a job keeps: a store has no kinds.
func kindOfCode(code string) fault.Kind {
	switch code {
	case "body_too_large", "image_too_large", "job_store_full":
		return fault.TooLarge
	case "unsupported_media_type":
		return fault.Unsupported
	case "conflict":
		return fault.Conflict
	case "queue_full":
		return fault.Busy
	case "rate_limited":
		return fault.RateLimited
	case "client_closed":
		return fault.Canceled
	case "deadline_exceeded":
		return fault.Timeout
	case "upstream_error":
		return fault.Upstream
	case "upstream_contract":
		return fault.Contract
	case "backend_unavailable", "job_store_unavailable":
		return fault.Unavailable
	case "draining":
		return fault.Draining
	case "internal", "input_lost":
		return fault.Internal
	}
	switch {
	case strings.HasSuffix(code, "_not_found"):
		return fault.NotFound
	case strings.HasPrefix(code, "invalid_"), code == "job_unreadable", code == "worker_crashed":
		return fault.Invalid
	}
	return fault.Internal
}

// problemOfJob is the problem document of a job that failed. Its request is the one that handed the job in: the job's id names it.
func problemOfJob(j *jobs.Job) *problem {
	f := fault.New(kindOfCode(j.Problem.Code), j.Problem.Code, "%s", j.Problem.Detail)
	p := newProblem(f, j.ID)
	p.Code, p.Type, p.Detail = f.Code, "urn:triton-gateway:error:"+f.Code, f.Detail // newProblem hides what is internal; what a job keeps is public
	p.Retryable = !j.Problem.Poison
	return p
}

// expiredProblem says that a job was too late.
func expiredProblem(j *jobs.Job) *problem {
	p := newProblem(fault.New(fault.Timeout, "deadline_exceeded", "the job's deadline, %s, passed before it was done; hand it in again with more time, or retry it without a deadline",
		j.Deadline.UTC().Format(time.RFC3339)), j.ID)
	return p
}

// failureOf is the error of a job that failed, for an answer in its place.
func failureOf(j *jobs.Job) error {
	if j.Problem == nil {
		return fault.New(fault.Internal, "internal", "the job failed")
	}
	return fault.New(kindOfCode(j.Problem.Code), j.Problem.Code, "%s", j.Problem.Detail)
}
