package preprocess

// axis resamples lines along one direction. Windows of neighbouring outputs overlap: in a reduction with pil-bilinear each input
// pixel belongs to two outputs, with pil-bicubic to four. So the line is cut into segments that have their first output in common,
// and a pixel is multiplied once with a pair of coefficients that sit in the two halves of 64 bits:
//
//	sum += pixel * (c0 + c1<<32)        c0 for output k, c1 for output k+1
//
// Integer arithmetic is exact modulo 2^64, so each half comes out as if it had been computed alone, negative coefficients included,
// as long as it fits 32 bits, which newAxis checks. At the end of a segment the sums move down by one output.
type axis struct {
	from, to int      // the input pixels that are read: from <= x < to. All below counts from there
	windows  []window // by output
	vector   *vector  // the same for rowAVX2; nil where that cannot be used

	// Segments; pairs is 0 where the windows do not fit this scheme (strong enlargement), and then windows is used.
	pairs  int      // coefficient pairs per input pixel: 1, 2 or 3
	ends   []int    // segment k is pixels ends[k-1] <= x < ends[k], the first one starts at 0; it completes output k
	packed []uint64 // pairs coefficients for each pixel
}

// maxPairs is enough for pil-lanczos, the widest filter, in a reduction.
const maxPairs = 3

// newAxis takes windows in the order of their outputs, at least one. forRow or segment have to come next, for the one direction or the other.
func newAxis(ws []window) *axis {
	a := &axis{windows: make([]window, len(ws)), from: ws[0].from}
	for _, w := range ws {
		a.from = min(a.from, w.from)
		a.to = max(a.to, end(w))
	}
	for i, w := range ws {
		a.windows[i] = window{w.from - a.from, w.coefs}
	}
	return a
}

// forRow prepares row for lines of ch channels. quick allows for what the processor has.
func (a *axis) forRow(ch int, quick bool) {
	if ch == 3 && quick {
		a.vector = newVector(a)
	}
	if a.vector == nil {
		a.segment()
	}
}

// segment fills in the packed form where it fits.
func (a *axis) segment() {
	trimmed := make([]window, len(a.windows))
	for i, w := range a.windows {
		trimmed[i] = trim(w)
		if !fits(w) || i > 0 && (trimmed[i].from < trimmed[i-1].from || end(trimmed[i]) < end(trimmed[i-1])) {
			return
		}
	}
	lanes := 0 // the most outputs that one input pixel belongs to, counted from the first that its segment completes
	for k, w := range trimmed {
		n := 1
		for k+n < len(trimmed) && trimmed[k+n].from < end(w) {
			n++
		}
		lanes = max(lanes, n)
	}
	pairs := (lanes + 1) / 2
	if pairs > maxPairs {
		return
	}
	a.pairs, a.ends, a.packed = pairs, make([]int, len(trimmed)), make([]uint64, pairs*(a.to-a.from))
	start := 0
	for k, w := range trimmed {
		a.ends[k] = end(w)
		for lane := 0; lane < 2*pairs && k+lane < len(trimmed); lane++ {
			o := trimmed[k+lane]
			for x := max(start, o.from); x < end(w); x++ {
				a.packed[x*pairs+lane/2] += uint64(int64(o.coefs[x-o.from])) << (32 * (lane % 2))
			}
		}
		start = end(w)
	}
}

func end(w window) int { return w.from + len(w.coefs) }

// trim drops coefficients of zero at both ends; they change no sum.
func trim(w window) window {
	for len(w.coefs) > 1 && w.coefs[0] == 0 {
		w.from, w.coefs = w.from+1, w.coefs[1:]
	}
	for len(w.coefs) > 1 && w.coefs[len(w.coefs)-1] == 0 {
		w.coefs = w.coefs[:len(w.coefs)-1]
	}
	return w
}

// fits reports that no partial sum of the window leaves 32 bits.
func fits(w window) bool {
	total := int64(0)
	for _, c := range w.coefs {
		total += max(int64(c), -int64(c))
	}
	return total*255+half < 1<<31
}

// low and high take a pair of sums apart; high undoes what a negative low has borrowed.
func low(sum uint64) int32  { return int32(uint32(sum)) }
func high(sum uint64) int32 { return int32((int64(sum) - int64(int32(uint32(sum)))) >> 32) }

// pair puts two sums together.
func pair(lo, hi int32) uint64 { return uint64(int64(lo)) + uint64(int64(hi))<<32 }
