package graph

import (
	"context"

	"triton-gateway/postprocess"
)

// together is a merge: all detections, best first, or the first classes.
func (m *Merge) together(ctx context.Context, inputs []*value) (*value, error) {
	if inputs[0].kind == classes {
		return inputs[0], nil
	}
	out := &value{kind: detections, found: []Found{}}
	for _, v := range inputs {
		out.found = append(out.found, v.found...)
	}
	out.found = best(out.found, MostFound)
	if m.IoU == nil {
		return out, nil
	}
	var err error
	out.found, err = suppress(ctx, out.found, *m.IoU)
	return out, err
}

// suppress is greedy non-maximum suppression within each label: the detections come best first, and one stays unless it overlaps a better one of its label by more
// than threshold.
func suppress(ctx context.Context, list []Found, threshold float64) ([]Found, error) {
	kept := []Found{}
	byLabel := map[string][]postprocess.Box{}
next:
	for i := range list {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for _, b := range byLabel[list[i].Label] {
			if overlap(&b, &list[i].Box) > threshold {
				continue next
			}
		}
		byLabel[list[i].Label] = append(byLabel[list[i].Label], list[i].Box)
		kept = append(kept, list[i])
	}
	return kept, nil
}

// overlap is intersection over union of two boxes; 0 where it is empty.
func overlap(a, b *postprocess.Box) float64 {
	w := min(a.X2, b.X2) - max(a.X1, b.X1)
	h := min(a.Y2, b.Y2) - max(a.Y1, b.Y1)
	if !(w > 0 && h > 0) {
		return 0
	}
	inter := w * h
	return inter / ((a.X2-a.X1)*(a.Y2-a.Y1) + (b.X2-b.X1)*(b.Y2-b.Y1) - inter)
}
