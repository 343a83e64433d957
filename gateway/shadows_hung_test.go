package gateway

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/tritontest"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// fakeClassifier answers each picture with the same scores.
func fakeClassifier(s *tritontest.Server, name string, scores ...float32) {
	s.Model(name, func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		n := int(in[0].Shape[0])
		return []tensor.Tensor{floats("y", []int64{int64(n), int64(len(scores))}, slices.Repeat(scores, n)...)}, nil
	}, fakeModel(name, "task: image-classification\noutput: {activation: none}", int64(len(scores))))
}

// TestAHungShadowIsNotWaitedFor: the shadow's server never answers, and every request of the route is answered all the same; the end of the gateway does not wait for it either.
func TestAHungShadowIsNotWaitedFor(t *testing.T) {
	fake := tritontest.New(t)
	fakeClassifier(fake, "good", 9, 1)
	fakeClassifier(fake, "hung", 9, 1)
	never, came := make(chan struct{}), make(chan struct{}, 1)
	fake.Fail(tritontest.Fault{Model: "hung", Until: never, Started: came})
	r := newRouteRig(t, func(c *Config) {
		c.Triton.Endpoints, c.ModelRepository = []string{fake.Addr()}, ""
		c.Shadows.Parallel, c.Shadows.Waiting, c.Shadows.Timeout = 1, 2, time.Hour
		c.Routes = Routes{"ab": {Candidates: []route.Candidate{{Target: route.Target{Model: "good"}, Weight: 1}}, Shadow: &route.Shadow{Target: route.Target{Model: "hung"}, Percent: 100}}}
	})
	const n = 100
	for range n {
		r.want(200, "POST", r.public+"/v1/models/ab/infer?cache=no-store", "image/png", samplePicture(t))
	}
	<-came
	p := r.shadowOf("ab", n-3).Pairs[0]
	if p.Outcomes["dropped_full"] != n-3 || len(p.Outcomes) != 1 || fake.Calls("hung") != 1 {
		t.Errorf("%+v, %d calls", p, fake.Calls("hung"))
	}
	began := time.Now()
	if err := r.server.shadows.Close(t.Context()); err != nil || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if p = r.shadowOf("ab", n).Pairs[0]; p.Outcomes["dropped_closed"] != 3 {
		t.Errorf("%+v", p)
	}
}

// A shadow that fails, and one that is late, are told apart, with the reason.
func TestAShadowThatFails(t *testing.T) {
	fake := tritontest.New(t)
	fakeClassifier(fake, "good", 9, 1)
	fakeClassifier(fake, "bad", 1, 9)
	r := newRouteRig(t, func(c *Config) {
		c.Triton.Endpoints, c.ModelRepository = []string{fake.Addr()}, ""
		c.Shadows.Timeout = 5 * time.Second // what is not late has all of it
		c.Routes = Routes{"ab": {Candidates: []route.Candidate{{Target: route.Target{Model: "good"}, Weight: 1}}, Shadow: &route.Shadow{Target: route.Target{Model: "bad"}, Percent: 100}}}
	})
	ask := func(ended uint64) shadowView {
		r.want(200, "POST", r.public+"/v1/models/ab/infer?cache=no-store", "image/png", samplePicture(t))
		return r.shadowOf("ab", ended).Pairs[0]
	}
	fake.Fail(tritontest.Fault{Model: "bad", Times: 1, Code: 3, Text: "a word of the model"})
	if p := ask(1); p.Outcomes["failed"] != 1 || p.Failure == "" {
		t.Errorf("%+v", p)
	}
	fake.Fail(tritontest.Fault{Model: "bad", Times: 1, Delay: time.Hour})
	if p := ask(2); p.Outcomes["timed_out"] != 1 || p.FailedAt == nil {
		t.Errorf("%+v", p)
	}
	if p := ask(3); p.Outcomes["compared"] != 1 || *p.Agreement != 0 || p.Figures["top1"] != 0 {
		t.Errorf("%+v", p)
	}
}

