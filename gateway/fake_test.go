package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRunner answers without a model: the document names the digest and size of what it got. It remembers answers by content and options.
type fakeRunner struct {
	mu       sync.Mutex
	requests []pipeline.Request // in the order of the calls; bodies are replaced by copies
	stored   map[string]bool
	seen     map[string]bool                                                          // content, without the options
	before   func(ctx context.Context, r *pipeline.Request) (handled bool, err error) // may be nil
	refuse   func(ctx context.Context, model string, body int64) error                // may be nil
	full     error                                                                    // of the decoders
	admitted atomic.Int64                                                             // calls that were let in and have not been released
}

func (f *fakeRunner) Admit(ctx context.Context, model, _ string, body int64) (func(), error) {
	if f.refuse != nil {
		if err := f.refuse(ctx, model, body); err != nil {
			return nil, err
		}
	}
	f.admitted.Add(1)
	return func() { f.admitted.Add(-1) }, nil
}

func (f *fakeRunner) Decodable(context.Context) error { return f.full }

// fakeProtocol answers every path with itself.
type fakeProtocol struct{}

func (fakeProtocol) HTTP(admin bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s admin=%v", r.Method, r.URL, admin) })
}
func (p fakeProtocol) GRPCHandler(admin bool) http.Handler { return p.HTTP(admin) }
func (fakeProtocol) ServeGRPC(net.Listener, bool) error    { return nil }

func content(r *pipeline.Request) []byte {
	switch {
	case r.Item.Image != nil:
		return r.Item.Image.Bytes
	case r.Item.Row != nil:
		data, _ := json.Marshal(r.Item.Row)
		return data
	}
	data, _ := json.Marshal(r.Item.Tensors)
	return data
}

func (f *fakeRunner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	if f.before != nil {
		if handled, err := f.before(ctx, r); handled || err != nil {
			return nil, err
		}
	}
	data := bytes.Clone(content(r))
	sum := sha256.Sum256(data)
	options, _ := json.Marshal(r.Options)
	key := r.Model + r.Version + hex.EncodeToString(sum[:]) + string(options)
	tensors := r.Model + r.Version + hex.EncodeToString(sum[:])
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := *r
	if r.Item.Image != nil {
		kept.Item.Image = pipeline.NewBody(data, nil)
	}
	f.requests = append(f.requests, kept)
	version := r.Version
	if version == "" {
		version = "2"
	}
	reason := "requested"
	if r.Version == "" {
		reason = "policy"
	}
	a := &pipeline.Answer{Reason: reason, ID: "01COMPUTED", Model: r.Model, Version: version, Task: "image-classification", TTL: time.Hour, ETag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}
	a.Body = fmt.Appendf(nil, `{"id":"01COMPUTED","model":%q,"version":%q,"task":"image-classification","image":{"width":64,"height":48},"predictions":[{"label":"circle","index":0,"score":0.981}],"bytes":%d,"sum":"%x","from_cache":`, r.Model, version, len(data), sum)
	switch {
	case r.Cache == cache.Default && f.stored[key]:
		a.FromCache, a.Cache = true, cache.Outcome{Hit: true, Detail: "memory"}
	case r.Cache == cache.Default && f.seen[tensors]:
		a.FromCache, a.Tensor, a.Cache = true, true, cache.Outcome{Stored: true}
		a.Timings = []pipeline.Timing{{Stage: "postprocess", Duration: 20 * time.Microsecond}}
	default:
		a.Cache.Stored = r.Cache != cache.NoStore
		a.Timings = []pipeline.Timing{{Stage: "decode", Duration: 1500 * time.Microsecond}, {Stage: "infer", Duration: 2 * time.Millisecond}}
	}
	if r.Cache != cache.NoStore {
		f.stored[key], f.seen[tensors] = true, true
	}
	return a, nil
}

func (f *fakeRunner) Cached(_ context.Context, r *pipeline.Request, digest [32]byte) (*pipeline.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[r.Model+r.Version+hex.EncodeToString(digest[:])] {
		return &pipeline.Answer{Body: []byte(`{"from_cache":`), FromCache: true, Cache: cache.Outcome{Hit: true, Detail: "memory"}, Model: r.Model, Version: "2", ETag: `W/"abc"`}, nil
	}
	return nil, fault.New(fault.NotFound, "result_not_cached", "nothing stored")
}

// last gives the latest request.
func (f *fakeRunner) last() pipeline.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

func (f *fakeRunner) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// fakeModels is a small catalog.
type fakeModels struct {
	models []*modelInfo
	err    error
}

func (f *fakeModels) Lookup(name string) (*modelInfo, error) {
	for _, m := range f.models {
		if m.Name == name && m.Error == "" {
			return m, nil
		} else if m.Name == name {
			return nil, fault.New(fault.Unavailable, "backend_unavailable", "model %q cannot be served: %s", name, m.Error)
		}
	}
	return nil, fault.New(fault.NotFound, "model_not_found", "no model %q", name)
}
func (f *fakeModels) List() []*modelInfo { return f.models }
func (f *fakeModels) Err() error         { return f.err }
func (f *fakeModels) Sample(_, file string) ([]byte, error) {
	return picture(len(file)), nil
}

