package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/payload"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/tensor"
)

// kept is a rig whose requests are kept; the function gives what was written, and ends it.
func kept(t *testing.T, edit func(*Payloads)) (*rig, *keeper, func() []map[string]any) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payload.jsonl")
	c := defaultPayloads()
	c.Sink, c.Sample, c.Redact = path, 1, []string{"petal_width", "person"}
	if edit != nil {
		edit(&c)
	}
	log, err := payload.New(c.log(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	k := &keeper{log: log, images: c.Images, most: int(c.Body), columns: func(string) []string { return []string{"sepal_length", "sepal_width", "petal_length", "petal_width"} }}
	r := newRig(t, func(d *serverDeps) { d.Runner = keptItems{d.Runner, k} })
	return r, k, func() (list []map[string]any) {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			list = append(list, decode[map[string]any](t, string(line)))
		}
		return list
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPayloadsOfREST: rows with what is to be hidden hidden, pictures by their digest, failures without an answer, and no header anywhere.
func TestPayloadsOfREST(t *testing.T) {
	r, _, written := kept(t, nil)
	secret := []string{"Authorization", "Bearer top-secret", "X-Request-Id", "call-1"}
	r.do(t, "POST", "/v1/models/iris/infer?top_k=2", typeJSON, `{"rows":[[5.1,3.5,1.4,0.2],{"sepal_length":5.10,"sepal_width":3,"petal_length":1,"petal_width":9}]}`, secret...)
	image := string(picture(1))
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", image, "X-Request-Id", "call-2")
	r.runner.before = func(context.Context, *pipeline.Request) (bool, error) { return true, errors.New("broken") }
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", image, "X-Request-Id", "call-3")
	got := map[string]string{}
	for _, e := range written() {
		kind := strings.TrimPrefix(e["type"].(string), "org.kubeflow.serving.inference.")
		key := e["id"].(string) + " " + kind + " " + e["outcome"].(string)
		got[key] = asJSON(t, e["data"])
		if e["inferenceservicename"] == "" || strings.Contains(asJSON(t, e), "top-secret") {
			t.Errorf("%v", e)
		}
	}
	sum := payload.DigestOf([]byte(image))
	seen := `{"image":{"bytes":` + asJSON(t, sum.Bytes) + `,"sha256":"` + sum.SHA256 + `"}}`
	for key, want := range map[string]string{
		"call-1.0 request done":   `{"row":{"petal_length":1.4,"petal_width":"[redacted]","sepal_length":5.1,"sepal_width":3.5},"top_k":2}`,
		"call-1.1 request done":   `{"row":{"petal_length":1,"petal_width":"[redacted]","sepal_length":5.1,"sepal_width":3},"top_k":2}`,
		"call-2 request done":     seen,
		"call-3 request internal": seen,
	} {
		if got[key] != want {
			t.Errorf("%s is %s, not %s", key, got[key], want)
		}
	}
	for _, key := range []string{"call-1.0 response done", "call-1.1 response done", "call-2 response done"} {
		if !strings.Contains(got[key], `"from_cache":`) {
			t.Errorf("%s is %s", key, got[key])
		}
	}
	if len(got) != 7 {
		t.Errorf("%d events: %v", len(got), got)
	}
}

// TestPayloadsOfPictures are kept where that is asked for, as long as they are small.
func TestPayloadsOfPictures(t *testing.T) {
	r, _, written := kept(t, func(p *Payloads) { p.Images, p.Body = true, 4096 })
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", "small")
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", strings.Repeat("x", 4000))
	list := written()
	if got := asJSON(t, list[0]["data"]); got != `{"image":{"base64":"c21hbGw="}}` {
		t.Errorf("%s", got)
	}
	if got := asJSON(t, list[2]["data"]); !strings.Contains(got, `"bytes":4000`) || strings.Contains(got, "base64") {
		t.Errorf("%s", got)
	}
}

func fp32(list ...float32) (data []byte) {
	for _, x := range list {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return data
}

// passing answers calls of KServe.
type passing struct {
	answer *pipeline.Passed
	err    error
}

func (p passing) Pass(context.Context, *backend.Request) (*pipeline.Passed, error) {
	return p.answer, p.err
}
func (p passing) Stream(context.Context, *backend.Request, func(*backend.Response) error) error {
	return p.err
}
func (p passing) Run(context.Context, *pipeline.Request) (*pipeline.Answer, error) {
	return &pipeline.Answer{Body: []byte(`{"from_cache":`), Version: "1"}, p.err
}
func (p passing) Admit(context.Context, string, string, int64) (func(), error) { return func() {}, nil }

// TestPayloadsOfKServe: tensors in the form of KServe, each call under an id of its own, with its tenant and the caller's id beside it.
func TestPayloadsOfKServe(t *testing.T) {
	_, k, written := kept(t, nil)
	numbers := tensor.Tensor{Name: "x", DType: tensor.FP32, Shape: []int64{1, 2}, Data: fp32(1.5, float32(math.NaN()))}
	names := tensor.Tensor{Name: "person", DType: tensor.Bytes, Shape: []int64{1}, Data: append([]byte{2, 0, 0, 0}, "me"...)}
	photo := tensor.Tensor{Name: "photo", DType: tensor.Bytes, Shape: []int64{1}, Data: append([]byte{2, 0, 0, 0}, 0xff, 0xd8)}
	large := tensor.Tensor{Name: "large", DType: tensor.Uint8, Shape: []int64{20000}, Data: make([]byte, 20000)}
	calls := keptCalls{passing{answer: &pipeline.Passed{Response: &backend.Response{Version: "3", Outputs: []tensor.Tensor{numbers}}}}, k}
	ctx := caller.With(t.Context(), &caller.Caller{ID: "web", Tenant: "a"})
	request := &backend.Request{Model: "m", ID: "1", Inputs: []tensor.Tensor{numbers, names, photo, large}}
	for range 2 {
		if _, err := calls.Pass(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := calls.Run(ctx, &pipeline.Request{Model: "m", Item: pipeline.Item{Image: pipeline.NewBody([]byte("p"), nil)}}); err != nil {
		t.Fatal(err)
	}
	if err := calls.Stream(ctx, request, nil); err != nil {
		t.Fatal(err)
	}
	list := written()
	if len(list) != 7 || list[0]["id"] != list[1]["id"] || list[0]["id"] == list[2]["id"] || list[0]["requestid"] != "1" || list[0]["tenant"] != "a" || list[1]["modelversion"] != "3" {
		t.Fatalf("%v", list)
	}
	photoSum, largeSum := payload.DigestOf(photo.Data), payload.DigestOf(large.Data)
	digest := func(d payload.Digest) string {
		return `"digest":{"bytes":` + asJSON(t, d.Bytes) + `,"sha256":"` + d.SHA256 + `"}`
	}
	want := `{"id":"1","inputs":[{"data":[1.5,null],"datatype":"FP32","name":"x","shape":[1,2]},{"data":"[redacted]","datatype":"BYTES","name":"person","shape":[1]},` +
		`{"datatype":"BYTES",` + digest(photoSum) + `,"name":"photo","shape":[1]},{"datatype":"UINT8",` + digest(largeSum) + `,"name":"large","shape":[20000]}]}`
	if got := asJSON(t, list[0]["data"]); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	if got := asJSON(t, list[1]["data"]); got != `{"id":"1","model_name":"m","model_version":"3","outputs":[{"data":[1.5,null],"datatype":"FP32","name":"x","shape":[1,2]}]}` {
		t.Errorf("%s", got)
	}
}

// TestValues of every datatype.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		d    tensor.DType
		data []byte
		want string
	}{
		{tensor.Bool, []byte{0, 1}, "[false,true]"}, {tensor.Uint8, []byte{255}, "[255]"}, {tensor.Int8, []byte{255}, "[-1]"},
		{tensor.Uint16, []byte{1, 1}, "[257]"}, {tensor.Int16, []byte{255, 255}, "[-1]"}, {tensor.Uint32, []byte{1, 0, 0, 1}, "[16777217]"}, {tensor.Int32, []byte{254, 255, 255, 255}, "[-2]"},
		{tensor.Uint64, []byte{255, 255, 255, 255, 255, 255, 255, 255}, "[18446744073709551615]"}, {tensor.Int64, []byte{255, 255, 255, 255, 255, 255, 255, 255}, "[-1]"},
		{tensor.FP32, fp32(0.1), "[0.1]"}, {tensor.FP64, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, "[null]"}, {tensor.FP16, []byte{0, 0}, ""}, {tensor.Bytes, nil, "[]"},
		{tensor.Bytes, []byte{9, 0, 0, 0, 'x'}, ""}, {tensor.Bytes, []byte{255, 255, 255, 255}, ""}, {tensor.FP32, nil, "[]"},
	} {
		if got := string(values(&tensor.Tensor{DType: c.d, Data: c.data})); got != c.want {
			t.Errorf("%s of %v is %s, not %s", c.d, c.data, got, c.want)
		}
	}
}

// TestPayloadsOff: nothing stands between a transport and what it runs.
func TestPayloadsOff(t *testing.T) {
	g := &Gateway{config: DefaultConfig()}
	if err := g.keepPayloads(nil); err != nil || g.closers != nil {
		t.Errorf("%v", err)
	}
	g.config.Payloads.Sink = "/dev/null/x"
	if err := g.keepPayloads(nil); err == nil || !strings.HasPrefix(err.Error(), "config: payload_log.sink: ") {
		t.Errorf("%v", err)
	}
}

func TestPayloadSettings(t *testing.T) {
	for in, want := range map[string]string{
		"{sample: 1.5}": "payload_log.sample: 1.5 is not", "{sample: .nan}": "payload_log.sample", "{mode: both}": "payload_log.mode", "{files: -1}": "payload_log.files: must not",
		"{queue_bytes: 1MiB, body: 1KiB, redact: [a], headers: {x: y}}": "",
	} {
		c := DefaultConfig()
		if err := c.decode([]byte("payload_log: " + in)); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		err := errors.Join(c.Payloads.check()...)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", in, err, want)
		}
	}
}
