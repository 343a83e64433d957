// Package jobs is work that is handed in, answered at once with an id, and collected later: one item or ten thousand, for any model. It
// exists so that what was accepted is never lost: a job that has an id is in a store before its id is given out, and whatever is killed, it ends
// in a final state with one visible result.
//
// The promise: every item runs at least once, and exactly one result of each is visible. A worker holds a job by a lease with a fence, a
// number that grows with every lease of that job; a store takes nothing from a worker whose fence is not the newest. A worker that
// dies costs no attempt: its lease ends, and the items that were done are not done again. An item that takes its worker down time after time is found and
// fails alone. A store is a folder below: sqlite, redis, sqs; hybrid is two of them as one.
package jobs

import (
	"encoding/json"
	"time"

	"triton-gateway/internal/priority"
)

// State is where a job is.
type State string

// The states. The last four are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Canceled  State = "cancelled"
	Expired   State = "expired" // its deadline passed before it was done
)

// Final reports whether a job in this state changes no more, but by Retry.
func (s State) Final() bool { return s != Queued && s != Running }

// Priority is a job's class.
type Priority string

// The classes, the most urgent first.
const (
	Realtime    Priority = "realtime"
	Interactive Priority = "interactive"
	Batch       Priority = "batch"
)

// Class is that of the job's requests.
func (p Priority) Class() priority.Class {
	c, _ := priority.Parse(string(p))
	return c
}

// Lead is how much earlier than its arrival a job of the class counts: whoever is due and has the earliest place goes first, so that a batch
// job which has waited Lead longer than a newer, more urgent one comes before it, and none starves.
func (p Priority) Lead() time.Duration {
	switch p {
	case Realtime:
		return time.Minute
	case Interactive:
		return 20 * time.Second
	}
	return 0
}

// Kind is what an item holds.
type Kind string

// The kinds of item.
const (
	Image Kind = "image" // the bytes of a picture
	Row   Kind = "row"   // the JSON of one row: an object or a list
	Raw   Kind = "raw"   // the JSON of a KServe v2 request
)

// Item is one thing to answer. Its bytes are in a blob.
type Item struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name,omitempty"` // a file's name, to be shown; "" where there is none
	Blob string `json:"blob"`           // SHA-256 of the bytes, in hex
	Size int64  `json:"size"`           // bytes
}

// Spec is what was handed in. It does not change.
type Spec struct {
	ID       string          `json:"id"`
	Tenant   string          `json:"tenant,omitempty"`
	Caller   string          `json:"caller,omitempty"` // who has handed it in, whose quota counts; "": the tenant's
	Tier     string          `json:"tier,omitempty"`   // of the caller
	Model    string          `json:"model"`
	Version  string          `json:"version,omitempty"` // "" leaves it to the model's policy when the job runs
	Priority Priority        `json:"priority"`
	Options  json.RawMessage `json:"options,omitempty"` // of postprocess, in the form that package gateway writes and reads
	Cache    string          `json:"cache,omitempty"`   // default, no-cache or no-store
	Single   bool            `json:"single,omitempty"`  // one item, whose document is the result; otherwise a list
	Items    []Item          `json:"items"`

	Created   time.Time     `json:"created"`
	RunAt     time.Time     `json:"run_at"`            // not before; it counts as the job's arrival. A Settle to Queued and a Retry move it
	Deadline  time.Time     `json:"deadline,omitzero"` // zero: none; a Retry drops one that has passed
	ResultTTL time.Duration `json:"result_ttl"`        // how long a final job is kept
	Attempts  int           `json:"attempts"`          // the most; at least 1
	Webhook   string        `json:"webhook,omitempty"` // told when the job is final
	Key       string        `json:"key,omitempty"`     // the caller's Idempotency-Key
	Digest    string        `json:"digest,omitempty"`  // SHA-256 of the request, by which a second one with the same Key is told from another, in hex
}

// Job is a Spec and what has become of it.
type Job struct {
	Spec
	State    State
	Total    int       // items, where a list leaves Items out too
	Done     int       // items with a result, failed ones included
	Bad      int       // of these, failed ones
	Attempt  int       // attempts that were used up: failures, not crashes
	Crashes  int       // leases in a row that were taken over after their end, with no new result meanwhile
	Fence    int64     // of the newest lease; 0 before the first
	Started  time.Time // of the first lease; zero before
	Finished time.Time // zero before
	Problem  *Problem  // why the last attempt failed; nil where none has
	Canceled bool      // to be cancelled; a running job's worker sees it at its next Extend
	Place    int       // how many due jobs are before it, while it is queued; -1 where that is not known, as in a list
	Told     bool      // the webhook has been told, or there is none, or it was given up
}

// Problem is why a job or an item failed.
type Problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	// Poison says that no attempt can succeed: the input itself is at fault.
	Poison bool `json:"poison,omitempty"`
}

// Result is the answer for one item: a document as infer gives it, or a problem document.
type Result struct {
	Index int    `json:"index"`
	Body  []byte `json:"body"` // JSON
	Bad   bool   `json:"bad,omitempty"`
}
