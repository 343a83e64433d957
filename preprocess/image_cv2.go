package preprocess

import (
	"context"
	"time"
)

// cv2 decodes the whole picture, turns it upright, and has the engine resample it: OpenCV's order, and its results depend on it.
func (j *job) cv2(ctx context.Context) (Pixels, error) {
	width, height := scaledSize(j.header, j.scaleNum)
	options := DecodeOptions{ScaleNum: j.scaleNum, Gray: j.transform.gray && j.scaleNum < 8}
	options.Into = j.lend(3 * width * height)
	px, err := j.engine.Decode(ctx, j.data, j.header, options)
	if err != nil {
		return Pixels{}, err
	}
	begin := time.Now()
	defer func() { j.resampling += time.Since(begin) }()
	if j.transform.gray && px.Channels == 3 {
		gray := j.lend(px.Width * px.Height)
		j.transform.toGray()(gray, px.Data)
		px.Channels, px.Data = 1, gray
	}
	if j.orientation > 1 {
		px = Orient(px, j.orientation, j.lend(len(px.Data)))
	}
	g := &j.geometry
	if px.Width != g.resized.width || px.Height != g.resized.height {
		if px, err = j.engine.Resize(ctx, px, g.resized.width, g.resized.height, j.transform.method); err != nil {
			return Pixels{}, err
		}
	}
	return j.part(px), nil
}

// part copies the wanted part out of a resized picture.
func (j *job) part(px Pixels) Pixels {
	want := j.geometry.part
	if want.size == (size{px.Width, px.Height}) {
		return px
	}
	ch := px.Channels
	out := Pixels{want.width, want.height, ch, j.lend(want.width * want.height * ch)}
	for y := range want.height {
		copy(out.Data[y*want.width*ch:][:want.width*ch], px.Data[((want.y+y)*px.Width+want.x)*ch:])
	}
	return out
}
