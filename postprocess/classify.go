package postprocess

import (
	"cmp"
	"math"
	"slices"

	"triton-gateway/tensor"
)

// scratch is the working memory of one Run, kept for the next.
type scratch struct {
	classes    []bool
	scores     []scored
	floats     []float32
	more       []float32
	best       []float32
	class      []int32
	candidates []candidate
	kept       []int32
}

type scored struct {
	index int
	score float64
}

// compareScored puts the higher score first and, of equal ones, the lower index.
func compareScored(a, b scored) int {
	if a.score != b.score {
		return cmp.Compare(b.score, a.score)
	}
	return cmp.Compare(a.index, b.index)
}

// classify reads one score per class: [C], [1, C] or with further dimensions of 1.
//
// Softmax is exp(x-max)/sum and sigmoid 1/(1+exp(-x)), both in float64. Classes whose logit is NaN are left out, of the sum
// too. Infinite logits are taken as the limit: classes at +Inf share softmax's whole mass evenly, those at -Inf get 0, and
// where all are -Inf they share evenly. Without activation, classes with an infinite score are left out. Where nothing is
// left, the model broke its contract.
//
// One value and two labels is a binary classifier that gives the second class's probability; the first one gets the rest.
func (p *Postprocessor) classify(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	if err := vector(t); err != nil {
		return Result{}, err
	}
	s := in.scratch
	s.scores = p.activate(s.scores[:0], t)
	if len(s.scores) == 0 {
		return Result{}, contract("output %q holds no number (all are NaN, or infinite)", t.Name)
	}
	if in.want.filter {
		s.scores = slices.DeleteFunc(s.scores, func(c scored) bool { return !in.want.wants(c.index) })
	}
	best := top(s.scores, in.want.topK)
	out := make([]Prediction, len(best))
	for i, c := range best {
		out[i] = Prediction{Label: p.label(c.index), Index: c.index, Score: c.score}
	}
	return Result{Predictions: out}, nil
}

// activate appends the score of every class that has one, in the order of the classes.
func (p *Postprocessor) activate(dst []scored, t *tensor.Tensor) []scored {
	n := elements(t)
	activation := p.spec.Output.Activation
	for i := range n {
		x := at(t, i)
		if activation == "sigmoid" {
			x = sigmoid(x)
		}
		if math.IsNaN(x) || activation != "softmax" && math.IsInf(x, 0) {
			continue
		}
		dst = append(dst, scored{i, x})
	}
	if activation == "softmax" {
		softmax(dst)
		return dst
	}
	if n == 1 && len(dst) == 1 && len(p.labels) == 2 && dst[0].score >= 0 && dst[0].score <= 1 {
		return append(dst[:0], scored{0, 1 - dst[0].score}, scored{1, dst[0].score})
	}
	return dst
}

// sigmoid is 1/(1+exp(-x)): 0 and 1 at the infinities.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softmax turns logits, none of them NaN, into probabilities in place.
func softmax(list []scored) {
	high := math.Inf(-1)
	for _, c := range list {
		high = max(high, c.score)
	}
	sum := 0.0
	for i, c := range list {
		switch {
		case c.score == high: // exp(0), and the limit where high is infinite
			list[i].score = 1
		default:
			list[i].score = math.Exp(c.score - high)
		}
		sum += list[i].score
	}
	for i := range list {
		list[i].score /= sum
	}
}

// top orders the k best in front and gives those.
func top(list []scored, k int) []scored {
	if k >= len(list) || k > 64 {
		slices.SortFunc(list, compareScored)
		return list[:min(k, len(list))]
	}
	for i, c := range list {
		at := min(i, k)
		if at == k && compareScored(list[k-1], c) < 0 {
			continue
		}
		for at = min(at, k-1); at > 0 && compareScored(c, list[at-1]) < 0; at-- {
			list[at] = list[at-1]
		}
		list[at] = c
	}
	return list[:k]
}
