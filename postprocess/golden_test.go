package postprocess

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"testing"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

// goldenCase is a line of golden/cases.json, which scripts/goldens_post/make.py writes.
type goldenCase struct {
	Task   task.Name
	Output struct {
		Name, Activation, Head, Pool string
		TopK                         int `json:"top_k"`
		Confidence, IoU              *float64
		MaxDetections                int `json:"max_detections"`
		Normalize                    bool
	}
	Tensors []struct {
		Name, Datatype, Data string
		Shape                []int64
	}
	Frame       tensor.Frame
	Predictions []Prediction
	Detections  []struct {
		Index int
		Score float64
		Box   [4]float64
	}
	Embedding []float64
}

// near allows for another order of additions and another exp.
func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*math.Max(1, math.Abs(b)) }

func TestGoldens(t *testing.T) {
	text, err := os.ReadFile("golden/cases.json")
	if err != nil {
		t.Fatal(err) // a missing golden is a failure
	}
	var cases []goldenCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("only %d cases", len(cases))
	}
	found := 0
	for i, c := range cases {
		o := c.Output
		p, err := New(&task.Spec{Task: c.Task, Output: task.Output{Name: o.Name, Activation: o.Activation, Head: o.Head, Pool: o.Pool, TopK: o.TopK,
			Confidence: o.Confidence, IoU: o.IoU, MaxDetections: o.MaxDetections, Normalize: o.Normalize}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var outputs []tensor.Tensor
		for _, in := range c.Tensors {
			data, err := base64.StdEncoding.DecodeString(in.Data)
			dtype, ok := tensor.ParseDType(in.Datatype)
			if err != nil || !ok {
				t.Fatal(err, in.Datatype)
			}
			outputs = append(outputs, tensor.Tensor{Name: in.Name, DType: dtype, Shape: in.Shape, Data: data})
		}
		r, err := p.Run(outputs, c.Frame, Options{})
		if err != nil || len(r.Predictions) != len(c.Predictions) || len(r.Detections) != len(c.Detections) || len(r.Embedding) != len(c.Embedding) {
			t.Errorf("case %d (%s %s): %d, %d, %d answers, %v", i, c.Task, o.Head, len(r.Predictions), len(r.Detections), len(r.Embedding), err)
			continue
		}
		for j, want := range c.Predictions {
			if got := r.Predictions[j]; got.Index != want.Index || !near(got.Score, want.Score, 1e-14) {
				t.Errorf("case %d: prediction %d: got %v, want %v", i, j, got, want)
			}
		}
		for j, want := range c.Detections {
			got := r.Detections[j]
			corners := [4]float64{got.Box.X1, got.Box.Y1, got.Box.X2, got.Box.Y2}
			for k := range corners {
				if got.Index != want.Index || got.Score != want.Score || !near(corners[k], want.Box[k], 1e-12) {
					t.Errorf("case %d: detection %d: got %v, want %v", i, j, got, want)
				}
			}
			found++
		}
		for j, want := range c.Embedding {
			if got := float64(r.Embedding[j]); !near(got, want, 1e-7) {
				t.Errorf("case %d: element %d: got %v, want %v", i, j, got, want)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d detections in all cases", found)
	}
}
