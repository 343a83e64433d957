package shadow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

var tasks = []task.Name{task.ImageClassification, task.ObjectDetection, task.ImageSegmentation, task.ImageFeatureExtraction, task.TabularClassification, task.TabularRegression, task.Raw}

// odd gives numbers as they come, and as they should not.
func odd(r *rand.Rand) float64 {
	switch r.IntN(12) {
	case 0:
		return nan
	case 1:
		return inf
	case 2:
		return -inf
	case 3:
		return 0
	case 4:
		return math.MaxFloat64 * (1 - 2*r.Float64())
	case 5:
		return math.SmallestNonzeroFloat64
	}
	return r.NormFloat64()
}

// anything makes an answer to any task.
func anything(r *rand.Rand) *postprocess.Result {
	out := &postprocess.Result{}
	var list, more []float32
	for range r.IntN(8) {
		label := fmt.Sprint(r.IntN(4))
		out.Predictions = append(out.Predictions, postprocess.Prediction{Label: label, Score: odd(r)})
		d := box(label, odd(r), odd(r), odd(r), odd(r), odd(r))
		if r.IntN(2) == 0 {
			d = box(label, r.Float64(), 0, 0, 5+r.Float64(), 5+r.Float64())
		}
		out.Detections = append(out.Detections, d)
		out.Segments = append(out.Segments, runsOf(label, r.IntN(9)-1, r.IntN(9)-1, r.IntN(9), r.IntN(9)))
		out.Values = append(out.Values, odd(r))
		out.Embedding = append(out.Embedding, float32(odd(r)))
		list, more = append(list, float32(odd(r))), append(more, float32(odd(r)))
	}
	out.Outputs = raw(floats("x", list...), floats(fmt.Sprint(r.IntN(2)), more...), longs("l", r.Int64(), -r.Int64()), texts("t", fmt.Sprint(r.IntN(3)))).Outputs
	return out
}

func TestAnAnswerIsLikeItself(t *testing.T) {
	for seed := range uint64(2000) {
		a := anything(rand.New(rand.NewPCG(seed, 1)))
		again := anything(rand.New(rand.NewPCG(seed, 1)))
		for _, n := range tasks {
			if c := Compare(n, a, again, 0); !c.Alike || c.Distance != 0 || c.Why != "" {
				t.Fatalf("%s, seed %d: %+v of %+v", n, seed, c, a)
			}
		}
	}
}

func TestAnyTwoAnswersCanBeCompared(t *testing.T) {
	apart := 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		a, b := anything(r), anything(r)
		for _, n := range tasks {
			c, back := Compare(n, a, b, Tolerance(n)), Compare(n, b, a, Tolerance(n))
			if !(c.Distance >= 0 && c.Distance <= 1) || c.Alike != (c.Distance <= Tolerance(n)) || c.Task != n {
				t.Fatalf("%s, seed %d: %+v", n, seed, c)
			}
			if c.Why != "" && c.Distance != 1 {
				t.Fatalf("%s, seed %d: %+v", n, seed, c)
			}
			for name, v := range c.Figures {
				if !finite(v) {
					t.Fatalf("%s, seed %d: %s is %v", n, seed, name, v)
				}
			}
			if !c.Alike {
				apart++
			}
			// Who chooses first matters only to detections that overlap each other.
			if n != task.ObjectDetection && (math.Abs(c.Distance-back.Distance) > 1e-9 || c.Why != back.Why) {
				t.Fatalf("%s, seed %d: %+v, the other way round %+v", n, seed, c, back)
			}
		}
	}
	if apart < 5000 {
		t.Errorf("only %d of 14000 comparisons tell answers apart", apart)
	}
}