// picture draws a PNG of 64x48 that differs by n.
func picture(n int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range 64 * 48 {
		img.Set(i%64, i/64, color.RGBA{uint8(3 * i), uint8(n), uint8(i / 64 * 5), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func resolver(versions ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if v == "" {
			return versions[len(versions)-1], nil
		}
		for _, known := range versions {
			if known == v {
				return v, nil
			}
		}
		return "", fault.New(fault.NotFound, "version_not_found", "no version %q", v)
	}
}

func demoModels() *fakeModels {
	confidence, iou := 0.25, 0.45
	shapes := []string{"circle", "square", "triangle", "star", "cross"}
	images := func(name string, o task.Output, kind task.Name) *modelInfo {
		return &modelInfo{
			Name: name, Source: "task.yaml", Labels: shapes, Resolve: resolver("1", "2"), Samples: []string{"circle.png", "star.png"},
			Versions: []versionView{{"1", "READY", ""}, {"2", "READY", ""}},
			Config: &modelconfig.Config{Name: name, MaxBatchSize: 8, Inputs: []modelconfig.IO{{Name: "input", DType: tensor.FP32, Dims: []int64{3, 64, 64}}},
				Outputs: []modelconfig.IO{{Name: "logits", DType: tensor.FP32, Dims: []int64{5}}}},
			Spec: &task.Spec{Task: kind, Input: task.Input{Name: "input", Layout: "NCHW", DType: "FP32", Color: "RGB"}, Output: o,
				Preprocess: &task.Preprocess{Decode: "exact", Exif: "apply", Scale: task.Scale(1 / 255.), Mean: task.Numbers{.485, .456, .406}, Std: task.Numbers{.229, .224, .225},
					Resize: task.Resize{Mode: "shortest-edge", Size: task.Size{Height: 72, Width: 72}, Resample: "pil-bilinear"}, Crop: &task.Crop{Size: task.Size{Height: 64, Width: 64}}}},
		}
	}
	columns := []string{"sepal_length", "sepal_width", "petal_length", "petal_width"}
	return &fakeModels{models: []*modelInfo{
		{Name: "broken", Error: "config.pbtxt:3: unknown field", Versions: []versionView{{"1", "UNAVAILABLE", "no config"}}},
		{Name: "iris", Source: "task.yaml", Labels: []string{"setosa", "versicolor", "virginica"}, Resolve: resolver("1"), Versions: []versionView{{"1", "READY", ""}},
			Config: &modelconfig.Config{Name: "iris", Inputs: []modelconfig.IO{{Name: "input", DType: tensor.FP32, Dims: []int64{4}}}},
			Spec:   &task.Spec{Task: task.TabularClassification, Input: task.Input{Name: "input", DType: "FP32", Columns: columns, Ranges: map[string]task.Range{"*": {0, 20}}}, Output: task.Output{TopK: 3}}},
		{Name: "plain", Source: "config.pbtxt", Resolve: resolver("1"), Versions: []versionView{{"1", "READY", ""}}, Warnings: []string{"no task.yaml: served as raw"},
			Config: &modelconfig.Config{Name: "plain", Inputs: []modelconfig.IO{{Name: "x", DType: tensor.FP32, Dims: []int64{2}}}}, Spec: &task.Spec{Task: task.Raw}},
		images("shapes", task.Output{Name: "logits", Activation: "softmax", TopK: 5}, task.ImageClassification),
		images("shapes-detector", task.Output{Name: "output0", Head: "yolov8", Confidence: &confidence, IoU: &iou, MaxDetections: 300}, task.ObjectDetection),
	}}
}

type fakeAdmin struct{ purged, reloads []string }

func (f *fakeAdmin) Purge(_ context.Context, model string) error {
	f.purged = append(f.purged, model)
	return nil
}
func (f *fakeAdmin) Reload(context.Context) error {
	f.reloads = append(f.reloads, "now")
	return nil
}

// rig is a server with fakes behind it.
type rig struct {
	*server
	runner *fakeRunner
	models *fakeModels
	admin  *fakeAdmin
	budget *limit.Bytes
	log    *bytes.Buffer
	http   http.Handler
}

const (
	testBodyLimit = 1 << 20
	testItems     = 8
)

func newRig(t testing.TB, edit ...func(*serverDeps)) *rig {
	t.Helper()
	r := &rig{runner: &fakeRunner{stored: map[string]bool{}, seen: map[string]bool{}}, models: demoModels(), admin: &fakeAdmin{}, budget: limit.NewBytes(8 << 20), log: &bytes.Buffer{}}
	build := buildInfo{Version: "1.2.3", Commit: "abc", Backend: "embedded"}
	d := serverDeps{
		Runner: r.runner, Models: r.models, Admin: r.admin, KServe: fakeProtocol{}, Jobs: newJobSide(nil, jobsOff(), &Config{Roles: Roles{API: true}}, nil), Bytes: r.budget, Metrics: newMetrics(build), Build: build,
		Limits: httpLimits{Body: testBodyLimit, Items: testItems, Timeout: time.Minute}, Log: slog.New(slog.NewJSONHandler(r.log, nil)), Now: time.Now,
	}
	for _, e := range edit {
		e(&d)
	}
	r.server = newServer(d)
	r.http = r.handler()
	return r
}

// do sends one request and gives the response with its body read.
func (r *rig) do(t testing.TB, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, req)
	res := w.Result()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(data)
}

// makeForm makes a multipart body of pairs; a name that starts with @ is a file.
func makeForm(pairs ...string) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, file := strings.CutPrefix(pairs[i], "@")
		var part io.Writer
		if file {
			part, _ = w.CreateFormFile(name, "x.png")
		} else {
			part, _ = w.CreateFormField(name)
		}
		_, _ = io.WriteString(part, pairs[i+1])
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

func decode[T any](t testing.TB, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// quietLog drops everything below errors.
func quietLog() *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
}
