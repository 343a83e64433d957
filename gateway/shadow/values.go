package shadow

import (
	"math"

	"triton-gateway/postprocess"
)

// smallest is the size below which a value's relative difference is that to this size: next to 0 all is rounding.
const smallest = 1e-6

const noNumber = "a value is NaN or infinite in one of the answers"

// values are all values of a regression, be it one or several.
func values(r *postprocess.Result) []float64 {
	if r.Value != nil {
		return []float64{*r.Value}
	}
	return r.Values
}

// values compares regressions, value by value.
func (c *Comparison) values(primary, shadow []float64) {
	if len(primary) != len(shadow) {
		c.unlike("the answers have different numbers of values")
		return
	}
	absolute, rel := 0.0, 0.0
	for i, x := range primary {
		y := shadow[i]
		switch {
		case same(x, y):
		case finite(x) && finite(y):
			absolute, rel = max(absolute, math.Abs(x-y)), max(rel, relative(x, y, smallest))
		default:
			c.unlike(noNumber)
		}
	}
	if len(primary) > 0 {
		c.figure("absolute_difference", absolute)
		c.figure("relative_difference", rel)
	}
	c.Distance = max(c.Distance, rel)
}

// embeddings compares vectors by the cosine of the angle between them. Two vectors of length 0 point the same way; one of them points nowhere near the other.
func (c *Comparison) embeddings(primary, shadow []float32) {
	if len(primary) != len(shadow) {
		c.unlike("the answers have different numbers of values")
		return
	}
	// Squares of float32 and their products are far inside the range of float64; sqrt(s*s) is s exactly, so that the cosine of a vector with itself is 1.
	dot, pp, ss := 0.0, 0.0, 0.0
	for i := range primary {
		x, y := float64(primary[i]), float64(shadow[i])
		if !finite(x) || !finite(y) {
			if !same(x, y) {
				c.unlike(noNumber)
				return
			}
			continue
		}
		dot, pp, ss = dot+x*y, pp+x*x, ss+y*y
	}
	cosine := 1.0
	switch {
	case len(primary) == 0:
		return
	case pp > 0 && ss > 0:
		cosine = min(max(dot/math.Sqrt(pp*ss), -1), 1)
	case pp > 0 || ss > 0:
		cosine = 0
	}
	c.figure("cosine", cosine)
	c.Distance = unit(1 - cosine)
}
