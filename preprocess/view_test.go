package preprocess_test

import (
	"bytes"
	"context"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
)

// given is an Engine whose picture is known; drawn resamples.
type given struct {
	drawn
	px preprocess.Pixels
}

func (e given) Decode(context.Context, []byte, preprocess.Header, preprocess.DecodeOptions) (preprocess.Pixels, error) {
	px := e.px
	px.Data = bytes.Clone(px.Data)
	return px, nil
}

// noisy is a picture in which no two pixels are the same.
func noisy(width, height int) preprocess.Pixels {
	px := preprocess.Pixels{Width: width, Height: height, Channels: 3, Data: make([]byte, 3*width*height)}
	n := uint32(1)
	for i := range px.Data {
		n = n*1664525 + 1013904223
		px.Data[i] = byte(n >> 24)
	}
	return px
}

// cut is a part in memory of its own.
func cut(px preprocess.Pixels, x, y, w, h int) preprocess.Pixels {
	out := preprocess.Pixels{Width: w, Height: h, Channels: 3}
	for row := range h {
		out.Data = append(out.Data, px.Data[3*((y+row)*px.Width+x):][:3*w]...)
	}
	return out
}

// A part of a decoded picture gives the very tensor that a file of that part would give.
func TestViewIsTheFileOfThePart(t *testing.T) {
	whole := noisy(61, 47)
	for name, text := range map[string]string{
		"pillow":        "preprocess: {resize: {mode: stretch, size: [16, 24], resample: pil-bicubic}, scale: 1/255}",
		"pillow, crop":  "preprocess: {resize: {mode: shortest-edge, size: 20, resample: pil-bilinear}, crop: {size: [16, 16]}, mean: [1, 2, 3]}",
		"pillow, gray":  "preprocess: {resize: {mode: stretch, size: 16, resample: pil-lanczos}}",
		"letterbox":     "preprocess: {resize: {mode: letterbox, size: 32, resample: cv2-linear, pad: 114}}",
		"opencv, gray":  "preprocess: {resize: {mode: stretch, size: 16, resample: cv2-area}}",
		"as it is":      "preprocess: {resize: {mode: none}}",
		"exif, fast":    "preprocess: {resize: {mode: stretch, size: 16, resample: pil-box}, exif: ignore, decode: fast}",
		"nearest, crop": "preprocess: {resize: {mode: longest-edge, size: 20, resample: pil-nearest}}",
	} {
		color := "RGB"
		if bytes.Contains([]byte(name), []byte("gray")) {
			color = "GRAY"
		}
		spec, err := task.Parse([]byte("task: image-classification\ninput: {name: in, layout: NCHW, dtype: FP32, color: " + color + "}\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range [][4]int{{0, 0, 61, 47}, {0, 10, 61, 20}, {7, 5, 30, 33}, {60, 46, 1, 1}, {3, 0, 1, 47}} {
			part := cut(whole, at[0], at[1], at[2], at[3])
			file, err := preprocess.New(spec, given{px: part}, preprocess.Limits{})
			if err != nil {
				t.Fatal(name, err)
			}
			want, wantFrame, _, err := file.Image(t.Context(), plainPNG(uint32(at[2]), uint32(at[3])), preprocess.Header{Format: preprocess.PNG, Width: at[2], Height: at[3], Orientation: 1})
			if err != nil {
				t.Fatal(name, err)
			}
			viewer, err := preprocess.New(spec, given{}, preprocess.Limits{})
			if err != nil {
				t.Fatal(name, err)
			}
			before := bytes.Clone(whole.Data)
			got, frame, _, err := viewer.View(t.Context(), preprocess.View{Pixels: whole, X: at[0], Y: at[1], W: at[2], H: at[3]})
			if err != nil || frame != wantFrame || !bytes.Equal(got.Data, want.Data) || got.Name != "in" {
				t.Errorf("%s %v: %v, frame %+v, want %+v, the same data: %v", name, at, err, frame, wantFrame, bytes.Equal(got.Data, want.Data))
			}
			if !bytes.Equal(whole.Data, before) {
				t.Errorf("%s %v: the picture was written to", name, at)
			}
		}
	}
}

func TestViewRefusals(t *testing.T) {
	p, err := preprocess.New(stretchSpec("pil-bilinear"), given{}, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	px := noisy(10, 8)
	for _, v := range []preprocess.View{
		{Pixels: px, X: 5, W: 6, H: 1}, {Pixels: px, Y: 7, W: 1, H: 2}, {Pixels: px, X: -1, W: 1, H: 1}, {Pixels: px, W: 0, H: 1},
		{Pixels: preprocess.Pixels{Width: 10, Height: 8, Channels: 3, Data: px.Data[:20]}, W: 1, H: 1}, {Pixels: preprocess.Pixels{Width: 10, Height: 8, Channels: 1, Data: px.Data}, W: 1, H: 1},
	} {
		if _, _, _, err := p.View(t.Context(), v); fault.KindOf(err) != fault.Internal {
			t.Errorf("%+v: %v", v, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := p.View(ctx, preprocess.View{Pixels: px, W: 10, H: 8}); fault.KindOf(err) != fault.Canceled {
		t.Errorf("%v", err)
	}
}

func TestDecodeUpright(t *testing.T) {
	px := noisy(5, 3)
	h := preprocess.Header{Format: preprocess.PNG, Width: 5, Height: 3, Orientation: 6}
	if w, high := h.Upright(); w != 3 || high != 5 {
		t.Errorf("%d x %d", w, high)
	}
	got, err := preprocess.Decode(t.Context(), given{px: px}, plainPNG(5, 3), h)
	want := preprocess.Orient(px, 6, nil)
	if err != nil || got.Width != 3 || got.Height != 5 || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("%v %+v", err, got)
	}
	broken := plainPNG(5, 3)
	broken[len(broken)-20] ^= 1
	if _, err := preprocess.Decode(t.Context(), given{px: px}, broken, h); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a broken file: %v", err)
	}
}
