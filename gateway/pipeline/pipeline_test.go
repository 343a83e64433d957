package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

type document struct {
	ID, Model, Version, Task string
	Image                    struct{ Width, Height int }
	Predictions              []struct {
		Label string
		Index int
		Score float64
	}
	FromCache bool `json:"from_cache"`
}

func read(t *testing.T, a *Answer) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(fmt.Appendf(a.Body, "%v}", a.FromCache), &d); err != nil {
		t.Fatalf("%v\n%s", err, a.Body)
	}
	return d
}

func mustAsk(t *testing.T, r *rig, data []byte, change func(*Request)) *Answer {
	t.Helper()
	a, err := r.ask(t.Context(), data, change)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func topK(k int) func(*Request) { return func(r *Request) { r.Options.TopK = &k } }

func TestSecondCallIsServedFromTheResultAndOtherOptionsFromTheTensors(t *testing.T) {
	r := newRig(t)
	data := picture(t, 1)
	first := mustAsk(t, r, data, nil)
	if d := read(t, first); d.FromCache || d.Model != "pictures" || d.Version != "1" || d.Task != "image-classification" || d.Image.Width != 1 ||
		len(d.Predictions) != 3 || d.Predictions[0].Label != "dark" || d.ID != first.ID {
		t.Fatalf("first answer: %s", first.Body)
	}
	if !first.Cache.Stored || first.Cache.Hit {
		t.Errorf("first outcome %+v", first.Cache)
	}
	again := mustAsk(t, r, data, nil)
	if !again.FromCache || again.Cache.Detail != "memory" || string(again.Body) != string(first.Body) || again.ETag != first.ETag {
		t.Errorf("second answer: %+v, %s", again.Cache, again.Body)
	}
	narrower := mustAsk(t, r, data, topK(1))
	if d := read(t, narrower); !d.FromCache || len(d.Predictions) != 1 || narrower.Cache.Detail != "tensor" || !narrower.Tensor || d.ID == first.ID {
		t.Errorf("another top_k: %+v, %s", narrower.Cache, narrower.Body)
	}
	if d := read(t, mustAsk(t, r, data, topK(3))); !d.FromCache || len(d.Predictions) != 3 {
		t.Error("top_k given as its default is another key")
	}
	if n := r.backend.calls.Load(); n != 1 {
		t.Errorf("the model ran %d times", n)
	}
	if other := mustAsk(t, r, picture(t, 2), nil); other.FromCache || other.ETag == first.ETag {
		t.Error("another picture was answered with the first one's answer")
	}
}

func TestModesOfTheCache(t *testing.T) {
	r := newRig(t)
	data := picture(t, 3)
	mode := func(m cache.Mode) func(*Request) { return func(r *Request) { r.Cache = m } }
	for i, step := range []struct {
		mode  cache.Mode
		calls int64 // of the model so far
		hit   bool
	}{{cache.NoStore, 1, false}, {cache.Default, 2, false}, {cache.Default, 2, true}, {cache.NoStore, 3, false}, {cache.NoCache, 4, false}, {cache.Default, 4, true}} {
		a := mustAsk(t, r, data, mode(step.mode))
		if a.FromCache != step.hit || r.backend.calls.Load() != step.calls {
			t.Errorf("step %d: hit %v after %d calls, want %v after %d", i, a.FromCache, r.backend.calls.Load(), step.hit, step.calls)
		}
	}
}

func TestAReloadedModelNeverAnswersFromTheOldLoad(t *testing.T) {
	r := newRig(t)
	data := picture(t, 4)
	before := mustAsk(t, r, data, nil)
	r.models.reload("pictures", "e2")
	if after := mustAsk(t, r, data, nil); after.FromCache || after.ETag == before.ETag {
		t.Error("an answer of the old load was served")
	}
	// The backend has moved on to e3 while the catalog still names e2: the answer is good but belongs to no key.
	r.backend.epoch.Store("e3")
	for range 2 {
		if a := mustAsk(t, r, picture(t, 5), nil); a.FromCache || a.Cache.Stored {
			t.Error("an answer of e3 was stored under e2")
		}
	}
	r.backend.epoch.Store("e2")
	mustAsk(t, r, picture(t, 5), nil)
	if a := mustAsk(t, r, picture(t, 5), nil); !a.FromCache {
		t.Error("an answer of the load that the key names was not stored")
	}
	r.models.stale.Store(true)
	if a := mustAsk(t, r, picture(t, 5), nil); a.FromCache {
		t.Error("an answer was served though a reload may have gone unseen")
	}
}

func TestErrorsAreNeverStored(t *testing.T) {
	r := newRig(t)
	down := fault.New(fault.Unavailable, "backend_unavailable", "down")
	r.backend.fail.Store(down)
	if _, err := r.ask(t.Context(), picture(t, 6), nil); !errors.Is(err, down) {
		t.Fatalf("got %v", err)
	}
	r.backend.fail.Store(nil)
	if a := mustAsk(t, r, picture(t, 6), nil); a.FromCache {
		t.Error("an error was taken for an answer")
	}
}

func TestSimultaneousCallersShareOneComputation(t *testing.T) {
	r := newRig(t)
	r.backend.gate, r.backend.began = make(chan struct{}), make(chan struct{}, 1)
	data := picture(t, 7)
	const callers = 1000
	answers := make([]*Answer, callers)
	var started, done sync.WaitGroup
	started.Add(callers)
	for i := range callers {
		done.Go(func() {
			started.Done()
			a, err := r.ask(context.Background(), data, nil)
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = a
		})
	}
	started.Wait()
	<-r.backend.began
	close(r.backend.gate)
	done.Wait()
	computed := 0
	for _, a := range answers {
		if a != nil && !a.FromCache {
			computed++
		}
		if a != nil && string(a.Body) != string(answers[0].Body) {
			t.Fatal("two callers got different answers")
		}
	}
	if n := r.backend.calls.Load(); n != 1 || computed != 1 || r.engine.decodes.Load() != 1 {
		t.Errorf("%d inferences, %d decodes, %d callers that say they computed", n, r.engine.decodes.Load(), computed)
	}
}

func TestWhatModelsTake(t *testing.T) {
	r := newRig(t)
	image := func() Item { return Item{Image: NewBody(picture(t, 1), nil)} }
	row := func(values ...any) Item { return Item{Row: &preprocess.Row{Positional: values}} }
	raw := func(n int64) Item {
		return Item{Tensors: []tensor.Tensor{{Name: "in", DType: tensor.FP32, Shape: []int64{1, n}, Data: make([]byte, 8)}}}
	}
	for _, c := range []struct {
		name, model string
		item        Item
		code, text  string
	}{
		{"image", "pictures", image(), "", ""},
		{"row", "rows", row(1.0, 2.0), "", ""},
		{"raw", "tensors", raw(2), "", ""},
		{"image to rows", "rows", image(), "invalid_request", "takes no pictures; send {\"row\""},
		{"row to pictures", "pictures", row(1.0, 2.0), "invalid_request", "takes no rows; send a picture"},
		{"raw to pictures", "pictures", raw(2), "invalid_request", "takes no tensors; send a picture"},
		{"image to raw", "tensors", image(), "invalid_request", "inputs"},
		{"raw with wrong size", "tensors", raw(3), "invalid_request", "3 elements"},
		{"nothing", "rows", Item{}, "invalid_request", "no input"},
		{"short row", "rows", row(1.0), "invalid_row", ""},
		{"not a picture", "pictures", Item{Image: NewBody([]byte("GIF89a......"), nil)}, "unsupported_media_type", "GIF"},
		{"unknown model", "nope", image(), "model_not_found", "nope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Run(t.Context(), &Request{Model: c.model, Item: c.item})
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != c.code || !strings.Contains(f.Error(), c.text) {
				t.Errorf("got %v, want %s with %q", err, c.code, c.text)
			}
		})
	}
}

