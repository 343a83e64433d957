// Package postprocess turns a model's output tensors into answers: labels, boxes, values. Pure Go, no I/O; equal to the
// reference implementations that the models were trained with, ties, NaN and Inf included.
package postprocess

import (
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// Options are a caller's wishes; nil and empty mean the model's own defaults.
type Options struct {
	TopK          *int     // >= 1
	Confidence    *float64 // 0..1
	IoU           *float64 // 0..1
	MaxDetections *int     // >= 1
	Classes       []string // only these labels (or indices as decimal text)
}

// Prediction is one class of a classification.
type Prediction struct {
	Label string  `json:"label"`
	Index int     `json:"index"`
	Score float64 `json:"score"`
}

// Box is corners in pixels of the source picture, clipped to it.
type Box struct {
	X1 float64 `json:"x1"`
	Y1 float64 `json:"y1"`
	X2 float64 `json:"x2"`
	Y2 float64 `json:"y2"`
}

// Detection is one object found.
type Detection struct {
	Label string  `json:"label"`
	Index int     `json:"index"`
	Score float64 `json:"score"`
	Box   Box     `json:"box"`
}

// Result is one item's answer; the field that belongs to the task is set.
type Result struct {
	Predictions []Prediction
	Detections  []Detection
	Value       *float64        // tabular-regression with one output
	Values      []float64       // tabular-regression with several outputs
	Embedding   []float32       // image-feature-extraction
	Outputs     []tensor.Tensor // raw
}

// Postprocessor does one model's postprocessing. It is safe for concurrent use.
type Postprocessor struct {
	spec   *task.Spec
	labels []string
}

// New compiles a completed spec (see task.Complete). It fails where the spec cannot be carried out.
func New(spec *task.Spec, labels []string) (*Postprocessor, error) {
	return &Postprocessor{spec, labels}, nil
}

// Check refuses options that the task does not have, are out of range or name an unknown class. Errors: Invalid invalid_request with the option's name
// as location (such as "top_k").
func (p *Postprocessor) Check(o Options) error { return nil }

// Run reads one item's outputs (batch size 1). frame is the zero Frame for rows. Errors: Contract upstream_contract where the outputs are missing
// or have another shape than the task needs.
func (p *Postprocessor) Run(outputs []tensor.Tensor, frame tensor.Frame, o Options) (Result, error) {
	panic("not written yet")
}

// Digest names everything, options apart, that decides which answer comes out of given tensors: it is part of the result cache's key.
func (p *Postprocessor) Digest() [32]byte { return [32]byte{} }

// Canonical gives one text for all spellings of the same options with the model's defaults filled in; it is part of the result cache's key.
func (p *Postprocessor) Canonical(o Options) string { return "" }

// AppendJSON appends the members of the answer that belong to the task, such as `"predictions":[...]`, without braces.
func (r *Result) AppendJSON(dst []byte) []byte { return dst }
