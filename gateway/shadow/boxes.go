package shadow

import (
	"cmp"
	"math"
	"slices"

	"triton-gateway/postprocess"
)

const (
	maxBoxes = 2000 // that are looked at of each answer, the best ones
	overlap  = 0.5  // IoU from which two boxes are the same object
)

// boxes matches the shadow's detections with the primary's as COCO's evaluation does it with the ground truth (pycocotools, COCOeval.evaluateImg): best score first, each takes the free
// box of its label that it overlaps most, from IoU 0.5 on. Panoptic quality (Kirillov and others 2019, arXiv:1801.00868) is the sum of the matched IoU over matched + half of all unmatched:
// mean IoU times F1. 0 of 0 counts as 1 in precision and recall.
func (c *Comparison) boxes(primary, shadow []postprocess.Detection) {
	c.figure("primary_count", float64(len(primary)))
	c.figure("shadow_count", float64(len(shadow)))
	a, b := best(primary), best(shadow)
	byLabel := map[string][]*postprocess.Detection{}
	for i := range a {
		byLabel[a[i].Label] = append(byLabel[a[i].Label], &a[i])
	}
	matched, sum, scores := 0.0, 0.0, 0.0
	for i := range b {
		free := byLabel[b[i].Label]
		most, at := 0.0, -1
		for j, d := range free {
			if v := iou(d.Box, b[i].Box); v >= overlap && v > most {
				most, at = v, j
			}
		}
		if at < 0 {
			continue
		}
		matched++
		sum += most
		switch x, y := free[at].Score, b[i].Score; {
		case same(x, y):
		case finite(x) && finite(y):
			scores += min(math.Abs(x-y), 1)
		default:
			scores++
		}
		byLabel[b[i].Label] = slices.Delete(free, at, at+1)
	}
	c.figure("matched", matched)
	c.figure("precision", share(matched, len(b)))
	c.figure("recall", share(matched, len(a)))
	if matched > 0 {
		c.figure("mean_iou", sum/matched)
		c.figure("score_difference", scores/matched)
	}
	if len(a)+len(b) > 0 {
		c.Distance = 1 - sum/(float64(len(a)+len(b))/2)
	}
}

// best gives a copy with the highest score first, cut; of equal ones the first stays first, NaN comes last.
func best(list []postprocess.Detection) []postprocess.Detection {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(x, y postprocess.Detection) int { return cmp.Compare(y.Score, x.Score) })
	return out[:min(len(out), maxBoxes)]
}

func share(part float64, of int) float64 {
	if of == 0 {
		return 1
	}
	return part / float64(of)
}

// iou is intersection over union of continuous coordinates. A box is the same as itself whatever it is; apart from that, empty, turned and infinite boxes overlap nothing.
func iou(a, b postprocess.Box) float64 {
	if same(a.X1, b.X1) && same(a.Y1, b.Y1) && same(a.X2, b.X2) && same(a.Y2, b.Y2) {
		return 1
	}
	w := min(a.X2, b.X2) - max(a.X1, b.X1)
	h := min(a.Y2, b.Y2) - max(a.Y1, b.Y1)
	if !(w > 0 && h > 0) {
		return 0
	}
	inter := w * h
	v := inter / ((a.X2-a.X1)*(a.Y2-a.Y1) + (b.X2-b.X1)*(b.Y2-b.Y1) - inter)
	if !(v >= 0) {
		return 0
	}
	return min(v, 1)
}
