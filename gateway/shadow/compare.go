package shadow

import (
	"math"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// Comparison says how far two answers to one input lie apart.
type Comparison struct {
	Task     task.Name          `json:"task"`
	Alike    bool               `json:"alike"`         // Distance is within the tolerance
	Distance float64            `json:"distance"`      // 0 alike .. 1 as unlike as can be; what it is made of depends on the task
	Why      string             `json:"why,omitempty"` // set where the answers are of different form, so that there is nothing to measure; Distance is 1 then
	Figures  map[string]float64 `json:"figures"`       // by name, all of them finite; those that have no meaning for these answers are left out
}

// Tolerance is the greatest Distance at which two answers of a task count as alike, where nothing else is asked for.
func Tolerance(name task.Name) float64 {
	switch name {
	case task.ImageClassification, task.TabularClassification:
		return 0.45 // exactly where both have the same best class
	case task.ObjectDetection:
		return 0.3
	case task.ImageSegmentation:
		return 0.2
	case task.ImageFeatureExtraction, task.TabularRegression:
		return 0.05
	}
	return 0.01
}

// Compare measures the shadow's answer against the primary's. Both are answers of this task to the same input, and are only read. The time it takes grows with the answers' size; of
// detections, no more than the best 2000 of each are looked at. A number that is NaN or infinite is like the same one and as unlike as can be to all others. Two empty answers are alike.
//
// The figures of the tasks, and what Distance is:
//   - image-classification, tabular-classification: top1 and top5 (share of the best class, of the best five classes, that both have), score_difference (of the best scores).
//     Distance is (1-top1)/2 + 0.3*(1-top5) + 0.2*score_difference.
//   - object-detection: precision, recall, mean_iou and score_difference (means of the matched pairs), matched, primary_count, shadow_count. Distance is 1 less the panoptic quality.
//   - image-segmentation: mean_iou (over the classes of either), area_difference, classes. Distance is 1-mean_iou.
//   - image-feature-extraction: cosine. Distance is 1-cosine, and 1 below 0.
//   - tabular-regression: absolute_difference and relative_difference, the greatest of all values. Distance is the relative one.
//   - raw: greatest_difference, relative_difference (of the greatest number of its tensor), differing (share of elements). Distance is the relative one.
//     An output whose bytes are not what its shape says is like nothing, itself included.
func Compare(name task.Name, primary, shadow *postprocess.Result, tolerance float64) Comparison {
	c := Comparison{Task: name, Figures: map[string]float64{}}
	switch name {
	case task.ImageClassification, task.TabularClassification:
		c.classes(primary.Predictions, shadow.Predictions)
	case task.ObjectDetection:
		c.boxes(primary.Detections, shadow.Detections)
	case task.ImageSegmentation:
		c.masks(primary.Segments, shadow.Segments)
	case task.ImageFeatureExtraction:
		c.embeddings(primary.Embedding, shadow.Embedding)
	case task.TabularRegression:
		c.values(values(primary), values(shadow))
	default:
		c.tensors(primary.Outputs, shadow.Outputs)
	}
	c.Distance = unit(c.Distance)
	c.Alike = c.Distance <= tolerance
	return c
}

// unlike notes that the answers cannot be measured against each other.
func (c *Comparison) unlike(why string) { c.Distance, c.Why = 1, why }

// figure notes a figure; one that is too large for a float64 becomes the largest.
func (c *Comparison) figure(name string, v float64) {
	if !math.IsNaN(v) {
		c.Figures[name] = min(max(v, -math.MaxFloat64), math.MaxFloat64)
	}
}

// classes compares classifications, best class first. A class is known by its label, since another version may number them otherwise.
func (c *Comparison) classes(primary, shadow []postprocess.Prediction) {
	if len(primary) == 0 && len(shadow) == 0 {
		return
	}
	a, b := primary[:min(5, len(primary))], shadow[:min(5, len(shadow))]
	both, used := 0, [5]bool{}
	for _, p := range a {
		for i, s := range b {
			if !used[i] && p.Label == s.Label {
				used[i] = true
				both++
				break
			}
		}
	}
	top5 := float64(both) / float64(max(len(a), len(b)))
	c.figure("top5", top5)
	if len(a) == 0 || len(b) == 0 {
		c.figure("top1", 0)
		c.unlike("only one of the answers has classes")
		return
	}
	top1 := 0.0
	if a[0].Label == b[0].Label {
		top1 = 1
	}
	c.figure("top1", top1)
	x, y := a[0].Score, b[0].Score
	apart := 1.0
	switch {
	case same(x, y):
		apart = 0
		c.figure("score_difference", 0)
	case finite(x) && finite(y):
		apart = relative(x, y, 1)
		c.figure("score_difference", math.Abs(x-y))
	}
	c.Distance = (1-top1)/2 + 0.3*(1-top5) + 0.2*unit(apart)
}

// pairs gives the things of both lists that have the same name, nil where one lacks it: those of the first list in its order, then the rest of the second. Nothing says that names are
// unique: the n-th of a name goes with the n-th.
func pairs[T any](a, b []T, name func(*T) string) [][2]*T {
	out := make([][2]*T, 0, max(len(a), len(b)))
	waiting := map[string][]int{} // by name, places in out that lack the second
	for i := range a {
		waiting[name(&a[i])] = append(waiting[name(&a[i])], len(out))
		out = append(out, [2]*T{&a[i], nil})
	}
	for i := range b {
		n := name(&b[i])
		if w := waiting[n]; len(w) > 0 {
			out[w[0]][1] = &b[i]
			waiting[n] = w[1:]
		} else {
			out = append(out, [2]*T{nil, &b[i]})
		}
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// same is equality in which NaN equals NaN.
func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// relative is the difference of two finite numbers in parts of the larger one, or of floor where that is larger still: 0..2.
func relative(a, b, floor float64) float64 {
	scale := max(math.Abs(a), math.Abs(b), floor)
	return math.Abs(a/scale - b/scale)
}

// unit limits to 0..1; NaN becomes 1.
func unit(v float64) float64 {
	if v >= 0 && v <= 1 {
		return v
	}
	if v < 0 {
		return 0
	}
	return 1
}
