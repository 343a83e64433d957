package sqs

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
)

// record is a job's item.
type record struct {
	jobs.Job        // without Items
	items    []byte // JSON of them, packed; nil where they are a blob
	pointer  string // digest of that blob; "" for none
	end      time.Time
	msg      string // the token of the message that counts
	class    int
	w        string // what Sweep does with it
	due      int64
	gen      int64  // of results: each Retry that drops some begins a new one
	inline   []byte // the first results
	inlined  int    // how many of them
	gone     bool   // is being deleted
}

const (
	gone   = "gone" // the state of a job that is being deleted
	dying  = "x"    // w of such a job
	told   = "f"    // w of a final job
	untold = "u"    // the same, whose webhook waits
	kept   = "b"    // w of a blob
)

func active(class int) string { return "a." + string(classes[class]) } // w of a job that is not final

// fields are what the list index gives of a job: all but items and results.
var fields = []string{
	"spec", "st", "run", "dl", "total", "done", "bad", "att", "cr", "fence", "started", "fin", "prob", "can", "told", "t", "m", "p",
}

var states = []jobs.State{jobs.Queued, jobs.Running, jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired}

var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// str gives a text; "" where there is none.
func str(i item, name string) string {
	v, _ := i[name].(*ddb.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

// num gives a whole number from 0 to 2^53; 0 where there is none, -1 where it is no such number.
func num(i item, name string) int64 {
	v := i[name]
	if v == nil {
		return 0
	}
	if n, ok := v.(*ddb.AttributeValueMemberN); ok {
		if f, err := strconv.ParseInt(n.Value, 10, 64); err == nil && f >= 0 && f <= 1<<53 {
			return f
		}
	}
	return -1
}

func bin(i item, name string) []byte {
	v, _ := i[name].(*ddb.AttributeValueMemberB)
	if v == nil {
		return nil
	}
	return v.Value
}

func yes(i item, name string) bool {
	v, _ := i[name].(*ddb.AttributeValueMemberBOOL)
	return v != nil && v.Value
}

// decode reads a job's item, or what an index holds of it. What nobody here wrote is an error.
func decode(i item) (r *record, err error) {
	r = &record{}
	if err := json.Unmarshal([]byte(str(i, "spec")), &r.Spec); err != nil {
		return nil, damaged(fmt.Errorf("%w: spec: %w", errItem, err))
	}
	bad := ""
	number := func(name string, most int64) int64 {
		n := num(i, name)
		if n < 0 || n > most {
			bad, n = name, 0
		}
		return n
	}
	count := func(name string) int { return int(number(name, math.MaxInt32)) }
	r.State, r.Place = jobs.State(str(i, "st")), -1
	if r.gone = r.State == gone; !r.gone && !slices.Contains(states, r.State) {
		bad = "st"
	}
	if r.State != jobs.Queued {
		r.Place = 0
	}
	r.RunAt, r.Deadline = jobs.Moved(r.RunAt, number("run", 1<<53)), jobs.Moved(r.Deadline, number("dl", 1<<53))
	r.Total, r.Done, r.Bad, r.Attempt, r.Crashes = count("total"), count("done"), count("bad"), count("att"), count("cr")
	r.Fence, r.gen, r.due = number("fence", 1<<53), number("gen", math.MaxInt32), number("due", 1<<53)
	r.Started, r.Finished, r.end = jobs.Moment(number("started", 1<<53)), jobs.Moment(number("fin", 1<<53)), jobs.Moment(number("end", 1<<53))
	if p := str(i, "prob"); p != "" {
		if err := json.Unmarshal([]byte(p), &r.Problem); err != nil {
			bad = "prob"
		}
	}
	r.Canceled, r.Told = yes(i, "can"), yes(i, "told")
	r.Items, r.items, r.pointer, r.msg, r.w = nil, bin(i, "items"), str(i, "ptr"), str(i, "msg"), str(i, "w")
	r.inline, r.inlined = bin(i, "b0"), count("n0")
	if r.class = classOf(r.Priority); r.class < 0 {
		bad = "p"
	}
	if pk := str(i, "pk"); pk != "j#"+r.ID || !idForm.MatchString(r.ID) {
		bad = "pk"
	}
	if r.pointer != "" && !isDigest(r.pointer) {
		bad = "ptr"
	}
	if r.Done > r.Total || r.Bad > r.Done || r.inlined > r.Done || r.ResultTTL < 0 {
		bad = "done"
	}
	if bad != "" {
		return nil, damaged(fmt.Errorf("%w: attribute %s", errItem, bad))
	}
	return r, nil
}

// over reports whether the job can only end: it is to be cancelled, or its deadline has passed.
func (r *record) over(now time.Time) (jobs.State, bool) {
	switch {
	case r.State == jobs.Running && r.end.After(now): // its worker ends it
	case r.State.Final():
	case r.Canceled:
		return jobs.Canceled, true
	case !r.Deadline.IsZero() && !r.Deadline.After(now):
		return jobs.Expired, true
	}
	return "", false
}
