// Package history judges what was written down while jobs ran and things were killed: what callers handed in, what they saw when they asked, and what was
// ended when. It exists so that "no accepted job is lost" is checked by something that knows nothing of how jobs are kept: it sees what clients see.
package history

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// History is what was written down. Its methods Submitted, Saw and Killed are safe for concurrent use; the rest is for after the run.
type History struct {
	Submissions []Submission
	Sightings   []Sighting
	Kills       []Kill
	Listed      []string          // ids of all jobs that the gateway lists at the end
	Expected    map[string]string // input -> the right answer

	mu sync.Mutex
}

// Submission is one time that a caller was told that a job is accepted.
type Submission struct {
	Key   string // of idempotency: the same job handed in twice, after an answer was lost, has the same
	Input string // names what was handed in
	ID    string
	At    time.Time
}

// Sighting is a job as a caller saw it.
type Sighting struct {
	ID       string
	At       time.Time // when the answer had come
	State    string
	Answer   string // in the form of History.Expected; "": none
	Attempts int    // that are used up
	Finished time.Time
}

// Kill is a process that was ended the hard way.
type Kill struct {
	What     string
	Down, Up time.Time // when it was killed, and when what took its place was ready
	Worked   bool      // it worked on jobs, or those that do cannot without it
	Blocked  bool      // no other could work meanwhile
}

// Submitted writes down an accepted job.
func (h *History) Submitted(s Submission) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Submissions = append(h.Submissions, s)
}

// Saw writes down what was seen of a job.
func (h *History) Saw(s Sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Sightings = append(h.Sightings, s)
}

// Killed writes down a kill.
func (h *History) Killed(k Kill) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Kills = append(h.Kills, k)
}

// Rules are what is promised.
type Rules struct {
	// Redelivery is the longest that a job may wait after its worker was killed.
	Redelivery time.Duration
	// Slack is added to it: running the job and seeing that it is done take time too.
	Slack time.Duration
}

// Fault is a promise that was broken.
type Fault struct {
	Rule Rule
	ID   string // of the job
	Text string
}

func (f Fault) String() string { return string(f.Rule) + ": job " + f.ID + ": " + f.Text }

// Rule names a promise.
type Rule string

// The rules.
const (
	Lost     Rule = "lost"     // an accepted job did not end succeeded
	Wrong    Rule = "wrong"    // its answer is not the right one
	Changed  Rule = "changed"  // what was final changed, or a result was visible before
	Twice    Rule = "twice"    // one submission became two jobs, or two became one
	Stranger Rule = "stranger" // there is a job that nobody was told of
	Burnt    Rule = "burnt"    // a kill used an attempt up
	Late     Rule = "late"     // a job waited too long after a kill
)

// Verdict is what a history comes to.
type Verdict struct {
	Faults   []Fault
	Jobs     int // accepted
	Sighted  int
	Kills    int
	Count    map[Rule]int
	Waited   int           // jobs that were not done when something was killed that could have had them
	Slowest  time.Duration // longest wait of one of these, after the last kill that can be its reason, less the time in which nothing could work
	SlowestA time.Duration // longest from acceptance to the end, of all jobs
}

func (v *Verdict) String() string {
	return fmt.Sprintf("%d jobs accepted, %d kills, %d sightings: %d lost, %d wrong, %d changed, %d twice, %d strangers, %d burnt, %d late; %d jobs were under way at a kill, slowest redelivery %.2f s; slowest job %.2f s",
		v.Jobs, v.Kills, v.Sighted, v.Count[Lost], v.Count[Wrong], v.Count[Changed], v.Count[Twice], v.Count[Stranger], v.Count[Burnt], v.Count[Late],
		v.Waited, v.Slowest.Seconds(), v.SlowestA.Seconds())
}

// job is what is known of one job.
type job struct {
	id       string
	keys     []string
	input    string
	accepted time.Time // the first time
	seen     []Sighting
}

// Judge holds a history against the rules.
func (h *History) Judge(r Rules) *Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Verdict{Kills: len(h.Kills), Sighted: len(h.Sightings), Count: map[Rule]int{}}
	fault := func(rule Rule, id, format string, args ...any) {
		v.Faults = append(v.Faults, Fault{rule, id, fmt.Sprintf(format, args...)})
		v.Count[rule]++
	}
	jobs := h.jobs(fault)
	v.Jobs = len(jobs)
	h.strangers(jobs, fault)
	ids := make([]string, 0, len(jobs))
	for id := range jobs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		j := jobs[id]
		slices.SortStableFunc(j.seen, func(a, b Sighting) int { return a.At.Compare(b.At) })
		if !h.answered(j, fault) {
			continue
		}
		steady(j, fault)
		h.prompt(j, r, v, fault)
	}
	return v
}

// report notes a fault.
type report func(rule Rule, id, format string, args ...any)