func TestByDigestGivesWhatInferStored(t *testing.T) {
	r := newRig(t)
	data := picture(t, 8)
	digest := sha(data)
	if _, err := r.Cached(t.Context(), &Request{Model: "pictures"}, digest); !errors.Is(err, &fault.Error{Code: "result_not_cached"}) {
		t.Fatalf("got %v", err)
	}
	first := mustAsk(t, r, data, nil)
	a, err := r.Cached(t.Context(), &Request{Model: "pictures"}, digest)
	if err != nil || string(a.Body) != string(first.Body) || !a.FromCache || a.ETag != first.ETag {
		t.Fatalf("got %+v, %v", a, err)
	}
	one := 1
	few, err := r.Cached(t.Context(), &Request{Model: "pictures", Options: postprocess.Options{TopK: &one}}, digest)
	if err != nil || !few.FromCache || few.Cache.Detail != "tensor" || !few.Tensor || strings.Count(string(few.Body), `"label"`) != 1 {
		t.Errorf("other options: %+v, %v", few, err)
	}
	if again := mustAsk(t, r, data, topK(1)); string(again.Body) != string(few.Body) || again.Cache.Detail != "memory" {
		t.Errorf("the same with the picture: %+v", again)
	}
	for name, other := range map[string]*Request{"tenant": {Model: "pictures", Tenant: "b"}, "mode": {Model: "pictures", Cache: cache.NoCache}} {
		if _, err := r.Cached(t.Context(), other, digest); !errors.Is(err, &fault.Error{Code: "result_not_cached"}) {
			t.Errorf("another %s: got %v", name, err)
		}
	}
	if n := r.backend.calls.Load(); n != 1 {
		t.Errorf("a look-up ran the model: %d calls", n)
	}
}

func TestKeysOfDifferentThingsDiffer(t *testing.T) {
	r := newRig(t)
	seen := map[string]string{}
	note := func(name string, a *Answer) {
		if other, ok := seen[a.ETag]; ok {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[a.ETag] = name
	}
	note("plain", mustAsk(t, r, picture(t, 9), nil))
	note("tenant", mustAsk(t, r, picture(t, 9), func(r *Request) { r.Tenant = "b" }))
	note("top_k", mustAsk(t, r, picture(t, 9), topK(2)))
	note("classes", mustAsk(t, r, picture(t, 9), func(r *Request) { r.Options.Classes = []string{"dark"} }))
	note("content", mustAsk(t, r, picture(t, 10), nil))
	r.models.reload("pictures", "e2")
	note("epoch", mustAsk(t, r, picture(t, 9), nil))
}
