package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// jobDoc is what the commands read of a job's document.
type jobDoc struct {
	ID, Model, Version, State, Priority string
	Position                            *int     // jobs before it; nil where that is not known
	EstimateSeconds                     *float64 `json:"estimate_seconds"`
	Progress                            struct{ Done, Failed, Total int }
	Attempts                            int
	CreatedAt                           *time.Time `json:"created_at"`
	RunAt                               *time.Time `json:"run_at"`
	StartedAt                           *time.Time `json:"started_at"`
	FinishedAt                          *time.Time `json:"finished_at"`
	ExpiresAt                           *time.Time `json:"expires_at"`
	Cancelling                          bool
	Names                               []string // of the items' files
	Result                              json.RawMessage
	Error                               *problemDoc
	Poison                              bool // no attempt can succeed: the input itself is at fault
}

// problemDoc is what is read of a problem document.
type problemDoc struct{ Code, Detail string }

func (p *problemDoc) String() string {
	if p == nil {
		return ""
	}
	return p.Code + ": " + p.Detail
}

// final says that the job changes no more by itself.
func (j *jobDoc) final() bool { return j.State != "queued" && j.State != "running" }

func (j *jobDoc) doneOf() string {
	text := strconv.Itoa(j.Progress.Done) + "/" + strconv.Itoa(j.Progress.Total)
	if n := j.Progress.Failed; n > 0 {
		text += ", " + strconv.Itoa(n) + " failed"
	}
	return text
}

// verdict is nil where the job and all of its items succeeded.
func (j *jobDoc) verdict() error {
	switch {
	case j.State != "succeeded":
		return failure{exitUnanswered, fmt.Sprintf("job %s %s%s", j.ID, map[bool]string{true: "has ", false: "is "}[j.State == "failed" || j.State == "expired"], j.State)}
	case j.failed() > 0:
		return failure{exitUnanswered, fmt.Sprintf("%s of job %s could not be answered", plural(j.failed(), "item"), j.ID)}
	}
	return nil
}

// failed counts the items that have a problem instead of an answer.
func (j *jobDoc) failed() int {
	n := 0
	for _, r := range j.items() {
		if r.problem() != nil {
			n++
		}
	}
	return max(n, j.Progress.Failed)
}

// itemDoc is the answer for one item, as it came.
type itemDoc json.RawMessage

// items takes a job's result apart: a list where the job had several items, otherwise one.
func (j *jobDoc) items() []itemDoc {
	if len(j.Result) == 0 || string(j.Result) == "null" {
		return nil
	}
	var several struct{ Results []json.RawMessage }
	if json.Unmarshal(j.Result, &several) != nil || several.Results == nil {
		return []itemDoc{itemDoc(j.Result)}
	}
	out := make([]itemDoc, len(several.Results))
	for i, r := range several.Results {
		out[i] = itemDoc(r)
	}
	return out
}

// problem is why an item has no answer; nil: it has one.
func (i itemDoc) problem() *problemDoc {
	var d struct{ Error *problemDoc }
	if json.Unmarshal(i, &d) != nil {
		return nil
	}
	return d.Error
}

// short is what was found, in some words.
func (i itemDoc) short() string {
	var d struct {
		Predictions, Detections []struct {
			Label string
			Score float64
		}
		Value *float64
	}
	if p := i.problem(); p != nil {
		return p.String()
	}
	if json.Unmarshal(i, &d) != nil {
		return "?"
	}
	found := append(d.Predictions, d.Detections...)
	switch {
	case d.Value != nil:
		return strconv.FormatFloat(*d.Value, 'g', 6, 64)
	case len(d.Predictions) > 0:
		found = found[:1]
	case len(found) == 0:
		return "nothing found"
	}
	parts := make([]string, 0, 4)
	for n, f := range found {
		if n == 3 {
			parts = append(parts, fmt.Sprintf("and %d more", len(found)-n))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %.3f", f.Label, f.Score))
	}
	return strings.Join(parts, ", ")
}

// printJSON writes a document as people read it.
func printJSON(out io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = out.Write(append(data, '\n'))
	}
	return err
}
