package graph

import (
	"cmp"
	"math"
	"slices"

	"triton-gateway/postprocess"
)

// cut chooses the boxes that are cut out. The detections stay as they are and in their order; left counts those without a crop.
func (n *node) cut(v *value, width, height int) (out *value, left int) {
	out = &value{kind: crops, found: v.found, cuts: make([]*Region, len(v.found))}
	order := make([]int, len(v.found))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v.found[b].Score, v.found[a].Score) })
	room := cmp.Or(n.Crop.Max, defaultCrops)
	for _, i := range order {
		if room == 0 {
			break
		}
		if len(n.Crop.Labels) > 0 && !slices.Contains(n.Crop.Labels, v.found[i].Label) {
			continue
		}
		if r, ok := regionOf(v.found[i].Box, n.Crop.Pad, width, height); ok && min(r.X1-r.X0, r.Y1-r.Y0) >= max(n.Crop.MinSide, 1) {
			out.cuts[i] = &r
			room--
		}
	}
	return out, len(v.found) - out.items()
}

// regionOf is the box in whole pixels, as Pillow's Image.crop rounds it: each corner to the nearest, half to even. pad is added on each side before, as a share
// of the box. It is clipped to the picture; false where nothing is left.
func regionOf(b postprocess.Box, pad float64, width, height int) (Region, bool) {
	dx, dy := (b.X2-b.X1)*pad, (b.Y2-b.Y1)*pad
	x0, ok0 := pixel(b.X1-dx, width)
	y0, ok1 := pixel(b.Y1-dy, height)
	x1, ok2 := pixel(b.X2+dx, width)
	y1, ok3 := pixel(b.Y2+dy, height)
	return Region{x0, y0, x1, y1}, ok0 && ok1 && ok2 && ok3 && x0 < x1 && y0 < y1
}

// pixel rounds and clips a coordinate; false for one that is no number.
func pixel(v float64, high int) (int, bool) {
	if math.IsNaN(v) {
		return 0, false
	}
	return int(math.RoundToEven(min(max(v, 0), float64(high)))), true
}
