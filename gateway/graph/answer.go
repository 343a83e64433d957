package graph

import (
	"encoding/json"
	"strconv"

	"triton-gateway/postprocess"
)

// State is how a node ended.
type State string

// The states.
const (
	Done      State = "done"
	Skipped   State = "skipped" // a switch did not choose it or ended the graph, or what it reads gave nothing
	Failed    State = "failed"  // and gave nothing; on_error: skip
	Partial   State = "partial" // some of its crops failed
	Defaulted State = "default" // it failed, and gave its default
	Late      State = "late"    // the answer did not wait for it
)

// Step is what became of a node.
type Step struct {
	Node   string
	State  State
	Items  int   // what it gave: detections, crops or classes; 1 of other answers
	Left   int   // detections that were not cut out: over the cap, without area, outside of the picture
	Failed int   // crops that failed
	Err    error // the first error; nil where there was none
}

// Answer is what a graph gives. One of Found, Predictions and Other is set, as its Kind says.
type Answer struct {
	Found       []Found
	Predictions []postprocess.Prediction
	Other       postprocess.Result
	Stopped     string // the switch that ended the graph; "" where it ran to its end
	Steps       []Step // of all nodes, in the document's order

	kind kind
}

// Whole reports whether no node failed, and none was too late. What is not whole is not to be kept: asked again, it may be.
func (a *Answer) Whole() bool {
	for i := range a.Steps {
		if a.Steps[i].Err != nil || a.Steps[i].State == Late {
			return false
		}
	}
	return true
}

// AppendJSON appends the members of the answer, without braces: what the task has, as postprocess.Result writes it, where detections may have
// "predictions" of their own; "nodes" by name; and "errors" by name where nodes failed.
func (a *Answer) AppendJSON(dst []byte) []byte {
	switch a.kind {
	case detections:
		dst = append(dst, `"detections":[`...)
		for i := range a.Found {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = a.Found[i].appendJSON(dst)
		}
		dst = append(dst, ']')
	case classes:
		list := a.Predictions
		if list == nil {
			list = []postprocess.Prediction{}
		}
		dst = (&postprocess.Result{Predictions: list}).AppendJSON(dst)
	default:
		at := len(dst)
		if dst = a.Other.AppendJSON(dst); len(dst) == at {
			dst = append(dst, `"predictions":[]`...) // it was skipped
		}
	}
	if a.Stopped != "" {
		dst = strconv.AppendQuote(append(dst, `,"stopped":`...), a.Stopped)
	}
	dst = append(dst, `,"nodes":{`...)
	failed := 0
	for i := range a.Steps {
		s := &a.Steps[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, s.Node) // names are plain
		dst = append(append(append(dst, `:{"state":"`...), s.State...), '"')
		dst = number(dst, "items", s.Items)
		dst = number(dst, "left_out", s.Left)
		dst = append(number(dst, "failed", s.Failed), '}')
		if s.Err != nil {
			failed++
		}
	}
	dst = append(dst, '}')
	if failed == 0 {
		return dst
	}
	comma := `,"errors":{`
	for i := range a.Steps {
		if s := &a.Steps[i]; s.Err != nil {
			dst = strconv.AppendQuote(append(dst, comma...), s.Node)
			dst = append(append(dst, ':'), explain(s.Err)...)
			comma = ","
		}
	}
	return append(dst, '}')
}

// number appends a count that is not 0.
func number(dst []byte, name string, n int) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(append(append(append(dst, `,"`...), name...), `":`...), int64(n), 10)
}

// explain is what callers are told of an error.
func explain(err error) []byte {
	var told struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	told.Code, told.Detail = "internal", "the node failed; the log says why"
	if f := faultOf(err); f != nil {
		told.Code, told.Detail = f.Code, f.Detail
	}
	text, _ := json.Marshal(told) // strings only: cannot fail
	return text
}

// appendJSON writes a detection, and into its object what was found in its crop.
func (f *Found) appendJSON(dst []byte) []byte {
	const head, tail = `"detections":[`, `}]`
	one := (&postprocess.Result{Detections: []postprocess.Detection{f.Detection}}).AppendJSON(nil)
	dst = append(dst, one[len(head):len(one)-len(tail)]...)
	if f.Predictions != nil {
		dst = append(dst, ',')
		dst = (&postprocess.Result{Predictions: f.Predictions}).AppendJSON(dst)
	}
	return append(dst, '}')
}
