package preprocess

import "math"

// filter is one of Pillow's resampling filters: Pillow, src/libImaging/Resample.c.
type filter struct {
	support float64 // radius in output pixels, before it is widened for reduction
	weight  func(x float64) float64
}

// pilFilter gives the filter of a method such as pil-bilinear; nil for pil-nearest, which has none, and for other names.
func pilFilter(method string) *filter {
	switch method {
	case "pil-box":
		return &filter{0.5, boxWeight}
	case "pil-bilinear":
		return &filter{1, bilinearWeight}
	case "pil-hamming":
		return &filter{1, hammingWeight}
	case "pil-bicubic":
		return &filter{2, bicubicWeight}
	case "pil-lanczos":
		return &filter{3, lanczosWeight}
	}
	return nil
}

func boxWeight(x float64) float64 {
	if x > -0.5 && x <= 0.5 {
		return 1
	}
	return 0
}

func bilinearWeight(x float64) float64 {
	if x = math.Abs(x); x < 1 {
		return 1 - x
	}
	return 0
}

func hammingWeight(x float64) float64 {
	x = math.Abs(x)
	if x == 0 {
		return 1
	}
	if x >= 1 {
		return 0
	}
	x *= math.Pi
	return math.Sin(x) / x * (0.54 + float64(0.46*math.Cos(x)))
}

// The conversions to float64 keep the compiler from fusing a multiplication with an addition, which would round differently.
func bicubicWeight(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	if x < 1 {
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	}
	if x < 2 {
		return float64(float64(float64(float64(float64(x-5)*x)+8)*x)-4) * a
	}
	return 0
}

func lanczosWeight(x float64) float64 {
	if -3 <= x && x < 3 {
		return sinc(x) * sinc(x/3)
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// precision is the number of fraction bits of a coefficient: 32 bits less 8 of the pixel and 2 for overshoot.
const precision = 32 - 8 - 2

// half rounds a sum to nearest when it is shifted right by precision.
const half = 1 << (precision - 1)

// window is which input pixels make one output pixel: in[from+i] with coefs[i].
type window struct {
	from  int
	coefs []int32
}

// windows computes Pillow's fixed-point coefficients for output pixels first <= i < last of a line of in pixels that is resampled to
// out pixels. The input is the box [origin, origin+extent) of the line; anything but [0, in) comes from scaled decoding alone.
// Source: precompute_coeffs and normalize_coeffs_8bpc of Pillow's Resample.c.
func windows(f *filter, in int, origin, extent float64, out, first, last int) []window {
	scale := extent / float64(out)
	filterScale := max(scale, 1)
	support := f.support * filterScale
	inverse := 1 / filterScale
	result := make([]window, last-first)
	weights := make([]float64, int(math.Ceil(support))*2+1)
	arena := make([]int32, 0, len(weights)*len(result))
	for i := range result {
		center := origin + float64((float64(first+i)+0.5)*scale)
		from := max(int(center-support+0.5), 0)
		n := min(int(center+support+0.5), in) - from
		total := 0.0
		for x := range n {
			w := f.weight(float64((float64(x+from) - center + 0.5) * inverse))
			weights[x] = w
			total += w
		}
		begin := len(arena)
		for x := range n {
			w := weights[x]
			if total != 0 {
				w /= total
			}
			arena = append(arena, fixed(w))
		}
		result[i] = window{from, arena[begin:len(arena):len(arena)]}
	}
	return result
}

func fixed(w float64) int32 {
	if w < 0 {
		return int32(-0.5 + float64(w*(1<<precision)))
	}
	return int32(0.5 + float64(w*(1<<precision)))
}

// mirrored turns windows around: output i of the result reads the line backwards as output len-1-i read it forwards. The sums are of
// integers, so that a flipped picture resampled so is the flipped result, bit for bit.
func mirrored(ws []window, in int) []window {
	result := make([]window, len(ws))
	for i, w := range ws {
		coefs := make([]int32, len(w.coefs))
		for j, c := range w.coefs {
			coefs[len(coefs)-1-j] = c
		}
		result[len(ws)-1-i] = window{in - w.from - len(w.coefs), coefs}
	}
	return result
}

// clip8 rounds a sum of precision fraction bits to a pixel value.
func clip8(sum int32) byte {
	v := (sum + half) >> precision
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return byte(v)
}
