package shadow

import (
	"math"

	"triton-gateway/postprocess"
)

// masks compares segmentations class by class; a class that only one of them has has IoU 0. area_difference is the sum of the classes' differences in area over the sum of both areas.
func (c *Comparison) masks(primary, shadow []postprocess.Segment) {
	classes, sum, apart, areas := 0.0, 0.0, 0.0, 0.0
	for _, p := range pairs(primary, shadow, func(s *postprocess.Segment) string { return s.Label }) {
		if p[0] != nil && p[1] != nil && p[0].Mask.Size != p[1].Mask.Size {
			c.unlike("the masks are of different size")
			return
		}
		both, x, y := runs(p[0]).cross(runs(p[1]))
		classes++
		if union := x + y - both; union > 0 {
			sum += both / union
		} else {
			sum++
		}
		apart += math.Abs(x - y)
		areas += x + y
	}
	c.figure("classes", classes)
	if classes == 0 {
		return
	}
	c.figure("mean_iou", sum/classes)
	if areas > 0 {
		c.figure("area_difference", apart/areas)
	}
	c.Distance = 1 - sum/classes
}

// mask reads run lengths: outside first, then in turns. Lengths below 0 count as 0, and positions end at the largest int, so that there is no mask that cannot be read.
type mask struct {
	counts   []int
	next     int // run
	from, to int // of the present run that lies inside; to is 0 at the end
}

func runs(s *postprocess.Segment) *mask {
	m := &mask{}
	if s != nil {
		m.counts = s.Mask.Counts
	}
	m.advance()
	return m
}

// advance goes to the next run inside that is not empty.
func (m *mask) advance() {
	at := m.to
	for m.next+1 < len(m.counts) {
		from := further(at, m.counts[m.next])
		at = further(from, m.counts[m.next+1])
		m.next += 2
		if at > from {
			m.from, m.to = from, at
			return
		}
	}
	m.from, m.to = 0, 0
}

func further(at, by int) int {
	if by <= 0 {
		return at
	}
	if at > math.MaxInt-by {
		return math.MaxInt
	}
	return at + by
}

// cross gives the pixels inside both masks and inside each, by one walk over the runs of both.
func (m *mask) cross(o *mask) (both, mine, others float64) {
	for m.to > 0 || o.to > 0 {
		if m.to > 0 && o.to > 0 {
			both += float64(max(0, min(m.to, o.to)-max(m.from, o.from)))
		}
		if o.to == 0 || m.to > 0 && m.to <= o.to {
			mine += float64(m.to - m.from)
			m.advance()
		} else {
			others += float64(o.to - o.from)
			o.advance()
		}
	}
	return both, mine, others
}
