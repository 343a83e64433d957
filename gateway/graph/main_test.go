package graph

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// models answers calls by model.
type models map[string]func(ctx context.Context, c *Call) (postprocess.Result, error)

func (m models) Run(ctx context.Context, c *Call) (postprocess.Result, error) {
	f, ok := m[c.Model]
	if !ok {
		return postprocess.Result{}, fault.New(fault.NotFound, "model_not_found", "there is no model %q", c.Model)
	}
	return f(ctx, c)
}

// says is a model that always answers so.
func says(r postprocess.Result) func(context.Context, *Call) (postprocess.Result, error) {
	return func(context.Context, *Call) (postprocess.Result, error) { return r, nil }
}

// fails is a model that always fails so.
func fails(err error) func(context.Context, *Call) (postprocess.Result, error) {
	return func(context.Context, *Call) (postprocess.Result, error) { return postprocess.Result{}, err }
}

// hangs is a model that answers only its context's end.
func hangs(ctx context.Context, _ *Call) (postprocess.Result, error) {
	<-ctx.Done()
	return postprocess.Result{}, fault.Ended(ctx.Err(), "while it hung")
}

func classesOf(pairs ...any) postprocess.Result {
	r := postprocess.Result{Predictions: []postprocess.Prediction{}}
	for i := 0; i < len(pairs); i += 2 {
		r.Predictions = append(r.Predictions, postprocess.Prediction{Label: pairs[i].(string), Index: i / 2, Score: pairs[i+1].(float64)})
	}
	return r
}

func box(label string, score, x1, y1, x2, y2 float64) postprocess.Detection {
	return postprocess.Detection{Label: label, Score: score, Box: postprocess.Box{X1: x1, Y1: y1, X2: x2, Y2: y2}}
}

func boxesOf(list ...postprocess.Detection) postprocess.Result {
	if list == nil {
		list = []postprocess.Detection{}
	}
	return postprocess.Result{Detections: list}
}

// parsed reads a document that is right.
func parsed(t *testing.T, text string) *Graph {
	t.Helper()
	g, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tasks knows models by their names' beginnings.
func tasks(model, _ string) (task.Name, bool) {
	for prefix, does := range map[string]task.Name{
		"detect": task.ObjectDetection, "class": task.ImageClassification, "embed": task.ImageFeatureExtraction,
		"iris": task.TabularClassification, "price": task.TabularRegression, "raw": task.Raw,
	} {
		if strings.HasPrefix(model, prefix) {
			return does, true
		}
	}
	return "", false
}

// input is a picture of 100 x 80 pixels.
func input() Input {
	return Input{Width: 100, Height: 80, Task: task.ObjectDetection, Known: tasks}
}

// states gives what became of each node.
func states(a *Answer) string {
	var list []string
	for _, s := range a.Steps {
		list = append(list, s.Node+":"+string(s.State))
	}
	return strings.Join(list, " ")
}

// width counts how many calls run at one time.
type width struct {
	now, most atomic.Int64
	mu        sync.Mutex
	calls     []Call
}

func (w *width) wrap(f func(context.Context, *Call) (postprocess.Result, error)) func(context.Context, *Call) (postprocess.Result, error) {
	return func(ctx context.Context, c *Call) (postprocess.Result, error) {
		n := w.now.Add(1)
		defer w.now.Add(-1)
		for {
			most := w.most.Load()
			if n <= most || w.most.CompareAndSwap(most, n) {
				break
			}
		}
		w.mu.Lock()
		w.calls = append(w.calls, *c)
		w.mu.Unlock()
		return f(ctx, c)
	}
}

const detectCropClassify = `
description: finds and names
nodes:
  - {name: find, model: detect, from: input}
  - {name: cut, crop: {}, from: find}
  - {name: kind, model: classify, from: cut}
`
