package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// fakePreviewer answers with what it was asked for.
type fakePreviewer struct {
	last pipeline.Request
	data []byte
	err  error
}

func (f *fakePreviewer) Preview(_ context.Context, r *pipeline.Request) (*pipeline.Preview, error) {
	f.last, f.data = *r, bytes.Clone(content(r))
	if f.err != nil {
		return nil, f.err
	}
	return &pipeline.Preview{PNG: []byte("PNG"), DType: "FP32", Layout: "NCHW", Color: "BGR", Shape: []int64{1, 3, 64, 48}, Model: r.Model, Version: "2", Reason: "policy",
		Timings: []pipeline.Timing{{Stage: "decode", Duration: time.Millisecond}, {Stage: "encode", Duration: 2 * time.Millisecond}}}, nil
}

func previewRig(t *testing.T) (*rig, *fakePreviewer) {
	f := &fakePreviewer{}
	return newRig(t, func(d *serverDeps) { d.Preview = f }), f
}

func TestPreviewTakesWhatInferTakes(t *testing.T) {
	r, f := previewRig(t)
	pic := string(picture(1))
	kind, form := makeForm("@image", pic, "top_k", "2")
	b64 := base64.StdEncoding.EncodeToString([]byte(pic))
	for name, c := range map[string]struct{ path, kind, body, version string }{
		"bytes":        {"/v1/models/shapes/preview", "image/png", pic, ""},
		"form":         {"/v1/models/shapes/preview", kind, form, ""},
		"JSON":         {"/v1/models/shapes/preview", "application/json", `{"image":{"base64":"` + b64 + `"}}`, ""},
		"list of one":  {"/v1/models/shapes/preview", "application/json", `{"images":[{"base64":"` + b64 + `"}]}`, ""},
		"version":      {"/v1/models/shapes/versions/1/preview", "image/png", pic, "1"},
		"as an option": {"/v1/models/shapes/preview?version=1&confidence=0.5", "image/png", pic, "1"},
	} {
		res, body := r.do(t, "POST", c.path, c.kind, c.body)
		if res.StatusCode != 200 || body != "PNG" || string(f.data) != pic || f.last.Version != c.version || f.last.ID == "" {
			t.Errorf("%s: %d %s, version %q", name, res.StatusCode, body, f.last.Version)
		}
		for header, want := range map[string]string{"Content-Type": "image/png", "Content-Length": "3", "X-Tensor": "FP32; layout=NCHW; color=BGR; shape=1x3x64x48",
			"X-Model-Version": "2", "X-Route": "shapes/2; reason=policy", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if timing := res.Header.Get("Server-Timing"); !strings.HasPrefix(timing, "decode;dur=1.000, encode;dur=2.000, total;dur=") {
			t.Errorf("%s: Server-Timing %q", name, timing)
		}
	}
	if r.runner.count() != 0 || r.runner.admitted.Load() != 0 {
		t.Error("the model ran, or a call is still counted")
	}
}

func TestPreviewRefuses(t *testing.T) {
	r, f := previewRig(t)
	pic := string(picture(1))
	kind, two := makeForm("@image", pic, "@image", pic)
	const shapes = "/v1/models/shapes/preview"
	checkProblem(t, r, "rows", 422, "no_preview", "path.model", "POST", "/v1/models/iris/preview", "image/png", pic)
	checkProblem(t, r, "tensors", 422, "no_preview", "path.model", "POST", "/v1/models/plain/preview", "application/json", tensorCall)
	checkProblem(t, r, "unknown", 404, "model_not_found", "", "POST", "/v1/models/nobody/preview", "image/png", pic)
	checkProblem(t, r, "broken", 503, "backend_unavailable", "", "POST", "/v1/models/broken/preview", "image/png", pic)
	checkProblem(t, r, "two", 400, "invalid_request", "body", "POST", shapes, kind, two)
	checkProblem(t, r, "no type", 415, "unsupported_media_type", "header.Content-Type", "POST", shapes, "", pic)
	checkProblem(t, r, "empty", 400, "invalid_request", "body", "POST", shapes, "image/png", "")
	checkProblem(t, r, "large", 413, "body_too_large", "body", "POST", shapes, "image/png", strings.Repeat("x", testBodyLimit+1))
	checkProblem(t, r, "option", 400, "invalid_request", "query.topk", "POST", shapes+"?topk=1", "image/png", pic)
	checkProblem(t, r, "base64", 400, "invalid_request", "body.image.base64", "POST", shapes, "application/json", `{"image":{"base64":"?"}}`)
	checkProblem(t, r, "two versions", 400, "invalid_request", "", "POST", "/v1/models/shapes/versions/1/preview?version=2", "image/png", pic)
	checkProblem(t, r, "by GET", 405, "method_not_allowed", "", "GET", shapes, "", "")
	f.err = fault.New(fault.Invalid, "invalid_image", "cut").At("", "cut")
	checkProblem(t, r, "cut", 422, "invalid_image", "body", "POST", shapes, "image/png", pic)
	r.runner.refuse = func(context.Context, string, int64) error { return fault.New(fault.Busy, "queue_full", "full") }
	checkProblem(t, r, "full", 429, "queue_full", "", "POST", shapes, "image/png", pic)
	if r.runner.admitted.Load() != 0 {
		t.Error("a call that was refused is still counted")
	}
}

// drawn is a picture of 4 x 2 whose pixels all differ.
func drawn() (*image.NRGBA, []byte) {
	m := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	for i, c := range []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}, {1, 2, 3, 255}, {250, 128, 7, 255}, {0, 0, 0, 255}, {9, 99, 199, 255}} {
		m.SetNRGBA(i%4, i/4, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return m, b.Bytes()
}

// The values here are worked out by hand.
func TestPreviewOfEachKindOfPreprocessing(t *testing.T) {
	if !opencv.Available {
		t.Skip("built without OpenCV: pictures cannot be decoded")
	}
	fake := tritontest.New(t)
	norm := ", scale: 1/255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
	models := []struct {
		name, input, preprocess, tensor string
		dtype                           tritonpb.DataType
		dims                            []int64
		want                            func(x, y int) color.Color // nil: the picture as it is
		width, height                   int
	}{
		{name: "exact", input: "{layout: NCHW, color: RGB}", preprocess: "{resize: {mode: stretch, size: [2, 4]}" + norm,
			tensor: "FP32; layout=NCHW; color=RGB; shape=1x3x2x4", dtype: tritonpb.DataType_TYPE_FP32, dims: []int64{3, 2, 4}, width: 4, height: 2},
		{name: "turned-colours", input: "{layout: NHWC, color: BGR}", preprocess: "{resize: {mode: stretch, size: [2, 4]}" + norm,
			tensor: "FP16; layout=NHWC; color=BGR; shape=1x2x4x3", dtype: tritonpb.DataType_TYPE_FP16, dims: []int64{2, 4, 3}, width: 4, height: 2},
		{name: "boxed", input: "{layout: NCHW, color: RGB}", preprocess: "{resize: {mode: letterbox, size: [4, 4]}, scale: 1/255}",
			tensor: "FP32; layout=NCHW; color=RGB; shape=1x3x4x4", dtype: tritonpb.DataType_TYPE_FP32, dims: []int64{3, 4, 4}, width: 4, height: 4,
			want: func(x, y int) color.Color { // one line of gray above and below
				if m, _ := drawn(); y == 1 || y == 2 {
					return m.At(x, y-1)
				}
				return color.NRGBA{114, 114, 114, 255}
			}},
		{name: "gray", input: "{layout: NCHW, color: GRAY}", preprocess: "{resize: {mode: stretch, size: [2, 4]}, scale: 16/255}",
			tensor: "FP32; layout=NCHW; color=GRAY; shape=1x1x2x4", dtype: tritonpb.DataType_TYPE_FP32, dims: []int64{1, 2, 4}, width: 4, height: 2,
			want: func(x, y int) color.Color { // (R*19595 + G*38470 + B*7471 + 32768) / 65536, as Pillow's convert("L")
				return color.Gray{[8]byte{76, 150, 29, 255, 2, 151, 0, 83}[4*y+x]}
			}},
		{name: "cut", input: "{layout: NCHW, color: RGB}", preprocess: "{resize: {mode: none}, crop: {size: [2, 2]}}",
			tensor: "UINT8; layout=NCHW; color=RGB; shape=1x3x2x2", dtype: tritonpb.DataType_TYPE_UINT8, dims: []int64{3, 2, 2}, width: 2, height: 2,
			want: func(x, y int) color.Color { m, _ := drawn(); return m.At(x+1, y) }},
	}
	for _, m := range models {
		fake.Model(m.name, func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
			t.Error("the model ran")
			return nil, io.EOF
		}, tritontest.Config(&tritonpb.ModelConfig{Name: m.name, Backend: "fake", MaxBatchSize: 8,
			Input:      []*tritonpb.ModelInput{{Name: "x", DataType: m.dtype, Dims: m.dims}},
			Output:     []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}},
			Parameters: map[string]*tritonpb.ModelParameter{"task": {StringValue: "{task: image-classification, input: " + m.input + ", preprocess: " + m.preprocess + ", labels: [a, b]}"}}}))
	}
	g := serveBefore(t, fake)
	_, file := drawn()
	for _, m := range models {
		res, err := http.Post("http://"+g.Addr()+"/v1/models/"+m.name+"/preview", "image/png", bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("X-Tensor") != m.tensor {
			t.Errorf("%s: %d %q %s", m.name, res.StatusCode, res.Header.Get("X-Tensor"), body[:min(len(body), 300)])
			continue
		}
		got, err := png.Decode(bytes.NewReader(body))
		if err != nil || got.Bounds() != image.Rect(0, 0, m.width, m.height) {
			t.Errorf("%s: %v %v", m.name, err, got)
			continue
		}
		for i := range m.width * m.height {
			x, y := i%m.width, i/m.width
			want, _ := drawn()
			pixel := want.At(x, y)
			if m.want != nil {
				pixel = m.want(x, y)
			}
			if a, b := color.NRGBAModel.Convert(got.At(x, y)), color.NRGBAModel.Convert(pixel); a != b {
				t.Errorf("%s: pixel %d, %d is %v, want %v", m.name, x, y, a, b)
			}
		}
	}
}

func TestPreviewIsCutOffWithItsCaller(t *testing.T) {
	r, f := previewRig(t)
	f.err = context.Canceled
	req := httptest.NewRequest("POST", "/v1/models/shapes/preview", bytes.NewReader(picture(1)))
	req.Header.Set("Content-Type", "image/png")
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, req)
	if w.Code != statusClientClosed || strings.Contains(w.Header().Get("Content-Type"), "png") || w.Header().Get("X-Tensor") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