// onlyTensors are two versions of one model that takes anything.
type onlyTensors struct{}

func (onlyTensors) Lookup(name string) (*catalog.Model, error) {
	if name != "m" {
		return nil, fault.New(fault.NotFound, "model_not_found", "there is no model %q", name)
	}
	return &catalog.Model{Name: "m", Spec: &task.Spec{Task: task.Raw}, Versions: []catalog.Version{{Number: "2", State: backend.Ready}, {Number: "1", State: backend.Ready}}}, nil
}
func (onlyTensors) Fresh() bool { return true }

// hungShadow answers for version 1, and never for version 2.
type hungShadow struct{ asked atomic.Int64 }

func (h *hungShadow) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	if r.Version == "1" {
		return &backend.Response{Version: "1", Outputs: r.Inputs}, nil
	}
	h.asked.Add(1)
	<-ctx.Done()
	return nil, fault.Ended(ctx.Err(), "while the model hung")
}
func (*hungShadow) Index(context.Context) ([]backend.ModelStatus, error)        { return nil, nil }
func (*hungShadow) Config(context.Context, string) (*modelconfig.Config, error) { return nil, nil }
func (*hungShadow) Close() error                                                { return nil }

// heldMemory counts the bytes of requests that somebody holds.
type heldMemory struct{ now, most *atomic.Int64 }

const heldSize = 1 << 20

func (m heldMemory) Retain()  { m.most.Store(max(m.most.Load(), m.now.Add(heldSize))) }
func (m heldMemory) Release() { m.now.Add(-heldSize) }

type noMemory struct{}

func (noMemory) Load(context.Context, string) ([]byte, error)               { return nil, nil }
func (noMemory) Swap(context.Context, string, []byte, []byte) (bool, error) { return true, nil }

// 10,000 requests with a shadow that never answers hold no more than shadows.held, and are each done in the time of a call that has no shadow.
func TestAHungShadowHoldsBoundedMemory(t *testing.T) {
	routes, err := book.New(t.Context(), book.Options{Base: Routes{"ab": {Candidates: []route.Candidate{{Target: route.Target{Model: "m", Version: "1"}, Weight: 1}}, Shadow: &route.Shadow{Target: route.Target{Model: "m", Version: "2"}, Percent: 100}}}, Records: noMemory{}})
	if err != nil {
		t.Fatal(err)
	}
	defer routes.Close()
	s := &shadows{book: routes, models: onlyTensors{}, log: quietLog(), seen: map[string]string{}}
	const held = 64 << 20
	s.Runner = shadow.New(shadow.Options{Waiting: 100_000, HeldBytes: held, Timeout: time.Hour})
	hung := &hungShadow{}
	p := pipeline.New(pipeline.Parts{Models: onlyTensors{}, Backend: hung, CPU: limit.New(1, 1), Routes: routing{routes, newRouteCounts(), nil}, Shadows: s})
	var now, most atomic.Int64
	data := make([]byte, heldSize)
	for range 10_000 {
		m := heldMemory{&now, &most}
		m.Retain()
		in := []tensor.Tensor{{Name: "x", DType: tensor.Uint8, Shape: []int64{1, heldSize}, Data: data}}
		a, err := p.Pass(t.Context(), &backend.Request{Model: "ab", Inputs: in, Memory: m})
		if err != nil || a.Version != "1" {
			t.Fatal(err)
		}
		m.Release()
	}
	// Each holds its input and the answer, which are of the same size here.
	if got := most.Load(); got > held/2+2*heldSize || got < held/2 {
		t.Errorf("%d MiB were held", got>>20)
	}
	st := s.Stats()[0]
	if st.Outcomes[shadow.DroppedBytes] != 10_000-32 || hung.asked.Load() > 2 {
		t.Errorf("%+v, %d asked", st, hung.asked.Load())
	}
	if err := s.Close(t.Context()); err != nil || now.Load() != 0 {
		t.Errorf("%v, %d MiB are held after the end", err, now.Load()>>20)
	}
}
