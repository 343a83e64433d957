package shadow

import (
	"math"
	"testing"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// nan and inf are what hostile answers hold.
var nan, inf = math.NaN(), math.Inf(1)

// want is what a comparison is to give; figures that are not named must not be there.
type want struct {
	distance float64
	alike    bool
	why      bool
	figures  map[string]float64
}

func check(t *testing.T, c Comparison, w want) {
	t.Helper()
	if math.Abs(c.Distance-w.distance) > 1e-12 || c.Alike != w.alike || (c.Why != "") != w.why {
		t.Errorf("distance %v alike %v why %q, want %v %v %v", c.Distance, c.Alike, c.Why, w.distance, w.alike, w.why)
	}
	for name, v := range w.figures {
		got, ok := c.Figures[name]
		if !ok || math.Abs(got-v) > 1e-12*max(1, math.Abs(v)) {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, v)
		}
	}
	for name := range c.Figures {
		if _, ok := w.figures[name]; !ok {
			t.Errorf("there is a figure %s: %v", name, c.Figures[name])
		}
	}
}

type none = map[string]float64

// scored makes predictions of label and score in turns.
func scored(list ...any) *postprocess.Result {
	out := []postprocess.Prediction{}
	for i := 0; i < len(list); i += 2 {
		out = append(out, postprocess.Prediction{Label: list[i].(string), Index: i, Score: list[i+1].(float64)})
	}
	return &postprocess.Result{Predictions: out}
}

func TestClasses(t *testing.T) {
	five := scored("a", 0.5, "b", 0.2, "c", 0.1, "d", 0.1, "e", 0.05, "f", 0.05)
	for name, c := range map[string]struct {
		a, b *postprocess.Result
		want want
	}{
		"the same":             {five, five, want{0, true, false, none{"top1": 1, "top5": 1, "score_difference": 0}}},
		"one of five is other": {five, scored("a", 0.6, "b", 0.2, "c", 0.1, "d", 0.1, "x", 0.0), want{0.3*0.2 + 0.2*0.1, true, false, none{"top1": 1, "top5": 0.8, "score_difference": 0.1}}},
		"other order":          {five, scored("b", 0.5, "a", 0.2, "c", 0.1, "d", 0.1, "e", 0.1), want{0.5, false, false, none{"top1": 0, "top5": 1, "score_difference": 0}}},
		"the sixth is not seen": {five, scored("f", 1.0, "b", 0.2, "c", 0.1, "d", 0.1, "e", 0.05, "a", 0.0),
			want{0.5 + 0.3*0.2 + 0.2*0.5, false, false, none{"top1": 0, "top5": 0.8, "score_difference": 0.5}}},
		"nothing in common":      {scored("a", 1.0), scored("b", 0.0), want{1, false, false, none{"top1": 0, "top5": 0, "score_difference": 1}}},
		"only the best is asked": {scored("a", 0.9), scored("a", 0.7), want{0.2 * 0.2, true, false, none{"top1": 1, "top5": 1, "score_difference": 0.2}}},
		"as unlike as with one best class can be": {scored("a", 1.0, "b", 0.0, "c", 0.0, "d", 0.0, "e", 0.0), scored("a", 0.0, "f", 0.0, "g", 0.0, "h", 0.0, "i", 0.0),
			want{0.3*0.8 + 0.2, true, false, none{"top1": 1, "top5": 0.2, "score_difference": 1}}},
		"logits":               {scored("a", 20.0), scored("a", 15.0), want{0.2 * 0.25, true, false, none{"top1": 1, "top5": 1, "score_difference": 5}}},
		"a label twice":        {scored("a", 0.5, "a", 0.5), scored("a", 0.5, "b", 0.5), want{0.15, true, false, none{"top1": 1, "top5": 0.5, "score_difference": 0}}},
		"both empty":           {scored(), &postprocess.Result{}, want{0, true, false, none{}}},
		"the shadow is empty":  {five, scored(), want{1, false, true, none{"top1": 0, "top5": 0}}},
		"the primary is empty": {scored(), five, want{1, false, true, none{"top1": 0, "top5": 0}}},
		"both NaN":             {scored("a", nan), scored("a", nan), want{0, true, false, none{"top1": 1, "top5": 1, "score_difference": 0}}},
		"one NaN":              {scored("a", 0.5), scored("a", nan), want{0.2, true, false, none{"top1": 1, "top5": 1}}},
		"one Inf":              {scored("a", inf), scored("a", -inf), want{0.2, true, false, none{"top1": 1, "top5": 1}}},
		"huge":                 {scored("a", math.MaxFloat64), scored("a", -math.MaxFloat64), want{0.2, true, false, none{"top1": 1, "top5": 1, "score_difference": math.MaxFloat64}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []task.Name{task.ImageClassification, task.TabularClassification} {
				check(t, Compare(n, c.a, c.b, Tolerance(n)), c.want)
				check(t, Compare(n, c.b, c.a, Tolerance(n)), c.want)
			}
		})
	}
}

