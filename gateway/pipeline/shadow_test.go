package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"image/png"
	"maps"
	"math"
	"net/http"
	"reflect"
	"sync/atomic"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
	"triton-gateway/modelconfig"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// holder keeps all that it is told of.
type holder struct {
	held  []*Held
	bytes int64     // of the last one
	task  task.Name // and its task
}

func (h *holder) Answered(_ context.Context, o Original) {
	h.bytes, h.task = o.Bytes(), o.Task()
	h.held = append(h.held, o.Hold())
}

// take gives what is held, and forgets it.
func (h *holder) take() []*Held {
	list := h.held
	h.held = nil
	return list
}

// shadowRig has routes to everything, whose answers are held.
func shadowRig(t *testing.T) (*rig, *holder) {
	t.Helper()
	r, routes := newRouteRig(t, "")
	for name, model := range map[string]string{"ab": "pictures", "ab-rows": "rows", "ab-tensors": "tensors"} {
		routes.put(t, name, route.Spec{Candidates: []route.Candidate{of(model, "1", 1)}, Shadow: &route.Shadow{Target: route.Target{Model: model, Version: "2"}, Percent: 100}})
	}
	h := &holder{}
	r.Shadows = h
	return r, h
}

func row(a, b float64) Item {
	return Item{Row: &preprocess.Row{Named: map[string]any{"a": a, "b": b}}}
}

func floats(v ...float32) []tensor.Tensor {
	t := tensor.Tensor{Name: "in", DType: tensor.FP32, Shape: []int64{1, int64(len(v))}}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return []tensor.Tensor{t}
}

// What a target of a route has computed is handed over, once; nothing else is.
func TestWhatIsHandedToShadows(t *testing.T) {
	r, h := shadowRig(t)
	small := picture(t, 1)
	run := func(change func(*Request)) func() error {
		return func() error { _, err := r.ask(t.Context(), small, change); return err }
	}
	item := func(model string, i Item, mode cache.Mode) func() error {
		return func() error {
			_, err := r.Run(t.Context(), &Request{Model: model, Item: i, Cache: mode})
			return err
		}
	}
	pass := func(model string, params map[string]any) func() error {
		return func() error {
			_, err := r.Pass(t.Context(), &backend.Request{Model: model, Inputs: floats(1), Params: params})
			return err
		}
	}
	for _, c := range []struct {
		what string
		do   func() error
		task task.Name // "": nothing is handed over
	}{
		{"a picture", run(toRoute("ab")), task.ImageClassification},
		{"the stored answer", run(toRoute("ab")), ""},
		{"stored tensors", run(func(q *Request) { q.Model = "ab"; one := 1; q.Options.TopK = &one }), ""},
		{"computed anew", run(func(q *Request) { q.Model, q.Cache = "ab", cache.NoCache }), task.ImageClassification},
		{"a model", run(func(q *Request) { q.Cache = cache.NoStore }), ""},
		{"a row", item("ab-rows", row(1, 2), cache.Default), task.TabularClassification},
		{"tensors", item("ab-tensors", Item{Tensors: floats(1, 2)}, cache.Default), task.Raw},
		{"tensors as they are", pass("ab-tensors", nil), task.Raw},
		{"tensors of pictures as they are", pass("ab", map[string]any{"priority": uint64(1)}), task.Raw},
		{"a sequence", pass("ab-tensors", map[string]any{"sequence_id": uint64(7)}), ""},
		{"a model's tensors", pass("tensors", nil), ""},
		{"by digest", func() error {
			_, err := r.Cached(t.Context(), &Request{Model: "ab"}, shaOf(small))
			return err
		}, ""},
		{"explained", func() error { _, err := r.Explain(t.Context(), &Request{Model: "ab"}); return err }, ""},
		{"a preview", func() error {
			body := NewBody(small, nil)
			_, err := r.Preview(t.Context(), &Request{Model: "ab", Item: Item{Image: body}})
			return err
		}, ""},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		got := h.take()
		if c.task == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || h.task != c.task {
			t.Errorf("%s: %d are handed over", c.what, len(got))
			continue
		}
		got[0].Release()
	}
	r.backend.fail.Store(fault.New(fault.Upstream, "upstream_error", "no"))
	if _, err := r.ask(t.Context(), picture(t, 99), toRoute("ab")); err == nil || len(h.take()) != 0 {
		t.Errorf("%v", err)
	}
}

// seen is a backend that notes what it was asked, and gives other scores for version 2.
type seen struct {
	*fakeBackend
	requests []backend.Request
}

func (s *seen) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	s.requests = append(s.requests, *r)
	a, err := s.fakeBackend.Infer(ctx, r)
	if err == nil && r.Version == "2" {
		a.Outputs[0].Data = floats(-1, 5, 3)[0].Data
	}
	return a, err
}

// silent is an observer that fails the test.
type silent struct{ calls atomic.Int64 }

