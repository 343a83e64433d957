package shadow

import (
	"math"
	"math/rand/v2"
	"testing"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

func segments(list ...postprocess.Segment) *postprocess.Result {
	return &postprocess.Result{Segments: list}
}

// runsOf makes a class of a 10 x 10 picture.
func runsOf(label string, counts ...int) postprocess.Segment {
	return postprocess.Segment{Label: label, Mask: postprocess.Mask{Size: [2]int{10, 10}, Counts: counts}}
}

func TestMasks(t *testing.T) {
	small := runsOf("sky", 0, 10)
	small.Mask.Size = [2]int{5, 20}
	figures := func(classes, iou, area float64) none {
		return none{"classes": classes, "mean_iou": iou, "area_difference": area}
	}
	for name, c := range map[string]struct {
		a, b *postprocess.Result
		want want
	}{
		"the same": {segments(runsOf("sky", 0, 50), runsOf("sea", 50, 50)), segments(runsOf("sea", 50, 50), runsOf("sky", 0, 50)), want{0, true, false, figures(2, 1, 0)}},
		// 40 of 50 and 50 of 60: IoU 0.8 and 5/6; areas 50+40 and 50+60 differ by 10 each.
		"the border moves": {segments(runsOf("sky", 0, 50), runsOf("sea", 50, 50)), segments(runsOf("sky", 0, 40), runsOf("sea", 40, 60)),
			want{1 - (0.8+5.0/6)/2, true, false, figures(2, (0.8+5.0/6)/2, 0.1)}},
		// 10-20 and 30-40 against 15-35: 5 and 5 in common, 20 + 20 - 10.
		"runs that interlock": {segments(runsOf("a", 10, 10, 10, 10)), segments(runsOf("a", 15, 20)), want{1 - 1.0/3, false, false, figures(1, 1.0/3, 0)}},
		"only in one":         {segments(runsOf("a", 0, 30), runsOf("b", 30, 70)), segments(runsOf("a", 0, 30)), want{0.5, false, false, figures(2, 0.5, 70.0/130)}},
		"labels differ":       {segments(runsOf("a", 0, 30)), segments(runsOf("b", 0, 30)), want{1, false, false, figures(2, 0, 1)}},
		"both empty":          {segments(), segments(), want{0, true, false, none{"classes": 0}}},
		"one empty":           {segments(), segments(runsOf("a", 0, 30)), want{1, false, false, figures(1, 0, 1)}},
		"no pixel":            {segments(runsOf("a")), segments(runsOf("a", 100)), want{0, true, false, none{"classes": 1, "mean_iou": 1}}},
		"sizes":               {segments(runsOf("sky", 0, 10)), segments(small), want{1, false, true, none{}}},
		"empty runs":          {segments(runsOf("a", 0, 5, 0, 5, 3, 0, 2)), segments(runsOf("a", 0, 10)), want{0, true, false, figures(1, 1, 0)}},
		"negative runs":       {segments(runsOf("a", -7, 10, -1)), segments(runsOf("a", 0, 10)), want{0, true, false, figures(1, 1, 0)}},
		"endless runs":        {segments(runsOf("a", math.MaxInt, math.MaxInt, 1, 5)), segments(runsOf("a", 0, 10)), want{1, false, false, figures(1, 0, 1)}},
		"a label twice":       {segments(runsOf("a", 0, 10), runsOf("a", 50, 10)), segments(runsOf("a", 0, 10), runsOf("a", 50, 5)), want{0.25, false, false, figures(2, 0.75, 5.0/35)}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, Compare(task.ImageSegmentation, c.a, c.b, Tolerance(task.ImageSegmentation)), c.want)
			check(t, Compare(task.ImageSegmentation, c.b, c.a, Tolerance(task.ImageSegmentation)), c.want)
		})
	}
}

// The walk over runs finds what counting the pixels finds.
func TestMasksAgainstPixels(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	for range 500 {
		var counts [2][]int
		var pixels [2][]bool
		for k := range counts {
			for len(pixels[k]) < 400 {
				n, inside := random.IntN(30), len(counts[k])%2 == 1
				counts[k] = append(counts[k], n)
				for range n {
					pixels[k] = append(pixels[k], inside)
				}
			}
		}
		both, one, other := 0.0, 0.0, 0.0
		for i := range max(len(pixels[0]), len(pixels[1])) {
			a, b := i < len(pixels[0]) && pixels[0][i], i < len(pixels[1]) && pixels[1][i]
			if a {
				one++
			}
			if b {
				other++
			}
			if a && b {
				both++
			}
		}
		x, y := runsOf("", counts[0]...), runsOf("", counts[1]...)
		gotBoth, gotOne, gotOther := runs(&x).cross(runs(&y))
		if gotBoth != both || gotOne != one || gotOther != other {
			t.Fatalf("%v and %v: %v %v %v, want %v %v %v", counts[0], counts[1], gotBoth, gotOne, gotOther, both, one, other)
		}
	}
}
