package postprocess

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/tensor"
)

func TestEnd2EndEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes, frame := rapid.IntRange(1, 30).Draw(t, "boxes"), drawFrame(t)
		values := drawV8(t, 2, boxes)
		var list []oracleBox
		for n := range boxes {
			values[5][n] = float32(rapid.IntRange(0, 3).Draw(t, "class"))
			if s := values[4][n]; s > 0.25 && s <= 1 {
				list = append(list, oracleBox{s, int(values[5][n]), n, float64(values[0][n]), float64(values[1][n]), float64(values[2][n]), float64(values[3][n])})
			}
		}
		r, err := detector(t, "end2end", nil).Run([]tensor.Tensor{fp32("output0", []int64{1, int64(boxes), 6}, flat(values, true))}, frame, Options{MaxDetections: ptr(5)})
		if err != nil {
			t.Fatal(err)
		}
		sameDetections(t, r.Detections, oracleDetections(oracleNMS(oracleProper(list), 2, 5), frame))
	})
}

func TestRTDETREqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queries, classes := rapid.IntRange(1, 12).Draw(t, "queries"), rapid.IntRange(2, 5).Draw(t, "classes")
		frame := drawFrame(t)
		softmax := rapid.Bool().Draw(t, "softmax")
		logits := oddLogits(t, queries*classes)
		boxes := rapid.SliceOfN(rapid.Float32Range(0, 1), queries*4, queries*4).Draw(t, "boxes")
		var list []oracleBox
		for q := range queries {
			row := make([]float64, classes)
			for c := range row {
				row[c] = float64(logits[q*classes+c])
			}
			if softmax {
				row = oracleSoftmax(row)
			}
			best := -1
			for c, x := range row {
				if !softmax {
					x = 1 / (1 + math.Exp(-x))
				} else if c == classes-1 || math.IsNaN(x) || best >= 0 && !(x > row[best]) {
					continue
				} else {
					best = c
				}
				b := boxes[q*4:]
				cx, cy, w, h := float64(b[0])*64, float64(b[1])*64, float64(b[2])*64, float64(b[3])*64
				box := oracleBox{float32(x), c, q*classes + c, cx - w/2, cy - h/2, cx + w/2, cy + h/2}
				if softmax && len(list) > 0 && list[len(list)-1].index/classes == q {
					list = list[:len(list)-1]
				}
				list = append(list, box)
			}
		}
		above := []oracleBox{}
		for _, b := range list {
			if b.score > 0.25 {
				above = append(above, b)
			}
		}
		p := detector(t, "rtdetr", nil)
		if softmax {
			p.spec.Output.Activation = "softmax"
		}
		q := int64(queries)
		r, err := p.Run([]tensor.Tensor{fp32("pred_boxes", []int64{1, q, 4}, boxes), fp32("output0", []int64{1, q, int64(classes)}, logits)}, frame, Options{})
		if err != nil {
			t.Fatal(err)
		}
		sameDetections(t, r.Detections, oracleDetections(oracleNMS(above, 2, queries), frame))
	})
}
