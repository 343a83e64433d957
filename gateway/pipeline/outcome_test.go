package pipeline

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/tensor"
)

// oddBackend does what the test says, with whatever asks it.
type oddBackend struct {
	*fakeBackend
	infer func(r *backend.Request) (*backend.Response, error)
}

func (b oddBackend) Infer(_ context.Context, r *backend.Request) (*backend.Response, error) {
	return b.infer(r)
}

func (b oddBackend) Stream(_ context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	for range 3 {
		a, err := b.infer(r)
		if err == nil {
			err = emit(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outcomeRig is a route to one version of each model.
func outcomeRig(t *testing.T) (*rig, *fakeRoutes) {
	r, routes := newRouteRig(t, "")
	routes.put(t, "one", route.Spec{Candidates: []route.Candidate{of("pictures", "1", 1)}})
	routes.put(t, "raw", route.Spec{Candidates: []route.Candidate{of("tensors", "2", 1)}})
	return r, routes
}

// TestARouteHearsWhatItsModelsDo: once for every answer that a model has computed, and not for those that are stored or shared.
func TestARouteHearsWhatItsModelsDo(t *testing.T) {
	r, routes := outcomeRig(t)
	ask := func(level uint8, change func(*Request)) error {
		_, err := r.ask(t.Context(), picture(t, level), change)
		return err
	}
	want := func(what string, n int) {
		t.Helper()
		list := routes.heard()
		for _, o := range list {
			if o.target != "pictures@1" || o.version != "1" || o.took <= 0 || o.err != nil {
				t.Errorf("%s: %+v", what, o)
			}
		}
		if len(list) != n {
			t.Errorf("%s: told %d times, not %d", what, len(list), n)
		}
	}
	for _, err := range []error{ask(1, toRoute("one")), ask(2, toRoute("one"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want("two pictures", 2)
	_ = ask(1, toRoute("one"))
	_ = ask(1, nil)
	want("a stored answer, and one of no route", 0)
	top, two := 1, 2
	_ = ask(1, func(q *Request) { q.Model, q.Options.TopK = "one", &top })
	want("stored outputs read otherwise", 0)
	if _, err := r.Cached(t.Context(), &Request{Model: "one", Options: postprocess.Options{TopK: &two}}, shaOf(picture(t, 1))); err != nil {
		t.Error(err)
	}
	_, _ = r.Explain(t.Context(), &Request{Model: "one"})
	want("by digest and explained", 0)
	r.backend.gate, r.backend.began = make(chan struct{}), make(chan struct{}, 9)
	before := r.entered.Load()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := ask(3, toRoute("one")); err != nil {
				t.Error(err)
			}
		})
	}
	<-r.backend.began
	for r.entered.Load() < before+6 { // five for the answer, one of them for the outputs
		runtime.Gosched()
	}
	close(r.backend.gate)
	all.Wait()
	want("five who ask the same", 1)
}

func TestARouteHearsOfFailures(t *testing.T) {
	r, routes := outcomeRig(t)
	down := fault.New(fault.Unavailable, "backend_unavailable", "down")
	r.backend.fail.Store(down)
	if _, err := r.ask(t.Context(), picture(t, 1), toRoute("one")); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	if o := routes.heard(); len(o) != 1 || !errors.Is(o[0].err, down) || o[0].took <= 0 {
		t.Errorf("the model failed: %+v", o)
	}
	r.Backend = oddBackend{r.backend, func(q *backend.Request) (*backend.Response, error) {
		return &backend.Response{Version: q.Version, Outputs: []tensor.Tensor{{Name: "other", DType: tensor.FP32, Shape: []int64{1, 3}, Data: make([]byte, 12)}}}, nil
	}}
	_, err := r.ask(t.Context(), picture(t, 2), toRoute("one"))
	if o := routes.heard(); err == nil || len(o) != 1 || fault.KindOf(o[0].err) != fault.KindOf(err) {
		t.Errorf("nobody can read it: %+v, %v", o, err)
	}
	delete(r.models.models, "pictures")
	_, err = r.ask(t.Context(), picture(t, 2), toRoute("one"))
	if o := routes.heard(); fault.KindOf(err) != fault.Unavailable || len(o) != 1 || o[0].target != "pictures@1" || o[0].version != "" || o[0].err == nil {
		t.Errorf("it is not there: %+v, %v", o, err)
	}
	if _, err = r.Explain(t.Context(), &Request{Model: "one"}); err == nil || len(routes.heard()) != 0 {
		t.Errorf("explained: %v", err)
	}
}

// TestARouteHearsOfTensors: of a stream it is the time to the first response, and what the caller has done wrong is the caller's.
func TestARouteHearsOfTensors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, routes := outcomeRig(t)
		var fail error
		r.Backend = oddBackend{r.backend, func(q *backend.Request) (*backend.Response, error) {
			time.Sleep(10 * time.Millisecond)
			return &backend.Response{Version: q.Version}, fail
		}}
		request := func() *backend.Request {
			return &backend.Request{Model: "raw", Inputs: []tensor.Tensor{{Name: "in", DType: tensor.FP32, Shape: []int64{1, 2}, Data: make([]byte, 8)}}}
		}
		want := func(what string, kind fault.Kind, failed bool) {
			t.Helper()
			o := routes.heard()
			if len(o) != 1 || o[0].target != "tensors@2" || o[0].took != 10*time.Millisecond || failed != (o[0].err != nil) || failed && fault.KindOf(o[0].err) != kind {
				t.Errorf("%s: %+v", what, o)
			}
		}
		if _, err := r.Pass(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
		want("one response", 0, false)
		if err := r.Stream(t.Context(), request(), func(*backend.Response) error { time.Sleep(time.Second); return nil }); err != nil {
			t.Fatal(err)
		}
		want("a stream", 0, false)
		fail = fault.New(fault.Upstream, "upstream_error", "no")
		_ = r.Stream(t.Context(), request(), func(*backend.Response) error { return nil })
		want("a stream that fails", fault.Upstream, true)
		fail = fault.New(fault.Contract, "upstream_contract", "refused").Wrap(fault.New(fault.Invalid, "invalid_request", "unexpected shape"))
		if _, err := r.Pass(t.Context(), request()); fault.KindOf(err) != fault.Contract {
			t.Error(err)
		}
		want("refused", fault.Invalid, true)
	})
}

// A graph is one model to its route, whatever it asks.
func TestARouteHearsOfGraphs(t *testing.T) {
	r, _ := graphRig(t, func(ctx context.Context, c *Composition) ([]byte, bool, error) {
		if _, err := c.Ask(ctx, "pictures", "", nil, c.Options); err != nil {
			return nil, false, err
		}
		return []byte(`"nodes":{}`), true, nil
	})
	routes := &fakeRoutes{plans: map[string]*route.Plan{}, seen: map[string]int{}}
	r.Routes = routes
	routes.put(t, "graphs", route.Spec{Candidates: []route.Candidate{of("both", "", 1)}})
	a, err := r.ask(t.Context(), square(t, 4, 1), toRoute("graphs"))
	if err != nil || !strings.Contains(string(a.Body), "nodes") {
		t.Fatal(err)
	}
	if o := routes.heard(); len(o) != 1 || o[0].target != "both" || o[0].err != nil || o[0].took <= 0 {
		t.Errorf("%+v", o)
	}
	r.backend.fail.Store(fault.New(fault.Upstream, "upstream_error", "no"))
	_, err = r.ask(t.Context(), square(t, 4, 2), func(q *Request) { q.Model, q.Cache = "graphs", cache.NoStore })
	if o := routes.heard(); err == nil || len(o) != 1 || o[0].err == nil {
		t.Errorf("%+v", o)
	}
}
