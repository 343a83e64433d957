package preprocess_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
)

func TestNewRefusals(t *testing.T) {
	pad := 300
	for text, p := range map[string]*task.Preprocess{
		"resize.mode":                        {Resize: resize("squeeze", 5, 5)},
		"resize.resample":                    {Resize: task.Resize{Mode: "stretch", Size: task.Size{Height: 5, Width: 5}, Resample: "pil-cubic"}},
		"resize.size: missing":               {Resize: task.Resize{Mode: "letterbox"}},
		"shortest-edge takes one number":     {Resize: resize("shortest-edge", 5, 6)},
		"resize.size: 5 x 0":                 {Resize: resize("stretch", 5, 0)},
		"resize.size: 20000 x 5":             {Resize: resize("stretch", 20000, 5)},
		"resize.pad: 300":                    {Resize: task.Resize{Mode: "letterbox", Size: task.Size{Height: 5, Width: 5}, Pad: &pad}},
		"crop.size":                          {Resize: resize("stretch", 5, 5), Crop: crop(0, 5, "")},
		"crop.round":                         {Resize: resize("stretch", 5, 5), Crop: crop(5, 5, "up")},
		"crop: cannot be combined":           {Resize: resize("letterbox", 5, 5), Crop: crop(5, 5, "")},
		"preprocess.exif: \"maybe\"":         {Resize: resize("stretch", 5, 5), Exif: "maybe"},
		"preprocess.decode: \"quick\"":       {Resize: resize("stretch", 5, 5), Decode: "quick"},
		"pad: mode stretch does not pad":     {Resize: task.Resize{Mode: "stretch", Size: task.Size{Height: 5, Width: 5}, Pad: new(int)}},
		"preprocess.std: channel 0 is divid": {Resize: resize("stretch", 5, 5), Std: task.Numbers{0}},
	} {
		if _, err := preprocess.New(&task.Spec{Preprocess: p}, &tripwire{}, preprocess.Limits{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	if _, err := preprocess.New(stretchSpec("pil-box"), nil, preprocess.Limits{}); err == nil {
		t.Error("pictures without an engine are accepted")
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		p     task.Preprocess
		shape int64
	}{{task.Preprocess{Resize: task.Resize{Size: task.Size{Height: 4, Width: 4}}}, 4}, {task.Preprocess{}, 9}} {
		out, _, err := draw(t, 9, 9, &c.p)
		if err != nil || out.Shape[1] != c.shape || out.DType.String() != "FP32" {
			t.Errorf("%v %v, %v", out.DType, out.Shape, err)
		}
	}
}

func TestDigestNamesEverySetting(t *testing.T) {
	base := func() *task.Spec {
		return &task.Spec{Input: task.Input{Name: "x"}, Preprocess: &task.Preprocess{Resize: resize("stretch", 5, 5), Scale: 1, Mean: task.Numbers{0.5}}}
	}
	seen := map[[32]byte]string{}
	for name, change := range map[string]func(*task.Spec){
		"nothing":   func(*task.Spec) {},
		"name":      func(s *task.Spec) { s.Input.Name = "y" },
		"layout":    func(s *task.Spec) { s.Input.Layout = "NHWC" },
		"dtype":     func(s *task.Spec) { s.Input.DType = "FP16" },
		"color":     func(s *task.Spec) { s.Input.Color = "BGR" },
		"columns":   func(s *task.Spec) { s.Input.Columns = []string{"a", "b"} },
		"columns 2": func(s *task.Spec) { s.Input.Columns = []string{"a b"} },
		"ranges": func(s *task.Spec) {
			s.Input.Columns = []string{"a"}
			s.Input.Ranges = map[string]task.Range{"a": {0, 1}}
		},
		"ranges 2": func(s *task.Spec) {
			s.Input.Columns = []string{"a"}
			s.Input.Ranges = map[string]task.Range{"a": {0, 2}}
		},
		"decode":      func(s *task.Spec) { s.Preprocess.Decode = "fast" },
		"exif":        func(s *task.Spec) { s.Preprocess.Exif = "ignore" },
		"mode":        func(s *task.Spec) { s.Preprocess.Resize.Mode = "letterbox" },
		"size":        func(s *task.Spec) { s.Preprocess.Resize.Size.Width = 6 },
		"size turned": func(s *task.Spec) { s.Preprocess.Resize.Size = task.Size{Height: 6, Width: 5} },
		"resample":    func(s *task.Spec) { s.Preprocess.Resize.Resample = "pil-box" },
		"pad":         func(s *task.Spec) { s.Preprocess.Resize.Mode = "letterbox"; s.Preprocess.Resize.Pad = new(int) },
		"crop":        func(s *task.Spec) { s.Preprocess.Crop = crop(4, 4, "") },
		"crop floor":  func(s *task.Spec) { s.Preprocess.Crop = crop(4, 4, "floor") },
		"scale":       func(s *task.Spec) { s.Preprocess.Scale = 2 },
		"mean":        func(s *task.Spec) { s.Preprocess.Mean = task.Numbers{0.25} },
		"std":         func(s *task.Spec) { s.Preprocess.Std = task.Numbers{0.5} },
	} {
		spec := base()
		change(spec)
		var digests [2][32]byte
		for i := range digests {
			p, err := preprocess.New(spec, &tripwire{}, preprocess.Limits{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			digests[i] = p.Digest()
		}
		if digests[0] != digests[1] {
			t.Errorf("%s: two digests of one spec", name)
		}
		if other, ok := seen[digests[0]]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[digests[0]] = name
	}
}

func TestNoPicture(t *testing.T) {
	p, err := preprocess.New(&task.Spec{Input: task.Input{Columns: []string{"a"}}}, nil, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = p.Image(t.Context(), plainPNG(5, 5), preprocess.Header{Format: preprocess.PNG, Width: 5, Height: 5})
	wantFault(t, "no picture", err, fault.Invalid, "invalid_request", "row")
}

// Buffers are lent between requests: each one has to find its own pixels, whatever came before.
func TestImageIsSafeForConcurrentUse(t *testing.T) {
	spec := stretchSpec("pil-bilinear")
	var wait sync.WaitGroup
	p, err := preprocess.New(spec, byContent{}, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for level := range 8 {
		wait.Go(func() {
			for n := range 50 {
				side := 8 + n%5*level
				data := append(plainPNG(uint32(side), uint32(side)), byte(level))
				out, _, _, err := p.Image(context.Background(), data, preprocess.Header{Format: preprocess.PNG, Width: side, Height: side, Orientation: 1 + n%8})
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; i < len(out.Data); i += 4 {
					if out.Data[i+3] != one[level][3] || out.Data[i+2] != one[level][2] {
						t.Errorf("level %d: a pixel of someone else", level)
						return
					}
				}
			}
		})
	}
	wait.Wait()
}

// one holds the bytes of float32(level).
var one = [8][4]byte{{}, {0, 0, 0x80, 0x3f}, {0, 0, 0, 0x40}, {0, 0, 0x40, 0x40}, {0, 0, 0x80, 0x40}, {0, 0, 0xa0, 0x40}, {0, 0, 0xc0, 0x40}, {0, 0, 0xe0, 0x40}}

// byContent is an Engine whose pictures are of one level, the last byte of the data.
type byContent struct{ drawn }

func (byContent) Decode(_ context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) (preprocess.Pixels, error) {
	px := preprocess.Pixels{Width: h.Width, Height: h.Height, Channels: 3, Data: o.Into[:3*h.Width*h.Height]}
	for i := range px.Data {
		px.Data[i] = data[len(data)-1]
	}
	return px, nil
}
