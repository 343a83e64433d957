package jobs

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"triton-gateway/internal/fault"
)

const (
	backoffBase = time.Second
	backoffMost = time.Minute
)

// backoff is how long a job waits after it has lost its n-th attempt (from 0): any time up to a second that doubles, so that jobs that failed together do not
// come back together. See "full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
func backoff(n int) time.Duration {
	return spread(min(backoffBase<<min(n, 10), backoffMost))
}

// spread gives any time between 0 and d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// verdict is what an attempt comes to.
type verdict struct {
	total, done, bad int
	lowest           int    // index of the first bad item; total: none
	document         []byte // its body

	canceled, expired bool
	refused           bool  // the store did not take results
	lost              error // no attempt can succeed
	failure           error // an attempt is lost
	failures          int
	later             error // to be tried later, without the loss of an attempt
}

// note looks at a result for the first bad item.
func (v *verdict) note(r Result) {
	if r.Bad && r.Index < v.lowest {
		v.lowest, v.document = r.Index, r.Body
	}
}

// add counts a new result.
func (v *verdict) add(r Result) {
	v.done++
	if r.Bad {
		v.bad++
	}
	v.note(r)
}

// failed notes an item without a result, and tells whether the others should be left.
func (v *verdict) failed(e ending) (enough bool) {
	switch e.kind {
	case left:
		return false
	case gone:
		v.lost = e.err
	case turned:
		v.later = e.err
	default:
		if v.failure == nil {
			v.failure = e.err
		}
		v.failures++
		return v.failures >= tolerated
	}
	return true
}

// outcome is what to write.
func (v *verdict) outcome(a *attempt) Outcome {
	switch {
	case v.refused: // its results were thrown away: the counts are not those of the store
	case v.done >= v.total && v.bad >= v.total && v.total > 0:
		return Outcome{State: Failed, Burn: true, Problem: poisonOf(v.document)}
	case v.done >= v.total:
		return Outcome{State: Succeeded}
	}
	switch {
	case v.canceled:
		return Outcome{State: Canceled}
	case v.expired:
		return Outcome{State: Expired}
	case v.lost != nil:
		return Outcome{State: Failed, Burn: true, Problem: problemOf(v.lost)}
	case v.failure != nil:
		return a.burnt(v.failure)
	case v.later == nil: // given back
		return Outcome{State: Queued}
	case fault.KindOf(v.later) == fault.Unavailable && notTheStore(v.later) && a.Now().Sub(a.job.Started) > a.Limits.Outage:
		return a.burnt(v.later)
	}
	pause := a.Limits.Pause
	return Outcome{State: Queued, RunAt: a.Now().Add(pause/2 + spread(pause))}
}

func notTheStore(err error) bool {
	return !errors.Is(err, &fault.Error{Code: "job_store_unavailable"})
}

// burnt is the outcome of a lost attempt.
func (a *attempt) burnt(err error) Outcome {
	o := Outcome{State: Failed, Burn: true, Problem: problemOf(err)}
	if a.job.Attempt+1 < a.job.Attempts {
		wait := backoff(a.job.Attempt)
		var f *fault.Error
		if errors.As(err, &f) {
			wait = max(wait, min(f.RetryAfter, backoffMost))
		}
		o.State, o.RunAt = Queued, a.Now().Add(wait)
	}
	return o
}

// problemOf is the public part of an error.
func problemOf(err error) *Problem {
	var f *fault.Error
	if err := ended(err); errors.As(err, &f) && (f.Kind != fault.Internal || f.Code == "input_lost") {
		return &Problem{Code: f.Code, Detail: f.Detail}
	}
	return &Problem{Code: "internal", Detail: "the gateway failed; its log has the cause under the job's id"}
}

// poisonOf makes a job's problem of the problem document of its first item.
func poisonOf(document []byte) *Problem {
	p := &Problem{Code: "invalid_request", Detail: "no item can be answered"}
	var d struct{ Code, Detail string }
	if err := json.Unmarshal(document, &d); err == nil && d.Code != "" {
		p.Code, p.Detail = d.Code, d.Detail
	}
	p.Poison = true
	return p
}
