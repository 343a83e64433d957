package pipeline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
)

// Callers come first: while one waits for the processor, no shadow takes it.
func TestNoShadowWhileCallersWait(t *testing.T) {
	r, h := shadowRig(t)
	if _, err := r.ask(t.Context(), picture(t, 1), toRoute("ab")); err != nil {
		t.Fatal(err)
	}
	held := h.take()[0]
	defer held.Release()
	var places []func()
	for range 4 {
		free, _, err := r.CPU.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, free)
	}
	waited := make(chan func())
	go func() {
		free, _, _ := r.CPU.Acquire(t.Context())
		waited <- free
	}()
	for r.CPU.Stats().Waiting == 0 {
	}
	if _, err := held.Ask(t.Context(), "pictures", "2"); fault.KindOf(err) != fault.Busy || held.Called() || held.Took() != 0 {
		t.Errorf("%v, called %v", err, held.Called())
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := held.Insist(short, "pictures", "2"); fault.KindOf(err) != fault.Timeout || held.Called() {
		t.Errorf("it does not wait among the others, %v", err)
	}
	for _, free := range places {
		free()
	}
	(<-waited)()
	for _, ask := range []func(context.Context, string, string) (postprocess.Result, error){held.Ask, held.Insist} {
		if _, err := ask(t.Context(), "pictures", "2"); err != nil || !held.Called() || held.Took() <= 0 {
			t.Errorf("%v after %v", err, held.Took())
		}
	}
}

// slowly is a model that takes 20 ms behind a decoder that takes a second.
type slowly struct{ *fakeBackend }

func (s slowly) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	time.Sleep(20 * time.Millisecond)
	return s.fakeBackend.Infer(ctx, r)
}

type slowDecoder struct{ preprocess.Engine }

func (s slowDecoder) Decode(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) (preprocess.Pixels, error) {
	time.Sleep(time.Second)
	return s.Engine.Decode(ctx, data, h, o)
}

// The time of a shadow's model is measured as the primary's is: without the decoding.
func TestHowLongTheModelTook(t *testing.T) {
	r, h := shadowRig(t)
	data := picture(t, 1)
	synctest.Test(t, func(t *testing.T) {
		r.Engine, r.Backend = slowDecoder{r.Engine}, slowly{r.backend}
		ask := func(model, version string, held *Held) {
			t.Helper()
			began := time.Now()
			if _, err := held.Ask(t.Context(), model, version); err != nil || held.Took() != 20*time.Millisecond {
				t.Errorf("%v: the model took %v", err, held.Took())
			}
			if _, err := held.Ask(t.Context(), "nobody", ""); err == nil || held.Called() || held.Took() != 0 {
				t.Errorf("nobody took %v", held.Took())
			}
			if model == "pictures" && time.Since(began) != 1020*time.Millisecond {
				t.Errorf("all of it took %v", time.Since(began))
			}
			held.Release()
		}
		if _, err := r.ask(t.Context(), data, toRoute("ab")); err != nil {
			t.Fatal(err)
		}
		ask("pictures", "2", h.take()[0])
		if _, err := r.Pass(t.Context(), &backend.Request{Model: "ab-tensors", Inputs: floats(1)}); err != nil {
			t.Fatal(err)
		}
		ask("tensors", "2", h.take()[0])
	})
}

func TestAskWhomNobodyKnows(t *testing.T) {
	r, h := shadowRig(t)
	if _, err := r.ask(t.Context(), picture(t, 1), toRoute("ab")); err != nil {
		t.Fatal(err)
	}
	held := h.take()[0]
	defer held.Release()
	for _, c := range []struct {
		model, version string
		want           fault.Kind
	}{{"nobody", "1", fault.NotFound}, {"pictures", "9", fault.NotFound}, {"rows", "1", fault.Invalid}} {
		if _, err := held.Ask(t.Context(), c.model, c.version); fault.KindOf(err) != c.want {
			t.Errorf("%s: %v", c.model, err)
		}
	}
}

// What was found in a picture is known by its label and by what its crop was classified as.
func TestReadDocument(t *testing.T) {
	r, err := readDocument([]byte(`{"detections":[{"label":"shape","score":0.5,"box":{"x1":1,"y1":2,"x2":3,"y2":4},"predictions":[{"label":"circle","score":0.9},{"label":"star","score":0.1}]},{"label":"shape","score":0.25}],"nodes":{},"from_cache":`))
	if err != nil || len(r.Detections) != 2 || r.Detections[0].Label != "shape: circle" || r.Detections[1].Label != "shape" || r.Detections[0].Score != 0.5 || r.Detections[0].Box.X2 != 3 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := readDocument([]byte(`{"detections":`)); err == nil {
		t.Error("what is no document was read")
	}
}
