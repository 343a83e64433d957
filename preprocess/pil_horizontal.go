package preprocess

// row resamples the pixels from <= x < to of a line with ch channels (1 or 3) into dst, len(a.windows)*ch bytes.
func (a *axis) row(dst, src []byte, ch int) {
	switch {
	case a.vector != nil:
		a.vector.row(dst, src)
	case a.pairs == 1 && ch == 3:
		a.row3x1(dst, src)
	case a.pairs == 2 && ch == 3:
		a.row3x2(dst, src)
	case a.pairs == 3 && ch == 3:
		a.row3x3(dst, src)
	case a.pairs == 1:
		a.row1x1(dst, src)
	case ch == 3:
		plain3(dst, src, a.windows)
	default:
		a.row1(dst, src)
	}
}

// row3x1 is the hot one: 3 channels, two outputs a pixel.
func (a *axis) row3x1(dst, src []byte) {
	var r, g, b uint64
	x := 0
	packed := a.packed
	for k, stop := range a.ends {
		n := stop - x
		c, p := packed[:n], src[3*x:3*stop]
		packed, x = packed[n:], stop
		for len(c) >= 4 && len(p) >= 12 {
			q, d := (*[12]byte)(p), (*[4]uint64)(c)
			r += uint64(q[0])*d[0] + uint64(q[3])*d[1] + uint64(q[6])*d[2] + uint64(q[9])*d[3]
			g += uint64(q[1])*d[0] + uint64(q[4])*d[1] + uint64(q[7])*d[2] + uint64(q[10])*d[3]
			b += uint64(q[2])*d[0] + uint64(q[5])*d[1] + uint64(q[8])*d[2] + uint64(q[11])*d[3]
			c, p = c[4:], p[12:]
		}
		for i, d := range c {
			q := (*[3]byte)(p[3*i:])
			r += uint64(q[0]) * d
			g += uint64(q[1]) * d
			b += uint64(q[2]) * d
		}
		out := (*[3]byte)(dst[3*k:])
		out[0], out[1], out[2] = clip8(low(r)), clip8(low(g)), clip8(low(b))
		r, g, b = uint64(int64(high(r))), uint64(int64(high(g))), uint64(int64(high(b)))
	}
}

// row1x1 is row3x1 for gray.
func (a *axis) row1x1(dst, src []byte) {
	var v uint64
	x := 0
	packed := a.packed
	for k, stop := range a.ends {
		n := stop - x
		c, p := packed[:n], src[x:stop]
		packed, x = packed[n:], stop
		for i, d := range c {
			v += uint64(p[i]) * d
		}
		dst[k] = clip8(low(v))
		v = uint64(int64(high(v)))
	}
}

// row3x2 is for pil-bicubic reductions: 3 channels, four outputs a pixel.
func (a *axis) row3x2(dst, src []byte) {
	var r, g, b, r2, g2, b2 uint64
	x := 0
	packed := a.packed
	for k, stop := range a.ends {
		n := stop - x
		c, p := packed[:2*n], src[3*x:3*stop]
		packed, x = packed[2*n:], stop
		for len(c) >= 2 && len(p) >= 3 {
			q, d := (*[3]byte)(p), (*[2]uint64)(c)
			r += uint64(q[0]) * d[0]
			g += uint64(q[1]) * d[0]
			b += uint64(q[2]) * d[0]
			r2 += uint64(q[0]) * d[1]
			g2 += uint64(q[1]) * d[1]
			b2 += uint64(q[2]) * d[1]
			c, p = c[2:], p[3:]
		}
		out := (*[3]byte)(dst[3*k:])
		out[0], out[1], out[2] = clip8(low(r)), clip8(low(g)), clip8(low(b))
		r, g, b = pair(high(r), low(r2)), pair(high(g), low(g2)), pair(high(b), low(b2))
		r2, g2, b2 = uint64(int64(high(r2))), uint64(int64(high(g2))), uint64(int64(high(b2)))
	}
}

// row3x3 is for pil-lanczos reductions: 3 channels, six outputs a pixel. Each channel goes by itself to stay in registers.
func (a *axis) row3x3(dst, src []byte) {
	for ch := range 3 {
		var s0, s1, s2 uint64
		x := 0
		packed := a.packed
		for k, stop := range a.ends {
			n := stop - x
			c, p := packed[:3*n], src[3*x:3*stop]
			packed, x = packed[3*n:], stop
			for len(c) >= 3 && len(p) >= 3 {
				d := (*[3]uint64)(c)
				v := uint64(p[ch])
				s0 += v * d[0]
				s1 += v * d[1]
				s2 += v * d[2]
				c, p = c[3:], p[3:]
			}
			dst[3*k+ch] = clip8(low(s0))
			s0, s1, s2 = pair(high(s0), low(s1)), pair(high(s1), low(s2)), uint64(int64(high(s2)))
		}
	}
}

// plain3 makes each output by its window.
func plain3(dst, src []byte, windows []window) {
	for k, w := range windows {
		var r, g, b int32
		p := src[3*w.from : 3*end(w)]
		for i, c := range w.coefs {
			q := (*[3]byte)(p[3*i:])
			r += int32(q[0]) * c
			g += int32(q[1]) * c
			b += int32(q[2]) * c
		}
		out := (*[3]byte)(dst[3*k:])
		out[0], out[1], out[2] = clip8(r), clip8(g), clip8(b)
	}
}

func (a *axis) row1(dst, src []byte) {
	for k, w := range a.windows {
		v := int32(0)
		p := src[w.from:end(w)]
		for i, c := range w.coefs {
			v += int32(p[i]) * c
		}
		dst[k] = clip8(v)
	}
}
