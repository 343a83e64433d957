package preprocess_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// drawn is an Engine whose every picture is a red ramp to the right and a green ramp down, of 3 channels.
type drawn struct{ width, height int }

func (e drawn) Decode(_ context.Context, _ []byte, h preprocess.Header, o preprocess.DecodeOptions) (preprocess.Pixels, error) {
	px := preprocess.Pixels{Width: e.width, Height: e.height, Channels: 3, Data: make([]byte, 3*e.width*e.height)}
	for i := range e.width * e.height {
		px.Data[3*i], px.Data[3*i+1], px.Data[3*i+2] = byte(i%e.width*255/e.width), byte(i/e.width*255/e.height), 200
	}
	return px, nil
}

// Resize is the textbook's nearest neighbour.
func (e drawn) Resize(_ context.Context, src preprocess.Pixels, width, height int, _ string) (preprocess.Pixels, error) {
	px := preprocess.Pixels{Width: width, Height: height, Channels: src.Channels, Data: make([]byte, width*height*src.Channels)}
	for i := range width * height {
		from := (i/width*src.Height/height)*src.Width + i%width*src.Width/width
		copy(px.Data[i*src.Channels:][:src.Channels], src.Data[from*src.Channels:])
	}
	return px, nil
}

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		w, h    int
		resize  task.Resize
		crop    *task.Crop
		frame   tensor.Frame
		refused string
	}{
		"stretch":               {w: 640, h: 480, resize: resize("stretch", 50, 80), frame: tensor.Frame{SourceWidth: 640, SourceHeight: 480, Width: 80, Height: 50, ScaleX: 0.125, ScaleY: 50. / 480}},
		"shortest-edge":         {w: 641, h: 480, resize: resize("shortest-edge", 256, 256), frame: tensor.Frame{SourceWidth: 641, SourceHeight: 480, Width: 341, Height: 256, ScaleX: 341. / 641, ScaleY: 256. / 480}},
		"shortest-edge tall":    {w: 480, h: 641, resize: resize("shortest-edge", 256, 256), frame: tensor.Frame{SourceWidth: 480, SourceHeight: 641, Width: 256, Height: 341, ScaleX: 256. / 480, ScaleY: 341. / 641}},
		"longest-edge":          {w: 1000, h: 3, resize: resize("longest-edge", 100, 100), frame: tensor.Frame{SourceWidth: 1000, SourceHeight: 3, Width: 100, Height: 1, ScaleX: 0.1, ScaleY: 1. / 3}},
		"longest-edge padded":   {w: 200, h: 100, resize: padded("longest-edge", 100, 7), frame: tensor.Frame{SourceWidth: 200, SourceHeight: 100, Width: 100, Height: 100, ScaleX: 0.5, ScaleY: 0.5}},
		"letterbox":             {w: 1280, h: 720, resize: resize("letterbox", 640, 640), frame: tensor.Frame{SourceWidth: 1280, SourceHeight: 720, Width: 640, Height: 640, ScaleX: 0.5, ScaleY: 0.5, OffsetY: 140}},
		"letterbox enlarges":    {w: 10, h: 20, resize: resize("letterbox", 64, 64), frame: tensor.Frame{SourceWidth: 10, SourceHeight: 20, Width: 64, Height: 64, ScaleX: 3.2, ScaleY: 3.2, OffsetX: 16}},
		"letterbox odd":         {w: 100, h: 51, resize: resize("letterbox", 100, 100), frame: tensor.Frame{SourceWidth: 100, SourceHeight: 51, Width: 100, Height: 100, ScaleX: 1, ScaleY: 1, OffsetY: 24}},
		"letterbox thin":        {w: 1, h: 16384, resize: resize("letterbox", 64, 64), frame: tensor.Frame{SourceWidth: 1, SourceHeight: 16384, Width: 64, Height: 64, ScaleX: 64. / 16384, ScaleY: 64. / 16384, OffsetX: 31}},
		"crop gap 3":            {w: 103, h: 101, resize: task.Resize{Mode: "none"}, crop: crop(100, 100, ""), frame: tensor.Frame{SourceWidth: 103, SourceHeight: 101, Width: 100, Height: 100, ScaleX: 1, ScaleY: 1, OffsetX: -2}},
		"crop gap 3 floor":      {w: 103, h: 101, resize: task.Resize{Mode: "none"}, crop: crop(100, 100, "floor"), frame: tensor.Frame{SourceWidth: 103, SourceHeight: 101, Width: 100, Height: 100, ScaleX: 1, ScaleY: 1, OffsetX: -1}},
		"crop of a small":       {w: 97, h: 99, resize: task.Resize{Mode: "none"}, crop: crop(100, 100, ""), frame: tensor.Frame{SourceWidth: 97, SourceHeight: 99, Width: 100, Height: 100, ScaleX: 1, ScaleY: 1, OffsetX: 1}},
		"crop of a small floor": {w: 97, h: 99, resize: task.Resize{Mode: "none"}, crop: crop(100, 100, "floor"), frame: tensor.Frame{SourceWidth: 97, SourceHeight: 99, Width: 100, Height: 100, ScaleX: 1, ScaleY: 1, OffsetX: 2, OffsetY: 1}},
		"none":                  {w: 5, h: 7, resize: task.Resize{Mode: "none"}, frame: tensor.Frame{SourceWidth: 5, SourceHeight: 7, Width: 5, Height: 7, ScaleX: 1, ScaleY: 1}},
		"none of a fixed size":  {w: 5, h: 7, resize: resize("none", 7, 6), refused: "takes 6 x 7"},
	} {
		for _, resample := range []string{"pil-bilinear", "cv2-linear"} {
			c.resize.Resample = resample
			_, frame, err := draw(t, c.w, c.h, &task.Preprocess{Resize: c.resize, Crop: c.crop})
			if c.refused != "" {
				wantFault(t, name, err, fault.Invalid, "invalid_image", c.refused)
			} else if err != nil || frame != c.frame {
				t.Errorf("%s %s: %+v, %v; want %+v", name, resample, frame, err, c.frame)
			}
		}
	}
}

