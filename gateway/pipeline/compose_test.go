package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
)

// steady is an engine whose picture of any size has the level of its place: 10 times x, plus y.
type steady struct{ fakeEngine }

func (e *steady) Decode(_ context.Context, _ []byte, h preprocess.Header, _ preprocess.DecodeOptions) (preprocess.Pixels, error) {
	e.decodes.Add(1)
	px := preprocess.Pixels{Width: h.Width, Height: h.Height, Channels: 3}
	for i := range h.Width * h.Height {
		v := byte(10*(i%h.Width) + i/h.Width)
		px.Data = append(px.Data, v, v, v)
	}
	return px, nil
}

// composed is a Composer of the test's making.
type composed func(ctx context.Context, c *Composition) ([]byte, bool, error)

func (f composed) Compose(ctx context.Context, c *Composition) ([]byte, bool, error) {
	return f(ctx, c)
}

// graphRig is a pipeline with a model "both" that is made of others.
func graphRig(t *testing.T, f composed) (*rig, *steady) {
	t.Helper()
	r := newRig(t)
	both := *r.models.models["pictures"]
	both.Name, both.Source, both.Versions = "both", catalog.FromGraph, []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "g1"}}
	r.models.models["both"] = &both
	e := &steady{}
	r.Pipeline = New(Parts{Models: r.models, Backend: r.backend, Cache: r.Cache, Engine: e, CPU: limit.New(4, 4096), TTL: time.Hour, Composer: f, Pixels: limit.NewBytes(1000)})
	return r, e
}

// square is a PNG of n x n pixels; another level is another file.
func square(t *testing.T, n int, level uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, n, n))
	m.Pix[0] = level
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (r *rig) both(t *testing.T, data []byte, change func(*Request)) (*Answer, error) {
	t.Helper()
	return r.ask(t.Context(), data, func(q *Request) {
		q.Model = "both"
		if change != nil {
			change(q)
		}
	})
}

// score is the sum of what the model saw; see fakeBackend.
func score(r *postprocess.Result) float64 {
	for _, p := range r.Predictions {
		if p.Label == "dark" {
			return p.Score
		}
	}
	return -1
}

// Parts are decoded once, seen as they are, and kept: the same part of the same picture is asked for once.
func TestComposeParts(t *testing.T) {
	var mu sync.Mutex
	scores := map[image.Rectangle]float64{}
	regions := []image.Rectangle{image.Rect(0, 0, 4, 4), image.Rect(1, 0, 3, 2), image.Rect(2, 2, 4, 4), image.Rect(3, 3, 4, 4)}
	r, e := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		var all sync.WaitGroup
		for _, region := range regions {
			all.Go(func() {
				out, err := c.Ask(ctx, "pictures", "1", &region, postprocess.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				scores[region] = score(out)
			})
		}
		all.Wait()
		return []byte(`"parts":4`), true, nil
	})
	a, err := r.both(t, square(t, 4, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Model, Version, Task string
		Image                struct{ Width, Height int }
		Parts                int
	}
	if err := json.Unmarshal(append(bytes.Clone(a.Body), "false}"...), &doc); err != nil || doc.Model != "both" || doc.Version != "1" || doc.Image.Width != 4 || doc.Image.Height != 4 || doc.Parts != 4 {
		t.Errorf("%v %s", err, a.Body)
	}
	if n := e.decodes.Load(); n != 1 {
		t.Errorf("decoded %d times", n)
	}
	// The model sees 2 x 2 pixels, three channels each: those in the middle of each quarter, by nearest neighbour.
	want := map[image.Rectangle]float64{regions[0]: 3 * (11 + 31 + 13 + 33), regions[1]: 3 * (10 + 20 + 11 + 21), regions[2]: 3 * (22 + 32 + 23 + 33), regions[3]: 3 * 4 * 33}
	for region, w := range want {
		if scores[region] != w {
			t.Errorf("%v: %v, want %v", region, scores[region], w)
		}
	}
	calls := r.backend.calls.Load()
	if again, err := r.both(t, square(t, 4, 1), nil); err != nil || !again.FromCache || !bytes.Equal(again.Body, a.Body) {
		t.Errorf("%v %+v", err, again)
	}
	if _, err := r.both(t, square(t, 4, 1), func(q *Request) { k := 1; q.Options.TopK = &k }); err != nil || r.backend.calls.Load() != calls {
		t.Errorf("another option: %v, %d calls after %d", err, r.backend.calls.Load(), calls)
	}
	if _, err := r.both(t, square(t, 4, 2), nil); err != nil || r.backend.calls.Load() != 2*calls {
		t.Errorf("another picture: %v, %d calls after %d", err, r.backend.calls.Load(), calls)
	}
	r.models.reload("both", "g2")
	if again, err := r.both(t, square(t, 4, 1), nil); err != nil || again.FromCache {
		t.Errorf("another load: %v", err)
	}
}

