package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// fakeRoutes are the routes of a test, and what they have chosen.
type fakeRoutes struct {
	plans map[string]*route.Plan
	mu    sync.Mutex
	seen  map[string]int // target and reason
	told  []outcome
}

// outcome is what a route has heard of an answer.
type outcome struct {
	target, version string
	took            time.Duration
	err             error
}

func (f *fakeRoutes) Plan(name string) (*route.Plan, bool) {
	p, ok := f.plans[name]
	return p, ok
}

func (f *fakeRoutes) Chosen(r *Routed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[r.Target.String()+" "+r.Reason]++
}

func (f *fakeRoutes) Answered(r *Routed, took time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, outcome{r.Target.String(), r.Version, took, err})
}

// heard gives what was told since the last time.
func (f *fakeRoutes) heard() []outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.told
	f.told = nil
	return list
}

// put makes a route, or changes it.
func (f *fakeRoutes) put(t testing.TB, name string, spec route.Spec) {
	t.Helper()
	plan, err := route.Compile(name, spec, f.plans[name])
	if err != nil {
		t.Fatal(err)
	}
	f.plans[name] = plan
}

func of(model string, version route.Version, weight float64) route.Candidate {
	return route.Candidate{Target: route.Target{Model: model, Version: version}, Weight: weight}
}

// newRouteRig has two versions of every model, and the route ab, 90 to 10.
func newRouteRig(t *testing.T, sticky string) (*rig, *fakeRoutes) {
	r := newRig(t)
	routes := &fakeRoutes{plans: map[string]*route.Plan{}, seen: map[string]int{}}
	r.Routes = routes
	for _, m := range r.models.models {
		m.Versions = []catalog.Version{{Number: "2", State: backend.Ready, Epoch: "e2"}, {Number: "1", State: backend.Ready, Epoch: "e1"}}
	}
	routes.put(t, "ab", route.Spec{Sticky: sticky, Candidates: []route.Candidate{of("pictures", "1", 90), of("pictures", "2", 10)}})
	return r, routes
}

func toRoute(name string) func(*Request) { return func(r *Request) { r.Model = name } }

// as asks in the name of a user.
func as(ctx context.Context, user, tier string) context.Context {
	return caller.With(ctx, &caller.Caller{ID: user, Tier: tier})
}

