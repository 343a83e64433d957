package preprocess

// nearestIndex says which input pixel each output pixel first <= i < last takes when a line of in pixels (the box [origin, origin+extent)) becomes
// out pixels; -1 is none, which stays 0. Pillow adds the step up instead of multiplying, so its rounding errors are repeated here.
// Source: ImagingScaleAffine of Pillow's Geometry.c.
func nearestIndex(in int, origin, extent float64, out, first, last int) []int {
	step := extent / float64(out)
	at := origin + float64(step*0.5)
	index := make([]int, 0, last-first)
	for i := range last {
		if i >= first {
			x := int(at)
			if x >= in {
				x = -1
			}
			index = append(index, x)
		}
		at += step
	}
	return index
}

// mirroredIndex is what mirrored is for windows.
func mirroredIndex(index []int, in int) []int {
	result := make([]int, len(index))
	for i, x := range index {
		if x >= 0 {
			x = in - 1 - x
		}
		result[len(index)-1-i] = x
	}
	return result
}
