package postprocess

import (
	"math"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// segment reads logits [C, h, w], at least two classes. Each pixel of the source picture gets the class with the highest
// logit, the lowest number of equal ones; the logits are brought to the picture's size first, bilinear with half-pixel centres
// (PyTorch's interpolate with align_corners=False), as Hugging Face's post_process_semantic_segmentation does it, in float64.
// NaN never wins; infinite logits count as the largest float32. Pixels that the network did not see, because a crop cut them
// off, belong to no class.
//
// Each cell between four logits is looked at once: a class that another one beats at all four corners cannot win anywhere in
// the cell, so that most pixels need no interpolation. The result is the same as interpolating every class everywhere.
func (p *Postprocessor) segment(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	classes, h, w, err := p.planes(t)
	if err != nil {
		return Result{}, err
	}
	f := in.frame
	if !(f.ScaleX > 0) || !(f.ScaleY > 0) || f.Width <= 0 || f.Height <= 0 {
		return Result{}, fault.New(fault.Internal, "internal", "a segmentation needs the picture's frame")
	}
	g := grid{logits: float32s(t, &in.scratch.floats), classes: classes, h: h, w: w, cells: make([][]contender, h), sure: make([]bool, h)}
	rows := make([]sample, f.SourceHeight)
	for y := range rows {
		rows[y] = place(y, f.ScaleY, f.OffsetY, f.Height, h)
	}
	found := make([]runs, classes)
	column := -1
	for x := range f.SourceWidth {
		at := place(x, f.ScaleX, f.OffsetX, f.Width, w)
		if !at.inside {
			continue
		}
		if at.cell != column {
			column = at.cell
			g.enter(column)
		}
		base, row := x*f.SourceHeight, -1
		for y := range rows {
			if rows[y].inside {
				if rows[y].cell != row {
					row = rows[y].cell
					g.cut(row, at.fraction)
				}
				if class := g.best(rows[y].fraction); class >= 0 && in.want.wants(int(class)) {
					found[class].add(base + y)
				}
			}
		}
	}
	out := []Segment{}
	for class := range found {
		if r := &found[class]; r.area > 0 {
			out = append(out, Segment{Label: p.label(class), Index: class, Area: r.area,
				Mask: Mask{Size: [2]int{f.SourceHeight, f.SourceWidth}, Counts: r.counts}})
		}
	}
	return Result{Segments: out}, nil
}

// planes checks the shape: [C, h, w] or [1, C, h, w], with as many classes as there are labels.
func (p *Postprocessor) planes(t *tensor.Tensor) (classes, h, w int, err error) {
	s := t.Shape
	if len(s) == 4 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) != 3 || s[0] < 2 || s[0] > maxIndex || s[1] > math.MaxInt32 || s[2] > math.MaxInt32 {
		return 0, 0, 0, contract("output %q has shape %v; image-segmentation needs logits [classes, height, width] of two classes or more", t.Name, t.Shape)
	}
	if n := len(p.labels); n > 0 && int64(n) != s[0] {
		return 0, 0, 0, contract("output %q has shape %v, which are %d classes; there are %d labels", t.Name, t.Shape, s[0], n)
	}
	return int(s[0]), int(s[1]), int(s[2]), nil
}

// sample is where the centre of a source pixel lies in the grid of logits, along one axis.
type sample struct {
	cell     int // the logit at or before it
	fraction float64
	inside   bool // the network saw it
}

// place maps the centre of source pixel i to the grid of n logits that covers size pixels of the tensor.
func place(i int, scale, offset float64, size, n int) sample {
	x := (float64(i)+0.5)*scale + offset
	if x < 0 || x >= float64(size) {
		return sample{}
	}
	g := x*float64(n)/float64(size) - 0.5
	g = math.Min(math.Max(g, 0), float64(n-1)) // before the first and after the last logit: that one
	low := math.Floor(g)
	return sample{cell: int(low), fraction: g - low, inside: true}
}

