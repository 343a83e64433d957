package redis

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"triton-gateway/gateway/jobs"
)

// record reads the fields of one job one after the other, and keeps the first fault.
type record struct {
	values []any
	at     int
	err    error
}

// text gives the next field; "" where Redis has none.
func (r *record) text() string {
	v := r.values[r.at]
	r.at++
	s, ok := v.(string)
	if !ok && v != nil {
		r.fault("is no string")
	}
	return s
}

// number gives the next field, which is a whole number from 0 to 2^53; 0 where Redis has none.
func (r *record) number() int64 {
	s := r.text()
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		r.fault("is no number from 0 to 2^53")
		return 0
	}
	return n
}

// count gives the next field, which counts items or attempts.
func (r *record) count() int {
	n := r.number()
	if n > math.MaxInt32 {
		r.fault("is too large")
	}
	return int(n)
}

// fault names the field that was read last.
func (r *record) fault(what string) {
	if r.err == nil {
		name := "items"
		if r.at-1 < len(fields) {
			name = fields[r.at-1]
		}
		r.err = fmt.Errorf("%w: field %s %s", errReply, name, what)
	}
}

// decode makes a job of the fields that Redis gave, with its items where whole says so, and gives its number in the order of creation
// too. What somebody else has written gives an error.
func decode(id string, reply any, whole bool) (j *jobs.Job, seq int64, err error) {
	want := len(fields)
	if whole {
		want++
	}
	values, _ := reply.([]any)
	if len(values) != want {
		return nil, 0, damaged(fmt.Errorf("%w: a job of %d fields", errReply, len(values)))
	}
	r := &record{values: values}
	j = &jobs.Job{Place: -1}
	if err := json.Unmarshal([]byte(r.text()), &j.Spec); err != nil {
		r.fault("is no spec: " + err.Error())
	}
	if j.State = jobs.State(r.text()); !known(states, j.State) {
		r.fault("is no state")
	}
	j.RunAt, j.Deadline = jobs.Moved(j.RunAt, r.number()), jobs.Moved(j.Deadline, r.number())
	j.Total, j.Done, j.Bad, j.Attempt, j.Fence = r.count(), r.count(), r.count(), r.count(), r.number()
	j.Started, j.Finished = jobs.Moment(r.number()), jobs.Moment(r.number())
	if p := r.text(); p != "" {
		if err := json.Unmarshal([]byte(p), &j.Problem); err != nil {
			r.fault("is no problem: " + err.Error())
		}
	}
	j.Canceled, j.Told, seq = r.text() == "1", r.text() == "1", r.number()
	j.Crashes = r.count()
	j.Items = nil
	if whole {
		if err := json.Unmarshal([]byte(r.text()), &j.Items); err != nil || len(j.Items) != j.Total {
			r.fault("is no list of that many items")
		}
	}
	if r.err == nil && j.ID != id {
		r.err = fmt.Errorf("%w: another job's spec", errReply)
	}
	if r.err != nil {
		return nil, 0, damaged(r.err)
	}
	return j, seq, nil
}

// entry is a result as it is stored: ! or =, the index, a colon, the body.
func entry(r jobs.Result) []byte {
	b := make([]byte, 0, len(r.Body)+12)
	if b = append(b, '='); r.Bad {
		b[0] = '!'
	}
	b = append(strconv.AppendInt(b, int64(r.Index), 10), ':')
	return append(b, r.Body...)
}

// parseEntry reads what entry made.
func parseEntry(v any) (r jobs.Result, err error) {
	s, _ := v.(string)
	if len(s) < 3 || s[0] != '!' && s[0] != '=' {
		return r, damaged(fmt.Errorf("%w: a result without its mark", errReply))
	}
	for i := 1; i < len(s) && i < 12; i++ {
		if s[i] == ':' {
			n, err := strconv.ParseUint(s[1:i], 10, 31)
			if err != nil {
				break
			}
			return jobs.Result{Index: int(n), Body: []byte(s[i+1:]), Bad: s[0] == '!'}, nil
		}
	}
	return r, damaged(fmt.Errorf("%w: a result without its index", errReply))
}
