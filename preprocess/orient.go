package preprocess

// transposed reports that an EXIF orientation swaps width and height.
func transposed(orientation int) bool { return orientation >= 5 && orientation <= 8 }

// mirrorsX and mirrorsY report that stored columns, or rows, run against the upright picture's axis that they become.
func mirrorsX(orientation int) bool {
	return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
}

func mirrorsY(orientation int) bool {
	return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
}

// orientTile is how many pixels square are turned at a time, so that both sides stay in the cache.
const orientTile = 32

// Orient turns a picture upright as its EXIF orientation says (EXIF 2.3, 4.6.4 A; Pillow's ImageOps.exif_transpose) and gives src itself
// where there is nothing to do. into is used where its capacity suffices; it must not overlap src.
func Orient(src Pixels, orientation int, into []byte) Pixels {
	if orientation < 2 || orientation > 8 {
		return src
	}
	dst := Pixels{src.Width, src.Height, src.Channels, sized(into, len(src.Data))}
	ch := src.Channels
	stepX, stepY := ch, src.Width*ch // how far in dst one stored pixel to the right, or down, is
	if transposed(orientation) {
		dst.Width, dst.Height = src.Height, src.Width
		stepX, stepY = dst.Width*ch, ch
	}
	start := 0
	if mirrorsX(orientation) {
		start += (src.Width - 1) * stepX
		stepX = -stepX
	}
	if mirrorsY(orientation) {
		start += (src.Height - 1) * stepY
		stepY = -stepY
	}
	for y0 := 0; y0 < src.Height; y0 += orientTile {
		for x0 := 0; x0 < src.Width; x0 += orientTile {
			for y := y0; y < min(y0+orientTile, src.Height); y++ {
				from, to := (y*src.Width+x0)*ch, start+x0*stepX+y*stepY
				n := min(orientTile, src.Width-x0)
				if ch == 3 {
					turn3(dst.Data, to, stepX, src.Data[from:from+3*n])
				} else {
					for _, v := range src.Data[from : from+n] {
						dst.Data[to] = v
						to += stepX
					}
				}
			}
		}
	}
	return dst
}

func turn3(dst []byte, to, step int, src []byte) {
	for len(src) >= 3 {
		p, q := (*[3]byte)(src), (*[3]byte)(dst[to:])
		q[0], q[1], q[2] = p[0], p[1], p[2]
		src = src[3:]
		to += step
	}
}

// sized gives n bytes, of buf where it is large enough.
func sized(buf []byte, n int) []byte {
	if cap(buf) >= n {
		return buf[:n]
	}
	return make([]byte, n)
}