func resize(mode string, height, width int) task.Resize {
	return task.Resize{Mode: mode, Size: task.Size{Height: height, Width: width}}
}

func padded(mode string, edge, pad int) task.Resize {
	return task.Resize{Mode: mode, Size: task.Size{Height: edge, Width: edge}, Pad: &pad}
}

func crop(height, width int, round string) *task.Crop {
	return &task.Crop{Size: task.Size{Height: height, Width: width}, Round: round}
}

func draw(t interface{ Fatal(...any) }, width, height int, p *task.Preprocess) (tensor.Tensor, tensor.Frame, error) {
	spec := &task.Spec{Input: task.Input{Name: "input", Layout: "NHWC"}, Preprocess: p}
	pre, err := preprocess.New(spec, drawn{width, height}, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, frame, _, err := pre.Image(context.Background(), plainPNG(uint32(width), uint32(height)), preprocess.Header{Format: preprocess.PNG, Width: width, Height: height, Orientation: 1})
	return out, frame, err
}

// The corners of the picture are the corners of what is not border in the tensor: found by looking at the pixels, whose third channel
// is 200 in the picture and something else in any border.
func TestFrameMapsCornersToCorners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 300).Draw(t, "width"), rapid.IntRange(1, 300).Draw(t, "height")
		mode := rapid.SampledFrom([]string{"stretch", "shortest-edge", "longest-edge", "longest-edge padded", "letterbox", "none"}).Draw(t, "mode")
		p := &task.Preprocess{Resize: resize(mode, 20, rapid.IntRange(1, 120).Draw(t, "to width"))}
		p.Resize.Resample = rapid.SampledFrom([]string{"pil-nearest", "pil-bilinear", "cv2-linear"}).Draw(t, "resample")
		switch mode {
		case "shortest-edge", "longest-edge":
			p.Resize.Size.Height = p.Resize.Size.Width
		case "longest-edge padded":
			p.Resize = padded("longest-edge", p.Resize.Size.Width, 9)
		case "none":
			p.Resize.Size = task.Size{}
		}
		if mode != "letterbox" && mode != "longest-edge padded" && rapid.Bool().Draw(t, "crop") {
			p.Crop = crop(rapid.IntRange(1, 100).Draw(t, "crop height"), rapid.IntRange(1, 100).Draw(t, "crop width"), rapid.SampledFrom([]string{"", "even", "floor"}).Draw(t, "round"))
		}
		out, f, err := draw(t, width, height, p)
		if err != nil {
			t.Fatal(err)
		}
		if out.Shape[1] != int64(f.Height) || out.Shape[2] != int64(f.Width) || f.SourceWidth != width || f.SourceHeight != height {
			t.Fatalf("shape %v, frame %+v", out.Shape, f)
		}
		// where the picture has to be, from the frame; both are whole pixels
		left, top := f.OffsetX, f.OffsetY
		right, bottom := float64(width)*f.ScaleX+f.OffsetX, float64(height)*f.ScaleY+f.OffsetY
		within := 1e-9           // source pixels by which the lower right corner may lead back to another place
		if mode == "letterbox" { // the frame has the ratio before the size was rounded to whole pixels
			if f.ScaleX != f.ScaleY {
				t.Fatalf("two ratios: %+v", f)
			}
			right = left + max(1, math.RoundToEven(float64(width)*f.ScaleX))
			bottom = top + max(1, math.RoundToEven(float64(height)*f.ScaleY))
			within = 1 / f.ScaleX
		}
		for y := range f.Height {
			for x := range f.Width {
				inside := float64(x)+0.5 > left && float64(x)+0.5 < right && float64(y)+0.5 > top && float64(y)+0.5 < bottom
				blue := math.Float32frombits(binary.LittleEndian.Uint32(out.Data[4*(3*(y*f.Width+x)+2):]))
				if inside != (blue == 200) {
					t.Fatalf("pixel %d, %d is %g; the frame %+v says inside is %v", x, y, blue, f, inside)
				}
			}
		}
		for _, v := range []float64{left, top, right, bottom} {
			if math.Abs(v-math.Round(v)) > 1e-9 {
				t.Fatalf("the picture's edge is at %g", v)
			}
		}
		if x, y := f.ToSource(right, bottom); math.Abs(x-float64(width)) > within || math.Abs(y-float64(height)) > within {
			t.Fatalf("the lower right corner leads back to %g, %g", x, y)
		}
	})
}
