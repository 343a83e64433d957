package postprocess

import (
	"math"
	"slices"
	"unsafe"

	"triton-gateway/tensor"
)

// yolov8 reads the head of YOLOv8, 9, 11 and 12: [4+classes, N], or [N, 4+classes] where the spec says transposed: centre,
// size in network pixels, then a probability per class. A box has the class with the highest score, the first of equal ones.
// NaN and infinite scores don't count; boxes that are not finite or have a negative size are dropped.
//
// The order is Ultralytics': confidence, classes, the best 30000, suppression in network pixels, max_detections, then back
// to the picture. Scores and the confidence are compared as float32, as PyTorch does; boxes are computed in float64.
func (p *Postprocessor) yolov8(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	attributes, boxes, transposed, err := p.layoutV8(t)
	if err != nil {
		return Result{}, err
	}
	s := in.scratch
	data := float32s(t, &s.floats)
	// Element a of box n is data[a*across+n*along].
	across, along := boxes, 1
	if transposed {
		across, along = 1, attributes
	}
	s.best = slices.Grow(s.best[:0], boxes)[:boxes]
	s.class = slices.Grow(s.class[:0], boxes)[:boxes]
	threshold := float32(in.want.confidence)
	for n := range s.best {
		s.best[n], s.class[n] = threshold, -1
	}
	if transposed {
		bestOfRows(s.best, s.class, data, attributes)
	} else {
		bestOfColumns(s.best, s.class, data[4*boxes:], threshold)
	}
	s.candidates = s.candidates[:0]
	for n, class := range s.class {
		if class < 0 {
			continue
		}
		if err := p.probability(t, s.best[n]); err != nil {
			return Result{}, err
		}
		box := data[n*along:]
		if !in.want.wants(int(class)) {
			continue
		}
		if c, ok := centred(s.best[n], class, int32(n), float64(box[0]), float64(box[across]), float64(box[2*across]), float64(box[3*across])); ok {
			s.candidates = append(s.candidates, c)
		}
	}
	return p.suppressed(in)
}

// suppressed runs the second half: from the candidates to the answer.
func (p *Postprocessor) suppressed(in input) (Result, error) {
	s := in.scratch
	list := sharpest(s.candidates, maxNMS)
	s.kept = suppress(s.kept[:0], list, in.want.iou, in.want.maxDetections)
	return p.detections(list, s.kept, in.frame)
}

// bestOfColumns finds each box's best class in scores [classes, N]. best starts at the threshold, class at -1.
//
// Class by class is the order of the memory. Nearly all scores are below the threshold, so eight at a time are looked at as
// integers: for floats that are not negative the order is the same, and the difference's sign tells that one of the eight is
// above. NaN, Inf and negative zero may raise that alarm too; the comparison that follows is the exact one.
func bestOfColumns(best []float32, class []int32, scores []float32, threshold float32) {
	n := len(best)
	limit := int32(math.Float32bits(threshold))
	for c := int32(0); len(scores) >= n && n > 0; c++ {
		row := scores[:n]
		scores = scores[n:]
		bits := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(row))), n)
		i := 0
		for ; i+8 <= n; i += 8 {
			b := bits[i : i+8 : i+8]
			if (limit-b[0])|(limit-b[1])|(limit-b[2])|(limit-b[3])|(limit-b[4])|(limit-b[5])|(limit-b[6])|(limit-b[7]) < 0 {
				better(best[i:i+8], class[i:i+8], row[i:i+8], c)
			}
		}
		better(best[i:n], class[i:n], row[i:n], c)
	}
}

// better takes over the scores of class c that are higher than the best so far.
func better(best []float32, class []int32, row []float32, c int32) {
	for i, v := range row {
		if v > best[i] && v <= math.MaxFloat32 {
			best[i], class[i] = v, c
		}
	}
}

// bestOfRows is bestOfColumns for [N, 4+classes].
func bestOfRows(best []float32, class []int32, data []float32, attributes int) {
	for n := range best {
		for c, v := range data[n*attributes+4 : (n+1)*attributes] {
			if v > best[n] && v <= math.MaxFloat32 {
				best[n], class[n] = v, int32(c)
			}
		}
	}
}

// layoutV8 finds the number of attributes (4+classes) and boxes, and refuses what can only be another head. The number of
// labels, where it is known, decides; shapes alone don't.
func (p *Postprocessor) layoutV8(t *tensor.Tensor) (attributes, boxes int, transposed bool, err error) {
	rows, columns, err := matrix(t)
	if err != nil {
		return 0, 0, false, err
	}
	attributes, boxes, transposed = rows, columns, p.spec.Output.Transposed
	if transposed {
		attributes, boxes = columns, rows
	}
	labels := len(p.labels)
	switch {
	case labels > 0 && attributes == 4+labels:
	case labels > 0 && boxes == 4+labels: // only the other way round fits the labels
		attributes, boxes, transposed = boxes, attributes, !transposed
	case labels > 0:
		return 0, 0, false, contract("output %q has shape %v; head yolov8 with %d labels needs 4+%d values a box. A segmentation, pose or rotated-box model "+
			"has more, YOLOv5 has 5+%d", t.Name, t.Shape, labels, labels, labels)
	case attributes < 5:
		return 0, 0, false, contract("output %q has shape %v; head yolov8 needs 4 numbers and one score or more a box", t.Name, t.Shape)
	case attributes > boxes:
		return 0, 0, false, contract("output %q has shape %v, which would be %d classes for %d boxes; say transposed if it is the other way round, or give the labels",
			t.Name, t.Shape, attributes-4, boxes)
	}
	return attributes, boxes, transposed, nil
}

// yolov5 reads the head of YOLOv5 and 7: [N, 5+classes]: centre, size in network pixels, objectness, then a probability per
// class. The score is objectness times the class's, in float32; objectness alone must be above the confidence too. The rest
// is as in yolov8.
func (p *Postprocessor) yolov5(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	rows, columns, err := matrix(t)
	if err != nil {
		return Result{}, err
	}
	labels := len(p.labels)
	switch {
	case labels > 0 && columns != 5+labels:
		return Result{}, contract("output %q has shape %v; head yolov5 with %d labels needs 5+%d values a box", t.Name, t.Shape, labels, labels)
	case columns < 6 || labels == 0 && columns > rows:
		return Result{}, contract("output %q has shape %v; head yolov5 needs [boxes, 5+classes]", t.Name, t.Shape)
	}
	s := in.scratch
	data, threshold := float32s(t, &s.floats), float32(in.want.confidence)
	s.candidates = s.candidates[:0]
	for n := range rows {
		row := data[n*columns : (n+1)*columns]
		if !usable(row[4], threshold) {
			continue
		}
		best, class := threshold, int32(-1)
		for i, v := range row[5:] {
			if score := v * row[4]; usable(score, best) {
				best, class = score, int32(i)
			}
		}
		if err := p.probability(t, max(best, row[4])); err != nil {
			return Result{}, err
		}
		if class < 0 || !in.want.wants(int(class)) {
			continue
		}
		if c, ok := centred(best, class, int32(n), float64(row[0]), float64(row[1]), float64(row[2]), float64(row[3])); ok {
			s.candidates = append(s.candidates, c)
		}
	}
	return p.suppressed(in)
}
