package pipeline

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

func (r *rig) preview(ctx context.Context, model string, data []byte) (*Preview, error) {
	return r.Preview(ctx, &Request{Model: model, Item: Item{Image: NewBody(data, nil)}})
}

// faultIn gives the fault of an error, an empty one where there is none.
func faultIn(t *testing.T, err error) fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Errorf("no fault: %v", err)
		return fault.Error{}
	}
	return *f
}

func decodePNG(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPreviewIsTheTensorAsAPicture(t *testing.T) {
	r := newRig(t)
	data := picture(t, 7)
	got, err := r.preview(t.Context(), "pictures", data)
	if err != nil {
		t.Fatal(err)
	}
	if got.DType != "FP32" || got.Layout != "NCHW" || got.Color != "RGB" || len(got.Shape) != 4 || got.Shape[1] != 3 || got.Model != "pictures" || got.Version != "1" || got.Reason != "policy" {
		t.Errorf("%+v", got)
	}
	m := decodePNG(t, got.PNG)
	level := uint32(byte(crc32.ChecksumIEEE(data))) * 0x101
	for _, at := range []image.Point{{0, 0}, {1, 1}} {
		if r, g, b, a := m.At(at.X, at.Y).RGBA(); r != level || g != level || b != level || a != 0xffff {
			t.Errorf("%v is %x %x %x %x, want %x", at, r, g, b, a, level)
		}
	}
	if b := m.Bounds(); b.Dx() != 2 || b.Dy() != 2 {
		t.Errorf("%v", b)
	}
	var stages []string
	for _, timing := range got.Timings {
		if timing.Stage != "accept" { // told of where it took long
			stages = append(stages, timing.Stage)
		}
	}
	if len(stages) != 4 || stages[0] != "queue" || stages[1] != "decode" || stages[2] != "preprocess" || stages[3] != "encode" {
		t.Errorf("stages %v", stages)
	}
	if r.backend.calls.Load() != 0 || r.entered.Load() != 0 {
		t.Error("a preview has run the model, or asked the cache")
	}
}

func TestPreviewRefusesAsRunDoes(t *testing.T) {
	r := newRig(t)
	good := picture(t, 1)
	for name, c := range map[string]struct {
		model string
		data  []byte
		kind  fault.Kind
		code  string
	}{
		"unknown model":  {"nobody", good, fault.NotFound, "model_not_found"},
		"rows":           {"rows", good, fault.Invalid, "invalid_request"},
		"tensors":        {"tensors", good, fault.Invalid, "invalid_request"},
		"text":           {"pictures", []byte("hello, this is text"), fault.Unsupported, "unsupported_media_type"},
		"cut in header":  {"pictures", good[:20], fault.Invalid, "invalid_image"},
		"cut in pixels":  {"pictures", good[:len(good)-20], fault.Invalid, "invalid_image"},
		"nothing at all": {"pictures", nil, fault.Invalid, "invalid_image"},
	} {
		_, err := r.preview(t.Context(), c.model, c.data)
		_, same := r.Run(t.Context(), &Request{Model: c.model, Item: Item{Image: NewBody(c.data, nil)}})
		if err == nil || same == nil || err.Error() != same.Error() {
			t.Errorf("%s: preview says %v, infer %v", name, err, same)
		} else if f := faultIn(t, err); f.Kind != c.kind || f.Code != c.code {
			t.Errorf("%s: %v %s", name, f.Kind, f.Code)
		}
	}
	if _, err := r.Preview(t.Context(), &Request{Model: "pictures", Version: "9", Item: Item{Image: NewBody(good, nil)}}); faultIn(t, err).Code != "version_not_found" {
		t.Error(err)
	}
	for name, item := range map[string]Item{"row": {Row: &preprocess.Row{}}, "tensors": {Tensors: []tensor.Tensor{{}}}, "nothing": {}} {
		if _, err := r.Preview(t.Context(), &Request{Model: "pictures", Item: item}); faultIn(t, err).Code != "invalid_request" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPreviewHoldsASlotAndEndsWithItsCaller(t *testing.T) {
	r := newRig(t)
	full := limit.New(1, 0)
	release, _, err := full.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.CPU = full
	if _, err := r.preview(t.Context(), "pictures", picture(t, 1)); faultIn(t, err).Kind != fault.Busy {
		t.Errorf("with all slots taken: %v", err)
	}
	release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.preview(ctx, "pictures", picture(t, 1)); faultIn(t, err).Kind != fault.Canceled {
		t.Errorf("of a caller who has gone: %v", err)
	}
	if _, err := r.preview(t.Context(), "pictures", picture(t, 1)); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
	w := file{ctx: ctx}
	if n, err := w.Write([]byte("x")); n != 0 || err == nil {
		t.Error("drawing goes on for nobody")
	}
}

func TestPreviewOfGray(t *testing.T) {
	r := newRig(t)
	spec := completed(t, `
task: image-classification
input: {layout: NHWC, dtype: FP32, color: GRAY}
preprocess: {resize: {mode: stretch, resample: pil-nearest}, scale: 1/255}
output: {activation: none}
labels: [dark, bright, other]`, 3, 2, 1)
	r.models.models["gray"] = &catalog.Model{Name: "gray", Spec: spec, Labels: []string{"dark", "bright", "other"}, Versions: []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "e"}}}
	data := picture(t, 9)
	got, err := r.preview(t.Context(), "gray", data)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := decodePNG(t, got.PNG).(*image.Gray)
	if !ok || m.Rect.Dx() != 2 || m.Rect.Dy() != 3 || got.Layout != "NHWC" || got.Color != "GRAY" {
		t.Fatalf("%T %+v", m, got)
	}
	if level := byte(crc32.ChecksumIEEE(data)); m.Pix[0] != level || m.Pix[5] != level {
		t.Errorf("%v, want %d", m.Pix, level)
	}
}
