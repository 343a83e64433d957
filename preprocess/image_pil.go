package preprocess

import (
	"context"
	"time"
)

// pil resamples while the picture is being decoded.
func (j *job) pil(ctx context.Context) (Pixels, error) {
	g := &j.geometry
	width, _ := scaledSize(j.header, j.scaleNum)
	cols, rows := j.spans()
	begin := time.Now()
	convert := j.transform.toGray()
	along := newLines(j.transform.method, cols)
	options := DecodeOptions{ScaleNum: j.scaleNum, From: along.from, To: along.to}
	if j.scaleNum < 8 && convert != nil {
		options.Gray, convert = true, nil
	}
	s := newStream(along, newLines(j.transform.method, rows), width, j.transform.channels(), transposed(j.orientation), convert,
		j.lend(g.part.width*g.part.height*j.transform.channels()), fastRows())
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

// spans gives both directions of the picture as it is stored.
func (j *job) spans() (cols, rows span) {
	g := &j.geometry
	width, height := scaledSize(j.header, j.scaleNum)
	x := span{out: g.resized.width, first: g.part.x, last: g.part.x + g.part.width}
	y := span{out: g.resized.height, first: g.part.y, last: g.part.y + g.part.height}
	cols, rows = x, y
	if transposed(j.orientation) { // stored columns become the upright picture's rows
		cols, rows = y, x
	}
	cols.in, cols.extent, cols.reverse = width, float64(j.header.Width)*float64(j.scaleNum)/8, mirrorsX(j.orientation)
	rows.in, rows.extent, rows.reverse = height, float64(j.header.Height)*float64(j.scaleNum)/8, mirrorsY(j.orientation)
	return cols, rows
}

// decodeRows falls back on a whole picture where the engine has no rows.
func (j *job) decodeRows(ctx context.Context, o DecodeOptions, sink func([]byte) error) error {
	if engine, ok := j.engine.(RowEngine); ok {
		return engine.DecodeRows(ctx, j.data, j.header, o, sink)
	}
	width, height := scaledSize(j.header, j.scaleNum)
	o.Into = j.lend(3 * width * height)
	px, err := j.engine.Decode(ctx, j.data, j.header, o)
	if err != nil {
		return err
	}
	return sink(px.Data)
}

// scaledSize is what a JPEG decoder makes at scaleNum/8: rounded up, so that the last column and row may lie partly outside the picture.
func scaledSize(h Header, scaleNum int) (width, height int) {
	return (h.Width*scaleNum + 7) / 8, (h.Height*scaleNum + 7) / 8
}

// fastMargin is how many times larger than the result a scaled picture has to stay, in eighths. Filters with hard ends need more to look
// the same. On textures of 512 pixels a side, the worst kind, twice gives a mean difference of up to 1.7 of 255 with pil-bilinear; on
// pictures that are as smooth as a camera's, 15 eighths gives up to 0.4 and at most 5, and 13 eighths too much: 0.7 and 9.
func fastMargin(method string) int {
	switch method {
	case "pil-box", "cv2-area":
		return 8 * 8
	case "pil-hamming":
		return 4 * 8
	case "pil-bilinear":
		return 15
	}
	return 2 * 8
}

// fastScale gives the smallest of 1, 2, 4 eighths (those that have a fast inverse DCT) whose picture is still margin eighths of the resized
// one; 8 where there is none. whole asks for a picture of whole pixels besides: OpenCV's resamplers take no fractions.
func fastScale(width, height int, resized size, margin int, whole bool) int {
	for _, n := range [...]int{1, 2, 4} {
		if width*n >= margin*resized.width && height*n >= margin*resized.height && !(whole && (width*n%8 != 0 || height*n%8 != 0)) {
			return n
		}
	}
	return 8
}