func (s *silent) Begin(ctx context.Context, _ Stage) context.Context { s.calls.Add(1); return ctx }
func (s *silent) End(context.Context, Ended)                         { s.calls.Add(1) }
func (s *silent) Shared(context.Context)                             { s.calls.Add(1) }

// The shadow sees what the other one saw, after the caller has left, and leaves no trace: nothing is stored, counted or told.
func TestAskAgain(t *testing.T) {
	r, h := shadowRig(t)
	back := &seen{fakeBackend: r.backend}
	r.Backend = back
	one := 1
	data, released := bytes.Clone(picture(t, 3)), 0
	body := NewBody(data, func() { released++; clear(data) })
	_, err := r.Run(t.Context(), &Request{Model: "ab", Tenant: "x", Item: Item{Image: body}, Options: postprocess.Options{TopK: &one}, Header: http.Header{"A": {"b"}}})
	if err != nil {
		t.Fatal(err)
	}
	body.Release()
	held := h.take()[0]
	if released != 0 || h.bytes < int64(len(data))+12 || h.bytes > int64(len(data))+100 {
		t.Fatalf("%d bytes are held of %d, %d released", h.bytes, len(data), released)
	}
	watch := &silent{}
	r.Observer = watch
	entered, chosen := r.entered.Load(), len(r.Routes.(*fakeRoutes).seen)
	primary, err := held.Answer()
	if err != nil || len(primary.Predictions) != 1 || primary.Predictions[0].Label != "dark" {
		t.Fatalf("%+v %v", primary, err)
	}
	shadow, err := held.Ask(t.Context(), "pictures", "2")
	if err != nil || len(shadow.Predictions) != 1 || shadow.Predictions[0].Label != "bright" || shadow.Predictions[0].Score != 5 {
		t.Fatalf("%+v %v", shadow, err)
	}
	if len(back.requests) != 2 || !reflect.DeepEqual(back.requests[0].Inputs, back.requests[1].Inputs) || back.requests[1].Version != "2" {
		t.Errorf("%+v", back.requests)
	}
	if r.entered.Load() != entered || watch.calls.Load() != 0 || len(r.Routes.(*fakeRoutes).seen) != chosen {
		t.Errorf("%d came to the cache, %d stages are told of", r.entered.Load()-entered, watch.calls.Load())
	}
	in := held.Input()
	if in.Kind != "image" || in.SHA256 != shaOf(data) || in.Width != 1 || in.Height != 1 {
		t.Errorf("%+v", in)
	}
	thumbnail, err := held.Thumbnail(64)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(thumbnail)); err != nil || m.Bounds().Dx() != 2 {
		t.Errorf("%v %v", m, err)
	}
	held.Release()
	if released != 1 {
		t.Errorf("released %d times", released)
	}
	r.Observer = nil
	if _, err := r.ask(t.Context(), picture(t, 3), func(q *Request) { q.Version, q.Tenant = "2", "x" }); err != nil || len(back.requests) != 3 {
		t.Errorf("what the shadow gave is stored: %d calls, %v", len(back.requests), err)
	}
}

// memory counts its holders.
type memory struct{ holders int }

// A shadow's call has the level of its own class and model, not what the primary's was sent with.
func TestAShadowHasItsOwnLevel(t *testing.T) {
	r, h := shadowRig(t)
	back := &seen{fakeBackend: r.backend}
	r.Backend = back
	model := *r.models.models["tensors"]
	model.Config = &modelconfig.Config{Name: "tensors", MaxBatchSize: 8, PriorityLevels: 3, PriorityDefault: 2,
		Inputs: []modelconfig.IO{{Name: "in", DType: tensor.FP32, Dims: []int64{2}}}, Outputs: []modelconfig.IO{{Name: "out", DType: tensor.FP32, Dims: []int64{-1}}}}
	r.models.models["tensors"] = &model
	for _, own := range []map[string]any{nil, {paramPriority: uint64(2), "x": "y"}} {
		if _, err := r.Pass(priority.With(t.Context(), priority.Realtime), &backend.Request{Model: "ab-tensors", Inputs: floats(1, 2), Params: maps.Clone(own)}); err != nil {
			t.Fatal(err)
		}
		held := h.take()[0]
		if _, err := held.Ask(priority.With(t.Context(), priority.Batch), "tensors", "2"); err != nil {
			t.Fatal(err)
		}
		held.Release()
		n := len(back.requests)
		primary, shadow := back.requests[n-2].Params, back.requests[n-1].Params
		want := any(uint64(1))
		if own != nil {
			want = own[paramPriority]
		}
		if primary[paramPriority] != want || shadow[paramPriority] != uint64(3) || shadow["x"] != own["x"] {
			t.Errorf("with %v: %v, and its shadow %v", own, primary, shadow)
		}
	}
}

func (m *memory) Retain()  { m.holders++ }
func (m *memory) Release() { m.holders-- }