func TestToleranceDecides(t *testing.T) {
	a, b := scored("a", 0.9), scored("a", 0.4)
	if c := Compare(task.ImageClassification, a, b, 0.1); !c.Alike || math.Abs(c.Distance-0.1) > 1e-12 {
		t.Errorf("%+v", c)
	}
	if c := Compare(task.ImageClassification, a, b, 0.099); c.Alike {
		t.Errorf("%+v", c)
	}
}

func regressed(v ...float64) *postprocess.Result {
	if len(v) == 1 {
		return &postprocess.Result{Value: &v[0]}
	}
	return &postprocess.Result{Values: v}
}

func TestValues(t *testing.T) {
	figures := func(absolute, relative float64) none {
		return none{"absolute_difference": absolute, "relative_difference": relative}
	}
	for name, c := range map[string]struct {
		a, b *postprocess.Result
		want want
	}{
		"the same":          {regressed(3), regressed(3), want{0, true, false, figures(0, 0)}},
		"4 of 100":          {regressed(100), regressed(96), want{0.04, true, false, figures(4, 0.04)}},
		"6 of 100":          {regressed(100), regressed(94), want{0.06, false, false, figures(6, 0.06)}},
		"signs":             {regressed(1), regressed(-1), want{1, false, false, figures(2, 2)}},
		"next to nothing":   {regressed(0), regressed(1e-9), want{0.001, true, false, figures(1e-9, 0.001)}},
		"the greatest each": {regressed(100, 1), regressed(97, 2), want{0.5, false, false, figures(3, 0.5)}},
		"lengths":           {regressed(1, 2), regressed(1, 2, 3), want{1, false, true, none{}}},
		"none and one":      {&postprocess.Result{}, regressed(0), want{1, false, true, none{}}},
		"none":              {&postprocess.Result{}, &postprocess.Result{}, want{0, true, false, none{}}},
		"both NaN":          {regressed(nan, 2), regressed(nan, 2), want{0, true, false, figures(0, 0)}},
		"one NaN":           {regressed(nan, 2), regressed(1, 1.99), want{1, false, true, figures(0.01, 0.005)}},
		"both infinite":     {regressed(inf), regressed(inf), want{0, true, false, figures(0, 0)}},
		"infinities":        {regressed(inf), regressed(-inf), want{1, false, true, figures(0, 0)}},
		"huge":              {regressed(math.MaxFloat64), regressed(-math.MaxFloat64), want{1, false, false, figures(math.MaxFloat64, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, Compare(task.TabularRegression, c.a, c.b, Tolerance(task.TabularRegression)), c.want)
			check(t, Compare(task.TabularRegression, c.b, c.a, Tolerance(task.TabularRegression)), c.want)
		})
	}
}

func TestEmbeddings(t *testing.T) {
	n, i := float32(nan), float32(inf)
	for name, c := range map[string]struct {
		a, b []float32
		want want
	}{
		"the same direction": {[]float32{3, 4}, []float32{6, 8}, want{0, true, false, none{"cosine": 1}}},
		"24 of 25":           {[]float32{3, 4}, []float32{4, 3}, want{0.04, true, false, none{"cosine": 0.96}}},
		"45 degrees":         {[]float32{1, 0}, []float32{2, 2}, want{1 - math.Sqrt2/2, false, false, none{"cosine": math.Sqrt2 / 2}}},
		"a right angle":      {[]float32{1, 0}, []float32{0, 7}, want{1, false, false, none{"cosine": 0}}},
		"away":               {[]float32{1, 2}, []float32{-1, -2}, want{1, false, false, none{"cosine": -1}}},
		"both 0":             {[]float32{0, 0}, []float32{0, 0}, want{0, true, false, none{"cosine": 1}}},
		"one 0":              {[]float32{0, 0}, []float32{0, 1}, want{1, false, false, none{"cosine": 0}}},
		"none":               {nil, []float32{}, want{0, true, false, none{}}},
		"lengths":            {[]float32{1}, []float32{1, 0}, want{1, false, true, none{}}},
		"NaN at one place":   {[]float32{n, 3, 4}, []float32{n, 4, 3}, want{0.04, true, false, none{"cosine": 0.96}}},
		"NaN in one":         {[]float32{n, 3}, []float32{1, 3}, want{1, false, true, none{}}},
		"infinities":         {[]float32{i, 3}, []float32{-i, 3}, want{1, false, true, none{}}},
		"huge":               {[]float32{math.MaxFloat32, 0}, []float32{math.MaxFloat32, 0}, want{0, true, false, none{"cosine": 1}}},
		"tiny":               {[]float32{math.SmallestNonzeroFloat32, 0}, []float32{0, math.SmallestNonzeroFloat32}, want{1, false, false, none{"cosine": 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := &postprocess.Result{Embedding: c.a}, &postprocess.Result{Embedding: c.b}
			check(t, Compare(task.ImageFeatureExtraction, a, b, Tolerance(task.ImageFeatureExtraction)), c.want)
			check(t, Compare(task.ImageFeatureExtraction, b, a, Tolerance(task.ImageFeatureExtraction)), c.want)
		})
	}
}
