package preprocess_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// asIs is an engine whose pictures are the given pixels, whatever the bytes say.
type asIs struct{ preprocess.Pixels }

func (a asIs) Decode(context.Context, []byte, preprocess.Header, preprocess.DecodeOptions) (preprocess.Pixels, error) {
	return a.Pixels, nil
}

func (a asIs) Resize(context.Context, preprocess.Pixels, int, int, string) (preprocess.Pixels, error) {
	panic("nothing is resized here")
}

// everyLevel is a picture of 16 x 16 with all pixel values in each channel, in another order in each.
func everyLevel(channels int) preprocess.Pixels {
	px := preprocess.Pixels{Width: 16, Height: 16, Channels: channels}
	for i := range 256 {
		for c := range channels {
			px.Data = append(px.Data, byte(i+c*85))
		}
	}
	return px
}

func TestPixelsAreWhatTheTensorWasMadeOf(t *testing.T) {
	norm := task.Preprocess{Scale: 1 / 255., Mean: task.Numbers{.485, .456, .406}, Std: task.Numbers{.229, .224, .225}}
	centred := task.Preprocess{Scale: 1 / 127.5, Mean: task.Numbers{1}}
	flipped := task.Preprocess{Std: task.Numbers{-2}, Mean: task.Numbers{100}}
	for _, c := range []struct {
		layout, dtype, color string
		p                    task.Preprocess
	}{
		{"NCHW", "FP32", "RGB", norm}, {"NHWC", "FP32", "RGB", norm}, {"CHW", "FP16", "RGB", norm}, {"HWC", "FP16", "BGR", norm},
		{"NCHW", "FP32", "BGR", norm}, {"NHWC", "FP32", "BGR", centred}, {"NCHW", "UINT8", "BGR", task.Preprocess{}},
		{"NHWC", "UINT8", "RGB", task.Preprocess{}}, {"NCHW", "FP32", "GRAY", task.Preprocess{Scale: 16 / 255.}}, {"HWC", "FP16", "GRAY", centred},
		{"NCHW", "FP32", "RGB", flipped},
	} {
		name := c.layout + " " + c.dtype + " " + c.color
		want := everyLevel(3)
		source := want
		if c.color == "GRAY" {
			want = everyLevel(1)
			source.Data = nil
			for _, v := range want.Data {
				source.Data = append(source.Data, v, v, v)
			}
		}
		p := c.p
		p.Resize.Mode = "none"
		pre, err := preprocess.New(&task.Spec{Input: task.Input{Name: "input", Layout: c.layout, DType: c.dtype, Color: c.color}, Preprocess: &p}, asIs{source}, preprocess.Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		data := plainPNG(16, 16)
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		made, _, _, err := pre.Image(t.Context(), data, h)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := pre.Pixels(&made)
		if err != nil || got.Width != 16 || got.Height != 16 || got.Channels != want.Channels || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: %v, %d x %d x %d, other pixels than went in", name, err, got.Width, got.Height, got.Channels)
		}
	}
}

// The pixels that Pillow, torchvision and OpenCV make come back out of every golden tensor: padding, crops and colours included.
func TestPixelsOfGoldenTensors(t *testing.T) {
	cases, pictures := goldens(t)
	if !opencv.Available {
		t.Skip("built without OpenCV: pictures cannot be decoded")
	}
	engine := opencv.New(1)
	exact := 0
	for _, c := range cases {
		data := golden(t, "in", c.Input)
		pre, err := preprocess.New(c.Spec.task(), engine, preprocess.Limits{})
		if err != nil {
			t.Fatal(c.Name, err)
		}
		made := runImage(t, engine, c.Spec.task(), data)
		got, err := pre.Pixels(&made)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		want := pictures[c.Pixels]
		if len(got.Data) != len(want) {
			t.Errorf("%s: %d bytes of pixels, want %d", c.Name, len(got.Data), len(want))
			continue
		}
		mean, most := difference(got.Data, want)
		if c.Lossless && most != 0 || mean > lossyMean || most > lossyMax {
			t.Errorf("%s: pixels differ: mean %.3f, most %d of 255", c.Name, mean, most)
		}
		if most == 0 {
			exact++
		}
	}
	if exact < 40 {
		t.Errorf("only %d of %d are exact", exact, len(cases))
	}
}

func TestPixelsOfWhatIsNoPicture(t *testing.T) {
	picture := &task.Spec{Input: task.Input{Name: "input", Layout: "NCHW", DType: "FP32", Color: "RGB"}, Preprocess: &task.Preprocess{Scale: 1 / 255.}}
	pre, err := preprocess.New(picture, asIs{}, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	good := tensor.Tensor{Name: "input", DType: tensor.FP32, Shape: []int64{1, 3, 2, 2}, Data: make([]byte, 48)}
	if got, err := pre.Pixels(&good); err != nil || !slices.Equal(got.Data, make([]byte, 12)) {
		t.Fatalf("zeros are a black picture: %v %v", got, err)
	}
	for name, change := range map[string]func(*tensor.Tensor){
		"another type":   func(x *tensor.Tensor) { x.DType, x.Data = tensor.FP16, make([]byte, 24) },
		"one channel":    func(x *tensor.Tensor) { x.Shape, x.Data = []int64{1, 1, 2, 2}, make([]byte, 16) },
		"two pictures":   func(x *tensor.Tensor) { x.Shape, x.Data = []int64{2, 3, 2, 2}, make([]byte, 96) },
		"no batch":       func(x *tensor.Tensor) { x.Shape = []int64{3, 2, 2} },
		"a scalar":       func(x *tensor.Tensor) { x.Shape, x.Data = nil, make([]byte, 4) },
		"too few bytes":  func(x *tensor.Tensor) { x.Data = x.Data[:44] },
		"a strange size": func(x *tensor.Tensor) { x.Shape = []int64{1, 3, -2, -2} },
		"no pixel":       func(x *tensor.Tensor) { x.Data = bytes.Repeat([]byte{1}, 48) },
	} {
		bad := good
		bad.Data = slices.Clone(good.Data)
		change(&bad)
		if _, err := pre.Pixels(&bad); err == nil || !strings.HasPrefix(err.Error(), "preprocess: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	row, err := preprocess.New(&task.Spec{Input: task.Input{Name: "in", Columns: []string{"a"}}}, nil, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := row.Pixels(&good); err == nil {
		t.Error("a model of rows has no pixels")
	}
}
