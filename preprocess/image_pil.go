package preprocess

import (
	"context"
	"time"
)

// pil resamples while the picture is being decoded.
func (j *job) pil(ctx context.Context) (Pixels, error) {
	g := &j.geometry
	width, height := scaledSize(j.header, j.scaleNum)
	cols := span{width, float64(j.header.Width) * float64(j.scaleNum) / 8, g.resized.width, g.part.x, g.part.x + g.part.width, mirrorsX(j.orientation)}
	rows := span{height, float64(j.header.Height) * float64(j.scaleNum) / 8, g.resized.height, g.part.y, g.part.y + g.part.height, mirrorsY(j.orientation)}
	lying := transposed(j.orientation)
	if lying { // stored columns become the upright picture's rows
		cols.out, cols.first, cols.last, rows.out, rows.first, rows.last = rows.out, rows.first, rows.last, cols.out, cols.first, cols.last
	}
	begin := time.Now()
	convert := j.transform.toGray()
	options := DecodeOptions{ScaleNum: j.scaleNum}
	if j.scaleNum < 8 && convert != nil {
		options.Gray, convert = true, nil
	}
	s := newStream(newLines(j.transform.method, cols), newLines(j.transform.method, rows), width, j.transform.channels(), lying, convert,
		j.lend(g.part.width*g.part.height*j.transform.channels()))
	j.resampling += time.Since(begin)

	sink := func(strip []byte) error {
		begin := time.Now()
		s.write(strip)
		j.resampling += time.Since(begin)
		return nil
	}
	if err := j.decodeRows(ctx, options, sink); err != nil {
		return Pixels{}, err
	}
	begin = time.Now()
	out := s.out
	if j.orientation > 1 {
		out = Orient(out, j.orientation, j.lend(len(out.Data)))
	}
	j.resampling += time.Since(begin)
	return out, nil
}

// decodeRows falls back on a whole picture where the engine has no rows.
func (j *job) decodeRows(ctx context.Context, o DecodeOptions, sink func([]byte) error) error {
	if engine, ok := j.p.engine.(RowEngine); ok {
		return engine.DecodeRows(ctx, j.data, j.header, o, sink)
	}
	width, height := scaledSize(j.header, j.scaleNum)
	o.Into = j.lend(3 * width * height)
	px, err := j.p.engine.Decode(ctx, j.data, j.header, o)
	if err != nil {
		return err
	}
	return sink(px.Data)
}

// scaledSize is what a JPEG decoder makes at scaleNum/8: rounded up, so that the last column and row may lie partly outside the picture.
func scaledSize(h Header, scaleNum int) (width, height int) {
	return (h.Width*scaleNum + 7) / 8, (h.Height*scaleNum + 7) / 8
}

// fastMargin is how many times larger than the result a scaled picture has to stay.
const fastMargin = 2

// fastScale gives the smallest of 1, 2, 4 eighths (those that have a fast inverse DCT) whose picture is still fastMargin times the
// resized one; 8 where there is none.
func fastScale(width, height int, resized size) int {
	for _, n := range [...]int{1, 2, 4} {
		if width*n >= fastMargin*8*resized.width && height*n >= fastMargin*8*resized.height {
			return n
		}
	}
	return 8
}
