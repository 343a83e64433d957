// Package postprocess turns a model's output tensors into answers: labels, boxes, values. Pure Go, no I/O; equal to the
// reference implementations that the models were trained with, ties, NaN and Inf included.
package postprocess

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

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

// Segment is all pixels of the source picture that belong to one class.
type Segment struct {
	Label string `json:"label"`
	Index int    `json:"index"`
	Area  int    `json:"area"` // pixels
	Mask  Mask   `json:"mask"`
}

// Mask is COCO's uncompressed run-length encoding: Counts are the lengths of runs, column after column from the left, each from the top down,
// starting with a run of pixels outside (which may be 0 long) and taking turns; the pixels after the last run are outside.
type Mask struct {
	Size   [2]int `json:"size"` // height, width of the source picture
	Counts []int  `json:"counts"`
}

// Result is one item's answer; the field that belongs to the task is set.
type Result struct {
	Predictions []Prediction
	Detections  []Detection
	Segments    []Segment       // image-segmentation, by class number; classes without a pixel are left out
	Value       *float64        // tabular-regression with one output
	Values      []float64       // tabular-regression with several outputs
	Embedding   []float32       // image-feature-extraction
	Outputs     []tensor.Tensor // raw
}

// Postprocessor does one model's postprocessing. It is safe for concurrent use.
type Postprocessor struct {
	spec   *task.Spec
	labels []string
	run    func(p *Postprocessor, in input) (Result, error)
	pool   sync.Pool // of *scratch
	digest [32]byte
}

// input is what one Run reads.
type input struct {
	outputs []tensor.Tensor
	frame   tensor.Frame
	want    wishes
	scratch *scratch
}

// New compiles a completed spec (see task.Complete). It fails where the spec cannot be carried out.
func New(spec *task.Spec, labels []string) (*Postprocessor, error) {
	if spec == nil {
		return nil, errors.New("no task to postprocess for")
	}
	run, err := choose(spec)
	if err != nil {
		return nil, err
	}
	p := &Postprocessor{spec: spec, labels: labels, run: run, digest: digest(spec, labels)}
	p.pool.New = func() any { return new(scratch) }
	return p, nil
}

// choose finds the code for the task and, for detectors, the head.
func choose(spec *task.Spec) (func(*Postprocessor, input) (Result, error), error) {
	switch spec.Task {
	case task.ImageClassification, task.TabularClassification:
		return (*Postprocessor).classify, nil
	case task.ImageSegmentation:
		return (*Postprocessor).segment, nil
	case task.TabularRegression:
		return (*Postprocessor).regress, nil
	case task.ImageFeatureExtraction:
		return (*Postprocessor).embed, nil
	case task.Raw:
		return (*Postprocessor).raw, nil
	case task.ObjectDetection:
		switch spec.Output.Head {
		case "yolov8":
			return (*Postprocessor).yolov8, nil
		case "yolov5":
			return (*Postprocessor).yolov5, nil
		case "end2end":
			return (*Postprocessor).end2end, nil
		case "rtdetr":
			return (*Postprocessor).rtdetr, nil
		}
		return nil, fmt.Errorf("output.head: %q is not a head that is read here", spec.Output.Head)
	}
	return nil, fmt.Errorf("task: %q is not a task that is served here", spec.Task)
}

// Run reads one item's outputs (batch size 1). frame is the zero Frame for rows. Errors: Contract upstream_contract where the outputs are missing
// or have another shape than the task needs. The result shares no memory with outputs, but for the task raw.
func (p *Postprocessor) Run(outputs []tensor.Tensor, frame tensor.Frame, o Options) (Result, error) {
	s := p.pool.Get().(*scratch)
	defer p.pool.Put(s)
	return p.run(p, input{outputs: outputs, frame: frame, want: p.resolve(o, s), scratch: s})
}

// Digest names everything, options apart, that decides which answer comes out of given tensors: it is part of the result cache's key.
func (p *Postprocessor) Digest() [32]byte { return p.digest }

// raw gives the outputs as they are.
func (p *Postprocessor) raw(in input) (Result, error) {
	if len(in.outputs) == 0 {
		return Result{}, contract("the model gave no outputs")
	}
	for i := range in.outputs {
		if err := in.outputs[i].Validate(); err != nil {
			return Result{}, contract("%s", err)
		}
	}
	return Result{Outputs: in.outputs}, nil
}

// label names a class: by its number where there is no label.
func (p *Postprocessor) label(index int) string {
	if index < len(p.labels) && p.labels[index] != "" {
		return p.labels[index]
	}
	return strconv.Itoa(index)
}