// grid is the logits, and for one column of cells the classes that may win in each.
type grid struct {
	logits        []float32
	classes, h, w int
	column        int
	cells         [][]contender // by row of cells; empty until asked for
	sure          []bool        // by row of cells: the one candidate wins everywhere in it
	// Of the cell and the column of pixels that are looked at: the candidates, their logits at the cell's upper and lower edge.
	list       []contender
	top, under []float64
	only       bool // there is one candidate, and it is sure
}

// contender is a class that may win in a cell, and its logits at the corners.
type contender struct {
	class   int32
	corners [4]float64
}

func (g *grid) enter(column int) {
	g.column = column
	for i := range g.cells {
		g.cells[i] = g.cells[i][:0]
	}
}

// value is one logit, with NaN below everything and no infinities.
func (g *grid) value(class int32, y, x int) float64 {
	v := g.logits[(int(class)*g.h+min(y, g.h-1))*g.w+min(x, g.w-1)]
	switch {
	case v != v:
		return math.Inf(-1)
	case v > math.MaxFloat32:
		return math.MaxFloat32
	case v < -math.MaxFloat32:
		return -math.MaxFloat32
	}
	return float64(v)
}

// corners gives a class's logits around a cell: top left, top right, bottom left, bottom right.
func (g *grid) corners(class int32, row int) [4]float64 {
	return [4]float64{g.value(class, row, g.column), g.value(class, row, g.column+1), g.value(class, row+1, g.column), g.value(class, row+1, g.column+1)}
}

// candidates lists the classes that may win somewhere in the cell, lowest number first.
func (g *grid) candidates(row int) []contender {
	list := g.cells[row]
	if len(list) > 0 {
		return list
	}
	lead, most := int32(0), math.Inf(-1)
	for class := range int32(g.classes) {
		c := g.corners(class, row)
		if least := min(c[0], c[1], c[2], c[3]); least > most {
			lead, most = class, least
		}
	}
	best := g.corners(lead, row)
	for class := range int32(g.classes) {
		c := g.corners(class, row)
		beaten := true
		for i := range c {
			beaten = beaten && (best[i] > c[i] || best[i] == c[i] && lead < class)
		}
		if class == lead || !beaten {
			list = append(list, contender{class, c})
		}
	}
	g.cells[row] = list
	g.sure[row] = len(list) == 1 && most > math.Inf(-1)
	return list
}

// cut sets what best looks at: a column of pixels through a cell, at this fraction of its width.
func (g *grid) cut(row int, fraction float64) {
	g.list = g.candidates(row)
	if g.only = g.sure[row]; g.only {
		return
	}
	g.top, g.under = g.top[:0], g.under[:0]
	for i := range g.list {
		c := &g.list[i].corners
		g.top, g.under = append(g.top, mix(c[0], c[1], fraction)), append(g.under, mix(c[2], c[3], fraction))
	}
}

// best gives the class at this fraction of the cell's height, or -1 where all logits around it are NaN.
func (g *grid) best(fraction float64) int32 {
	if g.only {
		return g.list[0].class
	}
	winner, high := int32(-1), math.Inf(-1)
	for i, top := range g.top {
		if v := mix(top, g.under[i], fraction); v > high {
			winner, high = g.list[i].class, v
		}
	}
	return winner
}

// mix interpolates; what has no weight does not count, however infinite.
func mix(a, b, fraction float64) float64 {
	if fraction == 0 {
		return a
	}
	return a*(1-fraction) + b*fraction
}

// runs collects the pixels of one class as runs. Pixels come in rising order.
type runs struct {
	counts    []int
	end, area int // the pixel after the last one
}

func (r *runs) add(pixel int) {
	if r.area > 0 && pixel == r.end {
		r.counts[len(r.counts)-1]++
	} else {
		r.counts = append(r.counts, pixel-r.end, 1)
	}
	r.end = pixel + 1
	r.area++
}
