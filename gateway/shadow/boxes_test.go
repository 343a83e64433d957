package shadow

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

func found(list ...postprocess.Detection) *postprocess.Result {
	return &postprocess.Result{Detections: list}
}

func box(label string, score, x1, y1, x2, y2 float64) postprocess.Detection {
	return postprocess.Detection{Label: label, Score: score, Box: postprocess.Box{X1: x1, Y1: y1, X2: x2, Y2: y2}}
}

func boxFigures(primary, shadow, matched, precision, recall float64, means ...float64) none {
	f := none{"primary_count": primary, "shadow_count": shadow, "matched": matched, "precision": precision, "recall": recall}
	if len(means) > 0 {
		f["mean_iou"], f["score_difference"] = means[0], means[1]
	}
	return f
}

func TestBoxes(t *testing.T) {
	cat, dog := box("cat", 0.9, 0, 0, 10, 10), box("dog", 0.8, 20, 20, 30, 40)
	for name, c := range map[string]struct {
		a, b *postprocess.Result
		want want
	}{
		"the same": {found(cat, dog), found(dog, cat), want{0, true, false, boxFigures(2, 2, 2, 1, 1, 1, 0)}},
		// Moved by 2 of 10: 80 of 120 pixels.
		"moved": {found(cat), found(box("cat", 0.7, 2, 0, 12, 10)), want{1.0 / 3, false, false, boxFigures(1, 1, 1, 1, 1, 2.0/3, 0.2)}},
		// Half of the box, IoU exactly 0.5, is a match.
		"half":           {found(cat), found(box("cat", 0.9, 0, 0, 10, 5)), want{0.5, false, false, boxFigures(1, 1, 1, 1, 1, 0.5, 0)}},
		"less than half": {found(cat), found(box("cat", 0.9, 0, 0, 10, 4.9)), want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
		"other label":    {found(cat), found(box("dog", 0.9, 0, 0, 10, 10)), want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
		// 1 of 2 + half of 1: quality 1 / 1.5.
		"one missing": {found(cat, dog), found(cat), want{1.0 / 3, false, false, boxFigures(2, 1, 1, 1, 0.5, 1, 0)}},
		"one more":    {found(cat), found(cat, dog), want{1.0 / 3, false, false, boxFigures(1, 2, 1, 0.5, 1, 1, 0)}},
		// A box is matched once, by the better score, though the worse overlaps more.
		"twice": {found(cat), found(box("cat", 0.5, 0, 0, 10, 10), box("cat", 0.6, 0, 0, 10, 8)),
			want{1 - 0.8/1.5, false, false, boxFigures(1, 2, 1, 0.5, 1, 0.8, 0.3)}},
		// Of two that it overlaps it takes the one that it overlaps more; then the other one is free for the next.
		"the nearer": {found(box("cat", 0.9, 0, 0, 10, 10), box("cat", 0.9, 0, 0, 10, 8)), found(box("cat", 0.9, 0, 0, 10, 8), box("cat", 0.9, 0, 0, 10, 10)),
			want{0, true, false, boxFigures(2, 2, 2, 1, 1, 1, 0)}},
		"both empty":           {found(), &postprocess.Result{}, want{0, true, false, boxFigures(0, 0, 0, 1, 1)}},
		"the shadow is empty":  {found(cat), found(), want{1, false, false, boxFigures(1, 0, 0, 1, 0)}},
		"the primary is empty": {found(), found(cat), want{1, false, false, boxFigures(0, 1, 0, 0, 1)}},
		"NaN alike":            {found(box("cat", nan, nan, 0, 1, 1)), found(box("cat", nan, nan, 0, 1, 1)), want{0, true, false, boxFigures(1, 1, 1, 1, 1, 1, 0)}},
		"NaN score":            {found(cat), found(box("cat", nan, 0, 0, 10, 10)), want{0, true, false, boxFigures(1, 1, 1, 1, 1, 1, 1)}},
		"NaN corner":           {found(cat), found(box("cat", 0.9, nan, 0, 10, 10)), want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
		"infinite":             {found(box("cat", 1, -inf, -inf, inf, inf)), found(cat), want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
		"too large to multiply": {found(box("cat", 1, -1e308, -1e308, 1e308, 1e308)), found(box("cat", 1, -1e308, -1e308, 1e308, 1e307)),
			want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
		"no area":    {found(box("cat", 1, 5, 5, 5, 5)), found(box("cat", 1, 5, 5, 5, 5)), want{0, true, false, boxFigures(1, 1, 1, 1, 1, 1, 0)}},
		"inside out": {found(box("cat", 1, 10, 10, 0, 0)), found(cat), want{1, false, false, boxFigures(1, 1, 0, 0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, Compare(task.ObjectDetection, c.a, c.b, Tolerance(task.ObjectDetection)), c.want)
		})
	}
}

// Where each box has one partner, precision and recall change places with the answers, and the rest stays.
func TestBoxesTheOtherWayRound(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for range 200 {
		var a, b []postprocess.Detection
		for i := range 20 {
			x, w := float64(i)*100, 20+60*random.Float64()
			if random.IntN(4) > 0 {
				a = append(a, box("a", random.Float64(), x, 0, x+w, 50))
			}
			if random.IntN(4) > 0 {
				b = append(b, box("a", random.Float64(), x, 0, x+20+60*random.Float64(), 50))
			}
		}
		one, two := Compare(task.ObjectDetection, found(a...), found(b...), 0), Compare(task.ObjectDetection, found(b...), found(a...), 0)
		if math.Abs(one.Distance-two.Distance) > 1e-12 || one.Figures["precision"] != two.Figures["recall"] || one.Figures["recall"] != two.Figures["precision"] ||
			math.Abs(one.Figures["mean_iou"]-two.Figures["mean_iou"]) > 1e-12 {
			t.Fatalf("%v and %v", one, two)
		}
	}
}

func TestManyBoxesTakeBoundedTime(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	many := func() *postprocess.Result {
		out := make([]postprocess.Detection, 10_000)
		for i := range out { // all of one class, one over the other
			out[i] = box("a", random.Float64(), random.Float64(), random.Float64(), 100+random.Float64(), 100+random.Float64())
		}
		return found(out...)
	}
	a, b := many(), many()
	first := a.Detections[0]
	began := time.Now()
	c := Compare(task.ObjectDetection, a, b, Tolerance(task.ObjectDetection))
	took := time.Since(began)
	if c.Figures["primary_count"] != 10_000 || c.Figures["matched"] != maxBoxes || !c.Alike {
		t.Errorf("%+v", c)
	}
	if a.Detections[0] != first {
		t.Error("the answer was put in another order")
	}
	if took > time.Minute { // some ten milliseconds where the machine is not busy
		t.Errorf("it took %v", took)
	}
}
