package postprocess

import (
	"math"

	"triton-gateway/tensor"
)

// end2end reads the head of models that suppress by themselves (YOLOv10, YOLO26, exports with NMS): [N, 6] rows of x1, y1,
// x2, y2 in network pixels, score and class number. Rows above the confidence are given out best first. A class that is no
// whole number, or has no label, is not from this head: YOLOv5 with one class has the same shape.
func (p *Postprocessor) end2end(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	rows, columns, err := matrix(t)
	if err != nil {
		return Result{}, err
	}
	if columns != 6 {
		return Result{}, contract("output %q has shape %v; head end2end needs [boxes, 6]", t.Name, t.Shape)
	}
	s := in.scratch
	data, threshold := float32s(t, &s.floats), float32(in.want.confidence)
	s.candidates = s.candidates[:0]
	for n := range rows {
		row := data[n*6 : n*6+6]
		if !usable(row[4], threshold) {
			continue
		}
		if err := p.probability(t, row[4]); err != nil {
			return Result{}, err
		}
		class := float64(row[5])
		if class != math.Trunc(class) || class < 0 || class >= maxIndex || len(p.labels) > 0 && class >= float64(len(p.labels)) {
			return Result{}, contract("output %q names class %v in row %d; head end2end needs whole numbers below the number of labels (%d), "+
				"so this output belongs to another head", t.Name, row[5], n, len(p.labels))
		}
		c := candidate{row[4], int32(class), int32(n), float64(row[0]), float64(row[1]), float64(row[2]), float64(row[3])}
		if in.want.wants(int(class)) && c.proper() {
			s.candidates = append(s.candidates, c)
		}
	}
	list := sharpest(s.candidates, in.want.maxDetections)
	s.kept = all(s.kept[:0], len(list))
	return p.detections(list, s.kept, in.frame)
}

// rtdetr reads logits [Q, C] and boxes [Q, 4], centre and size as fractions of the network's picture, as Hugging Face exports
// RT-DETR, Deformable DETR and RF-DETR (activation sigmoid) and DETR and YOLOS (activation softmax).
//
// sigmoid: of all Q*C scores the Q best, so that a query may give several classes. softmax: each query's best class, the last
// one, "no object", left out. There is no suppression. NaN logits don't count.
func (p *Postprocessor) rtdetr(in input) (Result, error) {
	logits, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	boxes, err := find(in.outputs, p.spec.Output.Boxes)
	if err != nil {
		return Result{}, err
	}
	queries, classes, err := p.shapeDETR(logits, boxes)
	if err != nil {
		return Result{}, err
	}
	s := in.scratch
	scores, corners := float32s(logits, &s.floats), float32s(boxes, &s.more)
	s.candidates = s.candidates[:0]
	w, h := float64(in.frame.Width), float64(in.frame.Height)
	var odd float32
	add := func(q, class int, score float64) {
		if score = float64(float32(score)); !(score > float64(float32(in.want.confidence))) {
			return
		}
		b := corners[q*4 : q*4+4]
		c, ok := centred(float32(score), int32(class), int32(q*classes+class), float64(b[0])*w, float64(b[1])*h, float64(b[2])*w, float64(b[3])*h)
		if ok {
			odd = max(odd, b[0], b[1], b[2], b[3], -b[0], -b[1])
			s.candidates = append(s.candidates, c)
		}
	}
	for q := range queries {
		row := scores[q*classes : (q+1)*classes]
		if p.spec.Output.Activation == "softmax" {
			if class, score := s.bestSoftmax(row); class >= 0 {
				add(q, class, score)
			}
			continue
		}
		for class, x := range row {
			add(q, class, sigmoid(float64(x)))
		}
	}
	if odd > 2 {
		return Result{}, contract("output %q has a coordinate of %v; head rtdetr reads fractions of the picture, so this output is in pixels or belongs to another head", boxes.Name, odd)
	}
	list := sharpest(s.candidates, queries)
	kept := s.kept[:0]
	for i := range list {
		if in.want.wants(int(list[i].class)) && len(kept) < in.want.maxDetections {
			kept = append(kept, int32(i))
		}
	}
	s.kept = kept
	return p.detections(list, kept, in.frame)
}

// bestSoftmax gives the best class of a query but for the last one, or -1.
func (s *scratch) bestSoftmax(row []float32) (int, float64) {
	list := s.scores[:0]
	for i, x := range row {
		if x == x {
			list = append(list, scored{i, float64(x)})
		}
	}
	s.scores = list
	softmax(list)
	best := scored{-1, -1}
	for _, c := range list {
		if c.index < len(row)-1 && c.score > best.score {
			best = c
		}
	}
	return best.index, best.score
}

// shapeDETR checks that both outputs fit each other and the labels.
func (p *Postprocessor) shapeDETR(logits, boxes *tensor.Tensor) (queries, classes int, err error) {
	queries, classes, err = matrix(logits)
	if err != nil {
		return 0, 0, err
	}
	rows, columns, err := matrix(boxes)
	if err != nil {
		return 0, 0, err
	}
	if rows != queries || columns != 4 {
		return 0, 0, contract("outputs %q %v and %q %v don't fit each other; head rtdetr needs [Q, classes] and [Q, 4]",
			logits.Name, logits.Shape, boxes.Name, boxes.Shape)
	}
	want, extra := len(p.labels), ""
	if want > 0 && p.spec.Output.Activation == "softmax" {
		want, extra = want+1, ", one more than there are labels, for \"no object\""
	}
	if want > 0 && classes != want {
		return 0, 0, contract("output %q has %d classes; with %d labels it needs %d%s", logits.Name, classes, len(p.labels), want, extra)
	}
	return queries, classes, nil
}
