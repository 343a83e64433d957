package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/pause"
)

// Jobs is what became of the jobs of a run.
type Jobs struct {
	Accepted, Right, Wrong int
	Late                   int      // were not done in time, and ended well when the clock had come to where it had been
	Lost                   []string // what is known of each that is not there, failed or did not end
}

// jobs are those of one run. It is safe for concurrent use.
type jobs struct {
	traffic *Traffic
	mu      sync.Mutex   // guards the rest
	open    []job        // not seen at their end yet, in the order of their acceptance
	last    *job         // seen at its end
	old     []job        // of a run before
	aged    *atomic.Bool // whether the old ones are asked for again
	Jobs
}

type job struct {
	id string
	of picture
}

// fate is what a look at a job shows.
type fate uint8

const (
	under fate = iota // way, as far as is known
	succeeded
	mistaken
	lost
)

func newJobs(t *Traffic) *jobs { return &jobs{traffic: t} }

// handIn hands a picture in, once.
func (j *jobs) handIn(ctx context.Context, p picture, key string) {
	end := j.traffic.begin("job handed in")
	response, text, err := j.traffic.exchange(ctx, http.MethodPost, "/v1/jobs?model=shapes&priority=interactive", p.fresh(key), http.Header{"Idempotency-Key": {key}})
	if err != nil {
		end(judgeBroken(err))
		return
	}
	if response.StatusCode != http.StatusAccepted {
		end(judgeHTTP(response, text))
		return
	}
	var d struct{ ID string }
	if err := json.Unmarshal(text, &d); err != nil || d.ID == "" {
		end(Wrong, "a job without an id")
		return
	}
	j.mu.Lock()
	j.Accepted++
	j.open = append(j.open, job{d.ID, p})
	j.mu.Unlock()
	end(Right, "")
}

// collect asks for the oldest job that was not seen at its end, or again for one that was.
func (j *jobs) collect(ctx context.Context) {
	j.mu.Lock()
	var one job
	again := len(j.open) == 0
	switch {
	case len(j.old) > 0 && j.aged.Load():
		one, again = j.old[0], true
		j.old = append(j.old[1:], one)
	case !again:
		one = j.open[0]
		j.open = append(j.open[1:], one) // the next call asks for another
	case j.last != nil:
		one = *j.last
	}
	j.mu.Unlock()
	if one.id == "" {
		return
	}
	end := j.traffic.begin("job asked for")
	v, text, f := j.look(ctx, one, "")
	if !again {
		j.ended(one, f, text)
	}
	end(v, text)
}

// look asks for a job.
func (j *jobs) look(ctx context.Context, one job, query string) (Verdict, string, fate) {
	response, body, err := j.traffic.exchange(ctx, http.MethodGet, "/v1/jobs/"+one.id+query, nil, nil)
	if err != nil {
		v, text := judgeBroken(err)
		return v, text, under
	}
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return Wrong, "an accepted job is not there", lost
	default:
		v, text := judgeHTTP(response, body)
		return v, text, under
	}
	var d struct {
		State  string
		Result json.RawMessage
		Error  struct{ Code, Detail string }
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return Wrong, "a job that is no JSON", under
	}
	switch d.State {
	case "succeeded":
		if wrong := one.of.check(d.Result); wrong != "" {
			return Wrong, wrong, mistaken
		}
		return Right, "", succeeded
	case "failed", "canceled", "cancelled":
		return Wrong, fmt.Sprintf("a job is %s: %s", d.State, d.Error.Code), lost
	}
	return Right, "", under
}

// ended counts a job that was seen at its end.
func (j *jobs) ended(one job, f fate, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := slices.IndexFunc(j.open, func(o job) bool { return o.id == one.id })
	if f == under || at < 0 {
		return
	}
	j.open = slices.Delete(j.open, at, at+1)
	switch f {
	case succeeded:
		j.Right++
		j.last = &one
	case mistaken:
		j.Wrong++
	case lost:
		j.Lost = append(j.Lost, text)
	}
}

// Settle waits until every accepted job has ended, at most for bound, and says what became of them.
func (t *Traffic) Settle(ctx context.Context, bound time.Duration) Jobs {
	t.await(ctx, bound)
	return t.jobs.sum(ctx)
}

// await waits until every accepted job has ended, at most for bound.
func (t *Traffic) await(ctx context.Context, bound time.Duration) {
	j := t.jobs
	for until := time.Now().Add(bound); ctx.Err() == nil; {
		j.mu.Lock()
		open := len(j.open)
		var one job
		if open > 0 {
			one = j.open[0]
		}
		j.mu.Unlock()
		if open == 0 {
			break
		}
		lookCtx, cancel := context.WithTimeout(ctx, patience)
		v, text, f := j.look(lookCtx, one, "?wait=2s")
		cancel()
		j.ended(one, f, text)
		if f == under && time.Now().After(until) {
			return
		}
		if f == under && v != Right {
			pause.For(ctx, 100*time.Millisecond)
		}
	}
}

// sum gives the jobs of a run. Those that have not ended are lost.
func (j *jobs) sum(ctx context.Context) Jobs {
	j.again(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	for range j.open {
		j.Lost = append(j.Lost, "an accepted job has not ended")
	}
	j.open = nil
	return j.Jobs
}

// waiting is how many have not ended.
func (j *jobs) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.open)
}

// again asks for every old job once more.
func (j *jobs) again(ctx context.Context) {
	for _, one := range j.old {
		lookCtx, cancel := context.WithTimeout(ctx, patience)
		v, text, f := j.look(lookCtx, one, "")
		cancel()
		j.Accepted++
		switch {
		case f == succeeded:
			j.Right++
		case f == mistaken:
			j.Wrong++
		default:
			j.Lost = append(j.Lost, "a job of before: "+v.String()+" "+text)
		}
	}
}
