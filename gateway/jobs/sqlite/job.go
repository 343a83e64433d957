package sqlite

import (
	"encoding/json"
	"slices"
	"time"

	"triton-gateway/gateway/jobs"
)

// The states and priorities by their numbers in the file. Their order never changes.
var (
	states     = [...]jobs.State{jobs.Queued, jobs.Running, jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired}
	priorities = [...]jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}
)

const (
	queued    = 0
	running   = 1
	succeeded = 2
	canceled  = 4
	expired   = 5
)

func priorityNumber(p jobs.Priority) (int, bool) {
	i := slices.Index(priorities[:], p)
	return i, i >= 0
}

func stateNumber(s jobs.State) (int, bool) {
	i := slices.Index(states[:], s)
	return i, i >= 0
}

// lead is a class's lead in microseconds.
func lead(priority int) int64 { return priorities[priority].Lead().Microseconds() }

// columns are what row.job needs, of jobs j and specs s.
const columns = `j.seq, j.priority, j.state, j.run_at, j.deadline, j.total, j.done, j.bad, j.attempt, j.fence, j.started, j.finished, j.canceled, j.told,
	j.problem, j.crashes, s.spec`

// row is a row of columns, and the items where they are asked for.
type row struct {
	seq                                       int64
	priority, state                           int
	runAt                                     int64
	deadline, started, finished               *int64
	total, done, bad, attempt, canceled, told int
	crashes                                   int
	fence                                     int64
	problem                                   *string
	spec, items                               []byte
}

// into are the places of the columns.
func (r *row) into() []any {
	return []any{&r.seq, &r.priority, &r.state, &r.runAt, &r.deadline, &r.total, &r.done, &r.bad, &r.attempt, &r.fence, &r.started, &r.finished, &r.canceled,
		&r.told, &r.problem, &r.crashes, &r.spec}
}

// job decodes the row.
func (r *row) job() (*jobs.Job, error) {
	j := &jobs.Job{
		State: states[r.state], Total: r.total, Done: r.done, Bad: r.bad, Attempt: r.attempt, Crashes: r.crashes, Fence: r.fence,
		Started: stamp(r.started), Finished: stamp(r.finished), Canceled: r.canceled != 0, Place: -1, Told: r.told != 0,
	}
	if err := json.Unmarshal(r.spec, &j.Spec); err != nil {
		return nil, err
	}
	if r.items != nil {
		if err := json.Unmarshal(r.items, &j.Items); err != nil {
			return nil, err
		}
	}
	if r.problem != nil {
		if err := json.Unmarshal([]byte(*r.problem), &j.Problem); err != nil {
			return nil, err
		}
	}
	j.RunAt = jobs.Moved(j.RunAt, r.runAt)
	if r.deadline == nil {
		j.Deadline = time.Time{}
	}
	return j, nil
}

func stamp(t *int64) time.Time {
	if t == nil {
		return time.Time{}
	}
	return jobs.Moment(*t)
}
