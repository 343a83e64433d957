package preprocess

import (
	"math"

	"triton-gateway/tensor"
)

// geometry is where the pixels of one picture go: the upright picture of width x height is resampled to resized; of that the part
// part.x, part.y, part.width, part.height is placed at at in a tensor of tensor.width x tensor.height; the rest is fill.
type geometry struct {
	width, height int
	resized       size
	part          rect
	at            point
	tensor        size
	fill          byte
	ratio         float64 // letterbox: the one factor of both directions, before rounding; 0 in the other modes
}

type (
	size  struct{ width, height int }
	point struct{ x, y int }
	rect  struct {
		point
		size
	}
)

// geometry follows the reference of each mode:
//   - stretch: torchvision Resize((h, w)).
//   - shortest-edge: torchvision Resize(s): the short edge becomes s, the long one int(s*long/short).
//   - longest-edge: the long edge becomes s, the short one int(s*short/long), at least 1, as torchvision's max_size truncates; with a pad
//     the rest of the s x s square, right and below, is filled, as YOLOX and DETR do it.
//   - letterbox: as Ultralytics describes it for a fixed shape: r = min(h/height, w/width), which enlarges too; the new size is round(width*r),
//     round(height*r), at least 1; left = round(dw/2-0.1), top = round(dh/2-0.1); round is Python's, half to even. The way back divides
//     both directions by r, as every training code does for such models, and not by the ratio of the rounded sizes.
//   - none: the picture as it is.
func (t *transform) geometry(width, height int) (geometry, error) {
	g := geometry{width: width, height: height, resized: size{width, height}}
	switch t.mode {
	case "stretch":
		g.resized = t.size
	case "shortest-edge":
		g.resized = edge(width, height, t.size.width, min(width, height))
	case "longest-edge":
		g.resized = edge(width, height, t.size.width, max(width, height))
	case "letterbox":
		r := min(float64(t.size.height)/float64(height), float64(t.size.width)/float64(width))
		g.ratio = r
		g.resized = size{max(1, int(math.RoundToEven(float64(width)*r))), max(1, int(math.RoundToEven(float64(height)*r)))}
	default:
		if t.crop == nil && t.size.width != 0 && t.size != g.resized {
			return g, invalid("the picture is %d x %d pixels, and this model, which does not resize, takes %d x %d", width, height, t.size.width, t.size.height)
		}
	}
	g.tensor = g.resized
	g.part.size = g.resized
	switch {
	case t.mode == "letterbox":
		g.tensor, g.fill = t.size, t.pad
		g.at.x = int(math.RoundToEven(float64(g.tensor.width-g.resized.width)/2 - 0.1))
		g.at.y = int(math.RoundToEven(float64(g.tensor.height-g.resized.height)/2 - 0.1))
	case t.padded:
		g.tensor, g.fill = t.size, t.pad
	case t.crop != nil:
		g.tensor = *t.crop
		g.at.x, g.part.x, g.part.width = cut(g.resized.width, t.crop.width, t.cropFloor)
		g.at.y, g.part.y, g.part.height = cut(g.resized.height, t.crop.height, t.cropFloor)
	}
	return g, nil
}

// edge scales so that the edge of length from becomes to.
func edge(width, height, to, from int) size {
	scaled := func(n int) int {
		if n == from {
			return to
		}
		return max(1, int(float64(to*n)/float64(from)))
	}
	return size{scaled(width), scaled(height)}
}

// cut centres want pixels in have. at is where the kept pixels begin in the result, from where they begin in the picture. An odd gap is
// split half to even (torchvision's CenterCrop) or down (Hugging Face's center_crop). A picture that is too small is surrounded by 0:
// torchvision puts the odd pixel right and below, Hugging Face left and above.
func cut(have, want int, floor bool) (at, from, n int) {
	gap := have - want
	switch {
	case gap < 0 && floor:
		return (1 - gap) / 2, 0, have
	case gap < 0:
		return -gap / 2, 0, have
	case floor:
		return 0, gap / 2, want
	}
	return 0, int(math.RoundToEven(float64(gap) / 2)), want
}

// frame leads back from the tensor to the upright picture.
func (g *geometry) frame() tensor.Frame {
	f := tensor.Frame{
		SourceWidth: g.width, SourceHeight: g.height,
		Width: g.tensor.width, Height: g.tensor.height,
		ScaleX:  float64(g.resized.width) / float64(g.width),
		ScaleY:  float64(g.resized.height) / float64(g.height),
		OffsetX: float64(g.at.x - g.part.x),
		OffsetY: float64(g.at.y - g.part.y),
	}
	if g.ratio > 0 {
		f.ScaleX, f.ScaleY = g.ratio, g.ratio
	}
	return f
}

// covers reports that the picture fills the whole tensor.
func (g *geometry) covers() bool { return g.part.size == g.tensor }
