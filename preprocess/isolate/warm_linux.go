package isolate

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"time"

	"triton-gateway/preprocess"
)

// warm has the decoders do all that they do only once - open files, start threads, look at the processor - before that is forbidden. What
// they say of these pictures does not matter.
func (s *server) warm() {
	const side = 64
	drawn := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		drawn.SetRGBA(i%side, i/side, color.RGBA{uint8(i), uint8(i / 7), uint8(i / 31), 255})
	}
	var jpg, pn bytes.Buffer
	_ = jpeg.Encode(&jpg, drawn, nil)
	_ = png.Encode(&pn, drawn)
	ctx := context.Background()
	for _, p := range []struct {
		format preprocess.Format
		data   []byte
		side   int
	}{{preprocess.JPEG, jpg.Bytes(), side}, {preprocess.PNG, pn.Bytes(), side}, {preprocess.WebP, []byte(lossyWebP), 1}, {preprocess.WebP, []byte(losslessWebP), 1}} {
		h := preprocess.Header{Format: p.format, Width: p.side, Height: p.side, Orientation: 1}
		px, err := s.engine.Decode(ctx, p.data, h, preprocess.DecodeOptions{})
		if err == nil {
			for _, method := range []string{"cv2-nearest", "cv2-linear", "cv2-cubic", "cv2-area", "cv2-lanczos"} {
				_, _ = s.engine.Resize(ctx, px, 9, 7, method)
			}
		}
		_, _ = s.engine.Decode(ctx, p.data[:len(p.data)/2], h, preprocess.DecodeOptions{}) // the way of a failure too
	}
	<-time.After(time.Microsecond) // timers have the runtime open files of its own
	runtime.GC()
}

// The smallest pictures that there are in WebP, one pixel each.
const (
	lossyWebP    = "RIFF\x22\x00\x00\x00WEBPVP8 \x16\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\x01\x00\x01\x00\x0e\xc0\xfe\x25\xa4\x00\x03\x70\x00\x00\x00\x00"
	losslessWebP = "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
)
