package postprocess

import (
	"math"
	"sort"

	"triton-gateway/tensor"
)

// The oracles here are written for plainness: everything is computed for every pair, nothing is cut short.

// oracleBox is a row of a detector's output after its head was read.
type oracleBox struct {
	score          float32
	class, index   int
	x1, y1, x2, y2 float64
}

// oracleV8 reads [4+classes][N].
func oracleV8(values [][]float32, confidence float32, wanted func(class int) bool) []oracleBox {
	var out []oracleBox
	for n := range values[0] {
		best := oracleBox{class: -1, index: n}
		for c := range values[4:] {
			s := values[4+c][n]
			if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
				continue
			}
			if best.class < 0 || s > best.score {
				best.score, best.class = s, c
			}
		}
		if best.class < 0 || !(best.score > confidence) || !wanted(best.class) {
			continue
		}
		cx, cy, w, h := float64(values[0][n]), float64(values[1][n]), float64(values[2][n]), float64(values[3][n])
		best.x1, best.y1, best.x2, best.y2 = cx-w/2, cy-h/2, cx+w/2, cy+h/2
		out = append(out, best)
	}
	return out
}

// oracleProper drops boxes that are not finite or turned inside out.
func oracleProper(list []oracleBox) []oracleBox {
	var out []oracleBox
	for _, b := range list {
		sum := b.x1 + b.y1 + b.x2 + b.y2
		ok := !math.IsNaN(sum) && b.x2 >= b.x1 && b.y2 >= b.y1
		for _, v := range []float64{b.x1, b.y1, b.x2, b.y2} {
			ok = ok && !math.IsInf(v, 0)
		}
		if ok {
			out = append(out, b)
		}
	}
	return out
}

func oracleIoU(a, b oracleBox) float64 {
	w := math.Max(0, math.Min(a.x2, b.x2)-math.Max(a.x1, b.x1))
	h := math.Max(0, math.Min(a.y2, b.y2)-math.Max(a.y1, b.y1))
	if w*h == 0 {
		return 0
	}
	return w * h / ((a.x2-a.x1)*(a.y2-a.y1) + (b.x2-b.x1)*(b.y2-b.y1) - w*h)
}

// oracleNMS marks every box that a better, unmarked one of its class covers, then cuts off.
func oracleNMS(list []oracleBox, threshold float64, limit int) []oracleBox {
	sort.SliceStable(list, func(i, j int) bool { return list[i].score > list[j].score })
	gone := make([]bool, len(list))
	var out []oracleBox
	for i := range list {
		if gone[i] {
			continue
		}
		out = append(out, list[i])
		for j := i + 1; j < len(list); j++ {
			if list[j].class == list[i].class && oracleIoU(list[i], list[j]) > threshold {
				gone[j] = true
			}
		}
	}
	return out[:min(len(out), limit)]
}

// oracleDetections maps to the source by the formulas of tensor.Frame.
func oracleDetections(list []oracleBox, f tensor.Frame) []Detection {
	clip := func(v float64, high int) float64 { return math.Min(math.Max(v, 0), float64(high)) }
	out := []Detection{}
	for _, b := range list {
		out = append(out, Detection{Index: b.class, Score: float64(b.score), Box: Box{
			X1: clip((b.x1-f.OffsetX)/f.ScaleX, f.SourceWidth), Y1: clip((b.y1-f.OffsetY)/f.ScaleY, f.SourceHeight),
			X2: clip((b.x2-f.OffsetX)/f.ScaleX, f.SourceWidth), Y2: clip((b.y2-f.OffsetY)/f.ScaleY, f.SourceHeight)}})
	}
	return out
}

// oracleSoftmax is the limit of softmax for infinite logits; NaN gives NaN.
func oracleSoftmax(logits []float64) []float64 {
	high := math.Inf(-1)
	for _, x := range logits {
		if x > high {
			high = x
		}
	}
	weight := func(x float64) float64 {
		switch {
		case math.IsNaN(x):
			return 0
		case math.IsInf(high, 0):
			if x == high {
				return 1
			}
			return 0
		}
		return math.Exp(x - high)
	}
	sum := 0.0
	for _, x := range logits {
		sum += weight(x)
	}
	out := make([]float64, len(logits))
	for i, x := range logits {
		out[i] = weight(x) / sum
		if math.IsNaN(x) {
			out[i] = math.NaN()
		}
	}
	return out
}

// oracleTop sorts all scores that are numbers.
func oracleTop(scores []float64, k int, wanted func(int) bool) []Prediction {
	out := []Prediction{}
	for i, s := range scores {
		if !math.IsNaN(s) && !math.IsInf(s, 0) && wanted(i) {
			out = append(out, Prediction{Index: i, Score: s})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out[:min(k, len(out))]
}
