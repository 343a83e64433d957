package preprocess

// lines maps a line of pixels to its output by Pillow's rules, in one of three ways: by axis, by index (nearest), or as a copy of the
// pixels from <= x < to, which is also what Pillow does where the size stays.
type lines struct {
	axis     *axis
	index    []int
	from, to int // the input pixels that are needed
	out      int // output pixels
}

// span asks for a direction: in pixels of which extent become out, and of those first <= i < last are wanted. A fraction of a pixel that
// extent leaves over is the last stored one's.
type span struct {
	in          int
	extent      float64
	out         int
	first, last int
	reverse     bool // the line is stored backwards
}

func newLines(method string, s span) lines {
	l := lines{out: s.last - s.first}
	origin := 0.0
	if s.reverse {
		origin = float64(s.in) - s.extent
	}
	switch {
	case s.extent == float64(s.out):
		l.from, l.to = s.first, s.last
		if s.reverse {
			l.from, l.to = s.in-s.last, s.in-s.first
		}
	case method == "pil-nearest":
		l.index = nearestIndex(s.in, origin, s.extent, s.out, s.first, s.last)
		if s.reverse {
			l.index = mirroredIndex(l.index, s.in)
		}
		l.to = s.in
	default:
		ws := windows(pilFilter(method), s.in, origin, s.extent, s.out, s.first, s.last)
		if s.reverse {
			ws = mirrored(ws, s.in)
		}
		l.axis = newAxis(ws)
		l.from, l.to = l.axis.from, l.axis.to
	}
	return l
}

// row takes the needed pixels of a line, from <= x < to, and gives out pixels.
func (l *lines) row(dst, src []byte, ch int) {
	switch {
	case l.axis != nil:
		l.axis.row(dst, src, ch)
	case l.index == nil:
		copy(dst, src)
	default:
		for i, x := range l.index {
			if x < 0 {
				clear(dst[i*ch:][:ch])
			} else {
				copy(dst[i*ch:][:ch], src[(x-l.from)*ch:][:ch])
			}
		}
	}
}

// across is the same in the other direction: push takes the needed lines one by one, and emit gets the output lines with their numbers.
// An output line that emit does not get is 0.
func (l *lines) across(width int, emit func(k int, line []byte)) (push func(line []byte)) {
	if l.axis != nil {
		return newColumn(l.axis, width, emit).push
	}
	if l.index == nil {
		k := 0
		return func(line []byte) {
			emit(k, line)
			k++
		}
	}
	y, k := l.from, 0
	return func(line []byte) {
		for ; k < len(l.index) && l.index[k] <= y; k++ {
			if l.index[k] == y {
				emit(k, line)
			}
		}
		y++
	}
}