// What is not whole is answered and not kept.
func TestComposeKeepsOnlyWhatIsWhole(t *testing.T) {
	keep, calls := false, 0
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		calls++
		_, err := c.Ask(ctx, "pictures", "1", nil, postprocess.Options{})
		return []byte(`"n":1`), keep, err
	})
	for range 2 {
		if a, err := r.both(t, square(t, 2, 1), nil); err != nil || a.FromCache {
			t.Fatalf("%v", err)
		}
	}
	keep = true
	r.backend.epoch.Store("another") // a model was loaded anew between the key and the call
	if _, err := r.both(t, square(t, 2, 2), nil); err != nil {
		t.Fatal(err)
	}
	if a, err := r.both(t, square(t, 2, 2), nil); err != nil || a.FromCache || calls != 4 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// Errors of parts are the composer's to judge, and its own reach the caller. A part outside of the picture, or with a model that is a graph, runs nowhere.
func TestComposeErrors(t *testing.T) {
	down := fault.New(fault.Unavailable, "backend_unavailable", "it is down")
	for name, c := range map[string]struct {
		ask  func(ctx context.Context, c *Composition) error
		kind fault.Kind
		want string
	}{
		"its own": {func(context.Context, *Composition) error { return down }, fault.Unavailable, "it is down"},
		"no model": {func(ctx context.Context, c *Composition) error {
			_, err := c.Ask(ctx, "gone", "", nil, postprocess.Options{})
			return err
		}, fault.NotFound, `no model "gone"`},
		"no version": {func(ctx context.Context, c *Composition) error {
			_, err := c.Ask(ctx, "pictures", "7", nil, postprocess.Options{})
			return err
		}, fault.NotFound, "no version 7"},
		"takes rows": {func(ctx context.Context, c *Composition) error {
			_, err := c.Ask(ctx, "rows", "", nil, postprocess.Options{})
			return err
		}, fault.Invalid, "takes no pictures"},
		"an option": {func(ctx context.Context, c *Composition) error {
			x := 0.5
			_, err := c.Ask(ctx, "pictures", "", nil, postprocess.Options{IoU: &x})
			return err
		}, fault.Invalid, "iou"},
		"outside": {func(ctx context.Context, c *Composition) error {
			p := image.Rect(0, 0, 3, 2)
			_, err := c.Ask(ctx, "pictures", "", &p, postprocess.Options{})
			return err
		}, fault.Internal, "outside"},
		"no pixels": {func(ctx context.Context, c *Composition) error {
			p := image.Rect(1, 1, 1, 2)
			_, err := c.Ask(ctx, "pictures", "", &p, postprocess.Options{})
			return err
		}, fault.Internal, "outside"},
	} {
		r, _ := graphRig(t, func(ctx context.Context, comp *Composition) ([]byte, bool, error) { return nil, true, c.ask(ctx, comp) })
		_, err := r.both(t, square(t, 2, 1), nil)
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, _ := graphRig(t, nil)
	r.Composer = nil
	if _, err := r.both(t, square(t, 2, 1), nil); fault.KindOf(err) != fault.Internal {
		t.Errorf("nobody composes: %v", err)
	}
}

// The decoded picture counts against its budget for as long as the graph runs.
func TestComposePixelsAreBounded(t *testing.T) {
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) { return []byte(`"n":1`), true, nil })
	if _, err := r.both(t, square(t, 18, 1), nil); err != nil { // 972 bytes
		t.Fatal(err)
	}
	if used := r.Pixels.Stats().Used; used != 0 {
		t.Errorf("%d bytes are not given back", used)
	}
	var f *fault.Error
	if _, err := r.both(t, square(t, 19, 1), nil); !errors.As(err, &f) || f.Kind != fault.TooLarge {
		t.Errorf("%v", err)
	}
}