func TestAskAgainWithRowsAndTensors(t *testing.T) {
	r, h := shadowRig(t)
	back := &seen{fakeBackend: r.backend}
	r.Backend = back
	if _, err := r.Run(t.Context(), &Request{Model: "ab-rows", Item: row(1, 2)}); err != nil {
		t.Fatal(err)
	}
	rows := h.take()[0]
	if p, err := rows.Answer(); err != nil || p.Predictions[0].Label != "dark" || p.Predictions[0].Score != 3 {
		t.Errorf("%+v %v", p, err)
	}
	if s, err := rows.Ask(t.Context(), "rows", "2"); err != nil || s.Predictions[0].Label != "bright" {
		t.Errorf("%+v %v", s, err)
	}
	if in := rows.Input(); in.Kind != "row" || in.Row.Named["a"] != 1.0 || in.SHA256 == ([32]byte{}) {
		t.Errorf("%+v", in)
	}
	if _, err := rows.Thumbnail(8); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	rows.Release()

	shared := &memory{1}
	inputs := floats(1, 2)
	raw := &backend.Request{Model: "ab-tensors", Inputs: inputs, Outputs: []backend.Output{{Name: "out"}}, Memory: shared}
	if _, err := r.Pass(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	held := h.take()[0]
	if shared.holders != 2 || h.bytes != 8+12 {
		t.Errorf("%d holders, %d bytes", shared.holders, h.bytes)
	}
	inputs[0].Shape[1], inputs[0].Name = 77, "used again"
	*raw = backend.Request{}
	p, err := held.Answer()
	if err != nil || len(p.Outputs) != 1 || p.Outputs[0].Name != "out" {
		t.Errorf("%+v %v", p, err)
	}
	s, err := held.Ask(t.Context(), "tensors", "2")
	if err != nil || bytes.Equal(s.Outputs[0].Data, p.Outputs[0].Data) {
		t.Errorf("%+v %v", s, err)
	}
	last := back.requests[len(back.requests)-1]
	if last.Version != "2" || last.Inputs[0].Name != "in" || last.Inputs[0].Shape[1] != 2 || len(last.Outputs) != 1 {
		t.Errorf("%+v", last)
	}
	if in := held.Input(); in.Kind != "raw" || in.SHA256 != tensorsSum(floats(1, 2)) {
		t.Errorf("%+v", in)
	}
	held.Release()
	if shared.holders != 1 {
		t.Errorf("%d holders", shared.holders)
	}
}

// A graph is compared by its document, as the one that answers and as the shadow.
func TestGraphsAndTheirShadows(t *testing.T) {
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		out, err := c.Ask(ctx, "pictures", "1", nil, c.Options)
		if err != nil {
			return nil, false, err
		}
		return append(out.AppendJSON(nil), `,"nodes":{"only":{"state":"done"}}`...), true, nil
	})
	routes, h := &fakeRoutes{plans: map[string]*route.Plan{}, seen: map[string]int{}}, &holder{}
	r.Routes, r.Shadows = routes, h
	routes.put(t, "ab", route.Spec{Candidates: []route.Candidate{of("both", "1", 1)}})
	data := square(t, 4, 1)
	if _, err := r.ask(t.Context(), data, toRoute("ab")); err != nil {
		t.Fatal(err)
	}
	list := h.take()
	if len(list) != 1 {
		t.Fatalf("%d are handed over: those that a graph asks are not a route's", len(list))
	}
	held := list[0]
	defer held.Release()
	primary, err := held.Answer()
	if err != nil || len(primary.Predictions) != 3 || primary.Detections != nil {
		t.Fatalf("%+v %v", primary, err)
	}
	watch := &silent{}
	r.Observer = watch
	calls := r.backend.calls.Load()
	graph, err := held.Ask(t.Context(), "both", "")
	if err != nil || !reflect.DeepEqual(graph, primary) {
		t.Errorf("%+v %v", graph, err)
	}
	model, err := held.Ask(t.Context(), "pictures", "1")
	if err != nil || len(model.Predictions) != 3 || model.Predictions[0].Label != primary.Predictions[0].Label {
		t.Errorf("%+v %v", model, err)
	}
	if n := r.backend.calls.Load() - calls; n != 2 || watch.calls.Load() != 0 {
		t.Errorf("%d calls, %d told", n, watch.calls.Load())
	}
}

func TestThinned(t *testing.T) {
	px := preprocess.Pixels{Width: 5, Height: 3, Channels: 1, Data: []byte{0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24}}
	small := thinned(px, 3)
	if small.Width != 3 || small.Height != 2 || !bytes.Equal(small.Data, []byte{0, 2, 4, 20, 22, 24}) {
		t.Errorf("%+v", small)
	}
	if same := thinned(px, 5); same.Width != 5 || &same.Data[0] != &px.Data[0] {
		t.Errorf("%+v", same)
	}
}

// A piece of a form keeps the whole form.
func TestWhatABodyHolds(t *testing.T) {
	if b := NewBody(make([]byte, 10), nil); b.Holds() != 10 || b.Within(4096).Holds() != 4096 {
		t.Error("not the buffer")
	}
}
