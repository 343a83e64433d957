package preprocess

// column resamples across lines as they arrive: push takes the next line, and emit gets each output line as soon as it is complete.
// No more than the sums of the open outputs, or the lines of one window, are kept.
type column struct {
	axis *axis
	emit func(k int, line []byte) // k is the output's number
	line []byte                   // the output line that emit sees
	y    int                      // the input line that comes next, counted from axis.from
	k    int                      // the output that is completed next

	sums []uint64 // axis.pairs sums for each byte of a line; pairs of one byte lie width apart
	ring []byte   // without pairs: the last depth lines
	deep int
}

// newColumn is for lines of width bytes.
func newColumn(a *axis, width int, emit func(k int, line []byte)) *column {
	a.segment()
	c := &column{axis: a, emit: emit, line: make([]byte, width)}
	if a.pairs > 0 {
		c.sums = make([]uint64, a.pairs*width)
		return c
	}
	for _, w := range a.windows {
		c.deep = max(c.deep, len(w.coefs))
	}
	c.ring = make([]byte, c.deep*width)
	return c
}

// push takes the next of the lines axis.from <= y < axis.to.
func (c *column) push(line []byte) {
	if c.axis.pairs == 0 {
		c.pushRing(line)
		return
	}
	width := len(c.line)
	line = line[:width]
	for p := range c.axis.pairs {
		coef := c.axis.packed[c.y*c.axis.pairs+p]
		sums := c.sums[p*width:][:width]
		if coef == 0 {
			continue
		}
		addScaled(sums, line, coef)
	}
	c.y++
	for c.k < len(c.axis.ends) && c.axis.ends[c.k] <= c.y {
		c.complete()
		c.emit(c.k, c.line)
		c.k++
	}
}

// addScaled is sums[i] += line[i]*coef.
func addScaled(sums []uint64, line []byte, coef uint64) {
	for len(line) >= 8 && len(sums) >= 8 {
		l, s := (*[8]byte)(line), (*[8]uint64)(sums)
		s[0] += uint64(l[0]) * coef
		s[1] += uint64(l[1]) * coef
		s[2] += uint64(l[2]) * coef
		s[3] += uint64(l[3]) * coef
		s[4] += uint64(l[4]) * coef
		s[5] += uint64(l[5]) * coef
		s[6] += uint64(l[6]) * coef
		s[7] += uint64(l[7]) * coef
		line, sums = line[8:], sums[8:]
	}
	for i, v := range line {
		sums[i] += uint64(v) * coef
	}
}

// complete rounds the lowest sum of each byte into line and moves the others down by one output.
func (c *column) complete() {
	width := len(c.line)
	for i := range c.line {
		c.line[i] = clip8(low(c.sums[i]))
	}
	for p := range c.axis.pairs {
		sums := c.sums[p*width:][:width]
		if p+1 == c.axis.pairs {
			for i, s := range sums {
				sums[i] = uint64(int64(high(s)))
			}
			return
		}
		next := c.sums[(p+1)*width:][:width]
		for i, s := range sums {
			sums[i] = pair(high(s), low(next[i]))
		}
	}
}

func (c *column) pushRing(line []byte) {
	width := len(c.line)
	copy(c.ring[c.y%c.deep*width:][:width], line)
	c.y++
	for c.k < len(c.axis.windows) && end(c.axis.windows[c.k]) <= c.y {
		w := c.axis.windows[c.k]
		sums := make([]int32, width)
		for i, coef := range w.coefs {
			for x, v := range c.ring[(w.from+i)%c.deep*width:][:width] {
				sums[x] += int32(v) * coef
			}
		}
		for x, s := range sums {
			c.line[x] = clip8(s)
		}
		c.emit(c.k, c.line)
		c.k++
	}
}