// A caller who leaves does not take the picture away from a computation that others wait for.
func TestComposeOutlivesItsCaller(t *testing.T) {
	begun, gate := make(chan struct{}), make(chan struct{})
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		close(begun)
		<-gate
		_, err := c.Ask(ctx, "pictures", "1", nil, postprocess.Options{})
		return []byte(`"n":1`), true, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.ask(ctx, square(t, 2, 1), func(q *Request) { q.Model = "both" })
		left <- err
	}()
	<-begun
	stays := make(chan error, 1)
	go func() {
		_, err := r.both(t, square(t, 2, 1), nil)
		stays <- err
	}()
	for r.entered.Load() < 2 {
		runtime.Gosched()
	}
	cancel()
	if err := <-left; fault.KindOf(err) != fault.Canceled {
		t.Errorf("who left: %v", err)
	}
	close(gate)
	if err := <-stays; err != nil {
		t.Errorf("who stayed: %v", err)
	}
}

// Tensors are not for graphs.
func TestComposeRefusesTensors(t *testing.T) {
	r, _ := graphRig(t, nil)
	_, err := r.Pass(t.Context(), &backend.Request{Model: "both"})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "both.image") {
		t.Errorf("%v", err)
	}
	r.models.models["both"].Spec = rowSpec(t)
	if _, err = r.Pass(t.Context(), &backend.Request{Model: "both"}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "rows, on /v1") {
		t.Errorf("%v", err)
	}
}

// Rows go to the models as they came.
func TestComposeRows(t *testing.T) {
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		out, err := c.Ask(ctx, "rows", "", nil, postprocess.Options{})
		if err != nil {
			return nil, false, err
		}
		return out.AppendJSON(nil), true, nil
	})
	r.models.models["both"].Spec = rowSpec(t)
	a, err := r.Run(t.Context(), &Request{Model: "both", Item: Item{Row: &preprocess.Row{Positional: []any{0.25, 0.5}}}})
	if err != nil || !strings.Contains(string(a.Body), `{"label":"dark","index":0,"score":0.75}`) {
		t.Errorf("%v %+v", err, a)
	}
}

func TestAPictureIsCountedOnceForAllItsParts(t *testing.T) {
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		for _, region := range []image.Rectangle{image.Rect(1, 0, 3, 2), image.Rect(0, 0, 4, 4), image.Rect(2, 2, 4, 4)} {
			if _, err := c.Ask(ctx, "pictures", "1", &region, postprocess.Options{}); err != nil {
				t.Error(err)
			}
		}
		return nil, true, nil
	})
	w := &watcher{}
	r.Observer = w
	if _, err := r.both(t, square(t, 4, 1), nil); err != nil {
		t.Fatal(err)
	}
	pixels, seen := int64(0), 0
	for _, e := range w.ended {
		if pixels += e.Pixels; e.Stage == Preprocess {
			seen++
		}
	}
	if pixels != 16 || seen != 3 {
		t.Errorf("%d pixels in %d parts, want 16 in 3", pixels, seen)
	}
}