// TestVariantsShareNoAnswer: whatever is stored of one version is never the answer of another, and what a route has computed is the model's own stored answer.
func TestVariantsShareNoAnswer(t *testing.T) {
	r, routes := newRouteRig(t, "header:X-User")
	routes.put(t, "ab", route.Spec{Sticky: "header:X-User", Candidates: []route.Candidate{of("pictures", "1", 50), of("pictures", "2", 50)}})
	data := picture(t, 1)
	for i := range 40 {
		a, err := r.ask(t.Context(), data, func(q *Request) {
			q.Model, q.Header = "ab", http.Header{"X-User": {fmt.Sprint("u", i)}}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`"model":"pictures","version":"%s"`, a.Version); !strings.Contains(string(a.Body), want) {
			t.Fatalf("version %s is answered with %s", a.Version, a.Body)
		}
		if a.Routed == nil || a.Routed.String() != "pictures/"+a.Version+"; reason=sticky:header:X-User; route=ab" || a.Reason != "sticky:header:X-User" {
			t.Fatalf("%+v", a.Routed)
		}
	}
	if calls := r.backend.calls.Load(); calls != 2 {
		t.Errorf("%d calls", calls)
	}
	for _, version := range []string{"1", "2"} {
		a, err := r.ask(t.Context(), data, func(q *Request) { q.Version = version })
		if err != nil || !a.FromCache || a.Version != version || a.Routed != nil {
			t.Errorf("%+v %v", a, err)
		}
	}
}

func TestRulesSeeTheRequest(t *testing.T) {
	r, routes := newRouteRig(t, "")
	one := int64(1)
	hundred := int64(100)
	to := func(version route.Version) route.Target { return route.Target{Model: "pictures", Version: version} }
	routes.put(t, "rules", route.Spec{
		Candidates: []route.Candidate{of("pictures", "1", 1)},
		Rules: []route.Rule{
			{When: route.When{Tier: "gold"}, Use: to("2")},
			{When: route.When{Header: map[string]string{"X-Canary": "yes*"}}, Use: to("2")},
			{When: route.When{RowsOver: &one}, Use: to("2")},
			{When: route.When{PixelsOver: &one}, Use: to("2")},
			{When: route.When{BytesOver: &hundred}, Use: to("2")},
		},
	})
	small, wide := picture(t, 1), widePicture(t)
	for i, c := range []struct {
		ctx    context.Context
		data   []byte
		change func(*Request)
		want   string
	}{
		{t.Context(), small, func(*Request) {}, "pictures@1 weight"},
		{as(t.Context(), "u", "gold"), small, func(*Request) {}, "pictures@2 rule[0]"},
		{as(t.Context(), "u", "free"), small, func(*Request) {}, "pictures@1 weight"},
		{t.Context(), small, func(q *Request) { q.Header = http.Header{"X-Canary": {"yes, please"}} }, "pictures@2 rule[1]"},
		{WithHeader(t.Context(), http.Header{"X-Canary": {"yes"}}.Get), small, func(*Request) {}, "pictures@2 rule[1]"},
		{t.Context(), small, func(q *Request) { q.Rows = 2 }, "pictures@2 rule[2]"},
		{t.Context(), wide, func(*Request) {}, "pictures@2 rule[3]"},
	} {
		a, err := r.ask(c.ctx, c.data, func(q *Request) { q.Model = "rules"; c.change(q) })
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Routed.Target.String() + " " + a.Reason; got != c.want {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
	}
	// By its digest alone, nobody knows a picture's size: it has to be sent.
	if _, err := r.Cached(t.Context(), &Request{Model: "rules"}, [32]byte{1}); !errors.Is(err, &fault.Error{Code: "result_not_cached"}) {
		t.Errorf("%v", err)
	}
}

// TestContentIsSticky: the same picture, row or tensor is always on one side, and a look-up by digest finds that side's answer.
func TestContentIsSticky(t *testing.T) {
	r, routes := newRouteRig(t, "content")
	for _, model := range []string{"pictures", "rows", "tensors"} {
		routes.put(t, "half-"+model, route.Spec{Sticky: "content", Candidates: []route.Candidate{of(model, "1", 50), of(model, "2", 50)}})
	}
	versions := map[string]int{}
	for level := range uint8(24) {
		data := picture(t, level)
		first, err := r.ask(t.Context(), data, toRoute("half-pictures"))
		if err != nil {
			t.Fatal(err)
		}
		versions[first.Version]++
		again, err := r.Cached(t.Context(), &Request{Model: "half-pictures"}, shaOf(data))
		if err != nil || again.Version != first.Version || !again.FromCache {
			t.Fatalf("%+v %v", again, err)
		}
	}
	if versions["1"] < 4 || versions["2"] < 4 {
		t.Errorf("%v", versions)
	}
	sides := map[string]bool{}
	for i := range 24 {
		version := ""
		for _, row := range []preprocess.Row{{Named: map[string]any{"a": float64(i), "b": 2.0}}, {Named: map[string]any{"b": "2", "a": fmt.Sprint(i)}}, {Positional: []any{float64(i), 2.0}}} {
			a, err := r.Run(t.Context(), &Request{Model: "half-rows", Item: Item{Row: &row}})
			if err != nil {
				t.Fatal(err)
			}
			if version != "" && a.Version != version {
				t.Fatalf("row %d is on both sides", i)
			}
			version = a.Version
		}
		sides["row "+version] = true
		in := tensor.Tensor{Name: "in", DType: tensor.Uint8, Shape: []int64{1, 4}, Data: []byte{byte(i), 0, 0, 0}}
		raw := &backend.Request{Model: "half-tensors", Inputs: []tensor.Tensor{in}}
		passed, err := r.Pass(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if raw.Model != "tensors" || raw.Version != passed.Version || passed.Routed.Plan.Name != "half-tensors" {
			t.Fatalf("%+v", raw)
		}
		sides["raw "+passed.Version] = true
	}
	if len(sides) != 4 {
		t.Errorf("%v", sides)
	}
}

func TestFallback(t *testing.T) {
	r, routes := newRouteRig(t, "")
	routes.put(t, "safe", route.Spec{Candidates: []route.Candidate{of("pictures", "1", 1)}, Fallback: []route.Target{{Model: "gone"}, {Model: "pictures", Version: "2"}}})
	data := picture(t, 1)
	want := func(version, reason string) {
		t.Helper()
		if a, err := r.ask(t.Context(), data, toRoute("safe")); err != nil || a.Version != version || a.Reason != reason {
			t.Errorf("%+v %v", a, err)
		}
	}
	want("1", "weight")
	next := *r.models.models["pictures"]
	next.Versions = []catalog.Version{{Number: "2", State: backend.Ready, Epoch: "e2"}, {Number: "1", State: backend.Loading}}
	r.models.models["pictures"] = &next
	want("2", "fallback[1]")
	last := next
	last.Versions = []catalog.Version{{Number: "1", State: backend.Loading}}
	r.models.models["pictures"] = &last
	if _, err := r.ask(t.Context(), data, toRoute("safe")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	routes.put(t, "wrong", route.Spec{Candidates: []route.Candidate{of("nowhere", "", 1)}})
	var f *fault.Error
	if _, err := r.ask(t.Context(), data, toRoute("wrong")); !errors.As(err, &f) || f.Kind != fault.Unavailable || !strings.Contains(f.Detail, `"wrong" leads to nowhere`) {
		t.Errorf("%v", err)
	}
}

// TestRoutesRefuse: what a model would refuse, and a version.
func TestRoutesRefuse(t *testing.T) {
	r, routes := newRouteRig(t, "")
	routes.put(t, "rows-ab", route.Spec{Candidates: []route.Candidate{of("rows", "1", 1)}})
	row := &preprocess.Row{Named: map[string]any{"a": 1.0}}
	whole := &preprocess.Row{Named: map[string]any{"a": 1.0, "b": 1.0}}
	many := 99
	for i, c := range []struct {
		q    Request
		code string
	}{
		{Request{Model: "ab", Version: "2", Item: Item{Image: NewBody(picture(t, 1), nil)}}, "invalid_request"},
		{Request{Model: "ab", Item: Item{Image: NewBody([]byte("no picture"), nil)}}, "unsupported_media_type"},
		{Request{Model: "ab", Item: Item{Row: whole}}, "invalid_request"},
		{Request{Model: "ab"}, "invalid_request"},
		{Request{Model: "rows-ab", Item: Item{Row: row}}, "invalid_row"},
		{Request{Model: "rows-ab", Item: Item{Image: NewBody(picture(t, 1), nil)}}, "invalid_request"},
	} {
		if _, err := r.Run(t.Context(), &c.q); !errors.Is(err, &fault.Error{Code: c.code}) {
			t.Errorf("%d: %v", i, err)
		}
	}
	bad := Request{Model: "rows-ab", Item: Item{Row: whole}}
	bad.Options.MaxDetections = &many
	if _, err := r.Run(t.Context(), &bad); fault.KindOf(err) != fault.Invalid || r.Check(&bad) == nil {
		t.Errorf("%v", err)
	}
	if err := r.Check(&Request{Model: "rows-ab", Item: Item{Row: whole}}); err != nil {
		t.Error(err)
	}
	if r.Check(&Request{Model: "rows-ab", Version: "1", Item: Item{Row: whole}}) == nil || r.Check(&Request{Model: "rows-ab", Item: Item{Image: &Body{}}}) == nil {
		t.Error("a job that no worker could answer is taken")
	}
	if _, err := r.Pass(t.Context(), &backend.Request{Model: "ab", Version: "1"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestExplainRunsNothing(t *testing.T) {
	r, routes := newRouteRig(t, "header:X-User")
	routes.put(t, "ab", route.Spec{Sticky: "header:X-User", Candidates: []route.Candidate{of("pictures", "1", 50), of("pictures", "2", 50)},
		Shadow: &route.Shadow{Target: route.Target{Model: "rows"}, Percent: 100}})
	for i := range 20 {
		q := Request{Model: "ab", Header: http.Header{"X-User": {fmt.Sprint("u", i)}}}
		bare, err := r.Explain(t.Context(), &q)
		if err != nil || bare.Model != "pictures" || bare.Task != "image-classification" || !bare.Routed.Shadow {
			t.Fatalf("%+v %v", bare, err)
		}
		q.Item.Image = NewBody(picture(t, uint8(i)), nil)
		x, err := r.Explain(t.Context(), &q)
		if err != nil || x.Version != bare.Version || x.Reason != "sticky:header:X-User" {
			t.Fatalf("%+v %v", x, err)
		}
		if n := r.backend.calls.Load(); n != int64(i) {
			t.Fatalf("%d calls", n)
		}
		a, err := r.Run(t.Context(), &q)
		if err != nil || a.Version != x.Version {
			t.Fatalf("explained as %s, answered by %s: %v", x.Version, a.Version, err)
		}
	}
	if routes.seen["pictures@1 sticky:header:X-User"]+routes.seen["pictures@2 sticky:header:X-User"] != 20 {
		t.Errorf("%v", routes.seen)
	}
	if x, err := r.Explain(t.Context(), &Request{Model: "pictures", Version: "1"}); err != nil || x.Reason != "requested" || x.Routed != nil {
		t.Errorf("%+v %v", x, err)
	}
}

// TestRouteAdmission: a route has a lane of its own, is refused a version, and is open as long as one of its targets is there.
func TestRouteAdmission(t *testing.T) {
	r, _ := newRouteRig(t, "")
	a := &Admission{Models: r.models, Routes: r.Routes, Backend: r.backend, Items: 1, Bytes: 1 << 20, Unknown: 1, Timeout: time.Second, Parallel: 1}
	release, err := a.Admit(t.Context(), "ab", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Admit(t.Context(), "ab", "", 1); fault.KindOf(err) != fault.Busy {
		t.Errorf("%v", err)
	}
	if free, err := a.Admit(t.Context(), "pictures", "", 1); err != nil {
		t.Error(err)
	} else {
		free()
	}
	release()
	if err := a.Full(t.Context(), "ab", "1", 1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	delete(r.models.models, "pictures")
	if err := a.Full(t.Context(), "ab", "", 1); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}

// TestModelsPayNothingForRoutes: a request for a model allocates as much with routes as without.
func TestModelsPayNothingForRoutes(t *testing.T) {
	r, _ := newRouteRig(t, "")
	body := NewBody(picture(t, 1), nil)
	request := &Request{Model: "pictures", Item: Item{Image: body}, Cache: cache.Default}
	measure := func() float64 {
		return testing.AllocsPerRun(200, func() {
			if _, err := r.Run(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		})
	}
	with := measure()
	r.Routes = nil
	if without := measure(); with > without {
		t.Errorf("%v allocations with routes, %v without", with, without)
	}
}
