package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/modelconfig"
	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeModels is a catalog of one model of each kind whose epoch the test sets.
type fakeModels struct {
	mu     sync.Mutex
	models map[string]*catalog.Model
	stale  atomic.Bool
}

func (f *fakeModels) Lookup(name string) (*catalog.Model, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m, ok := f.models[name]; ok {
		return m, nil
	}
	return nil, fault.New(fault.NotFound, "model_not_found", "there is no model %q", name)
}

func (f *fakeModels) Fresh() bool { return !f.stale.Load() }

// reload publishes a new snapshot with another epoch, as the catalog does.
func (f *fakeModels) reload(name, epoch string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *f.models[name]
	next.Versions = []catalog.Version{{Number: "1", State: backend.Ready, Epoch: epoch}}
	f.models[name] = &next
}

func pictureSpec(t *testing.T) *task.Spec {
	return completed(t, `
task: image-classification
input: {layout: NCHW, dtype: FP32, color: RGB}
preprocess: {resize: {mode: stretch, resample: pil-nearest}}
output: {activation: none}
labels: [dark, bright, other]`, 3, 2, 2)
}

func rowSpec(t *testing.T) *task.Spec {
	return completed(t, `
task: tabular-classification
input: {columns: [a, b]}
output: {activation: none}
labels: [dark, bright, other]`, 2)
}

func completed(t *testing.T, text string, dims ...int64) *task.Spec {
	t.Helper()
	spec, err := task.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	config := &modelconfig.Config{Name: "m", MaxBatchSize: 8,
		Inputs:  []modelconfig.IO{{Name: "in", DType: tensor.FP32, Dims: dims}},
		Outputs: []modelconfig.IO{{Name: "out", DType: tensor.FP32, Dims: []int64{3}}}}
	if _, err := spec.Complete(config); err != nil {
		t.Fatal(err)
	}
	return spec
}

// fakeBackend answers with the sum of the input as the first score. gate, where set, holds every call until it is closed.
type fakeBackend struct {
	calls atomic.Int64
	epoch atomic.Value // string; what Response.Epoch says
	gate  chan struct{}
	began chan struct{} // gets one value a call, where set
	fail  atomic.Pointer[fault.Error]
}

func (b *fakeBackend) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	b.calls.Add(1)
	if b.began != nil {
		b.began <- struct{}{}
	}
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return nil, fault.New(fault.Canceled, "client_closed", "gone").Wrap(ctx.Err())
		}
	}
	if f := b.fail.Load(); f != nil {
		return nil, f
	}
	var sum float32
	for data := r.Inputs[0].Data; len(data) > 0; data = data[4:] {
		sum += math.Float32frombits(binary.LittleEndian.Uint32(data))
	}
	out := tensor.Tensor{Name: "out", DType: tensor.FP32, Shape: []int64{1, 3}}
	for _, v := range []float32{sum, 0.5, 0.25} {
		out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(v))
	}
	epoch, _ := b.epoch.Load().(string)
	return &backend.Response{Version: r.Version, Epoch: epoch, Outputs: []tensor.Tensor{out}}, nil
}

func (b *fakeBackend) Index(context.Context) ([]backend.ModelStatus, error) { return nil, nil }
func (b *fakeBackend) Config(context.Context, string) (*modelconfig.Config, error) {
	return nil, nil
}
func (b *fakeBackend) Close() error { return nil }

// fakeEngine makes one-pixel pictures whose level is the checksum of the bytes it was given: a buffer that was used again too early shows.
type fakeEngine struct {
	decodes atomic.Int64
	gate    chan struct{} // where set, decoding waits for it, deaf to its context as native code is
	began   chan struct{}
}

func (e *fakeEngine) Decode(_ context.Context, data []byte, _ preprocess.Header, _ preprocess.DecodeOptions) (preprocess.Pixels, error) {
	e.decodes.Add(1)
	if e.began != nil {
		e.began <- struct{}{}
	}
	if e.gate != nil {
		<-e.gate
	}
	level := byte(crc32.ChecksumIEEE(data))
	return preprocess.Pixels{Width: 1, Height: 1, Channels: 3, Data: []byte{level, level, level}}, nil
}

func (e *fakeEngine) Resize(context.Context, preprocess.Pixels, int, int, string) (preprocess.Pixels, error) {
	panic("no cv2 resampler is asked for here")
}

// rig is a pipeline with fakes around it.
type rig struct {
	*Pipeline
	models  *fakeModels
	backend *fakeBackend
	engine  *fakeEngine
	entered *atomic.Int64 // calls that have gone into the cache for a result
}

// counted counts those who ask for a result.
type counted struct {
	cache.Cache
	entered atomic.Int64
}

func (c *counted) Do(ctx context.Context, key cache.Key, mode cache.Mode, ttl time.Duration, compute cache.Compute) ([]byte, cache.Outcome, error) {
	c.entered.Add(1)
	return c.Cache.Do(ctx, key, mode, ttl, compute)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c, err := cache.New(cache.Config{Memory: 16 << 20}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	counting := &counted{Cache: c}
	ready := []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "e1"}}
	r := &rig{
		models: &fakeModels{models: map[string]*catalog.Model{
			"pictures": {Name: "pictures", Spec: pictureSpec(t), Labels: []string{"dark", "bright", "other"}, Versions: ready},
			"rows":     {Name: "rows", Spec: rowSpec(t), Labels: []string{"dark", "bright", "other"}, Versions: ready},
			"tensors":  {Name: "tensors", Spec: &task.Spec{Task: task.Raw}, Versions: ready},
		}},
		backend: &fakeBackend{}, engine: &fakeEngine{}, entered: &counting.entered,
	}
	r.Pipeline = New(Parts{Models: r.models, Backend: r.backend, Cache: counting, Engine: r.engine, CPU: limit.New(4, 4096),
		TTL: time.Hour})
	return r
}

// picture is a PNG of one pixel; another level is another file.
func picture(t *testing.T, level uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 1, 1))
	m.SetGray(0, 0, color.Gray{Y: level})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ask sends a picture in a body that is destroyed when its last holder lets go, as a pooled buffer may be.
func (r *rig) ask(ctx context.Context, data []byte, change func(*Request)) (*Answer, error) {
	data = bytes.Clone(data)
	body := NewBody(data, func() {
		for i := range data {
			data[i] = 0xDB
		}
	})
	defer body.Release()
	request := &Request{Model: "pictures", Item: Item{Image: body}}
	if change != nil {
		change(request)
	}
	return r.Run(ctx, request)
}
