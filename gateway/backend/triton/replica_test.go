package triton

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// versioned is a server that has versions 1 to 3 of m, of which the first is loaded.
func versioned(t *testing.T) *tritontest.Server {
	t.Helper()
	s := tritontest.New(t)
	config := &tritonpb.ModelConfig{Name: "m", MaxBatchSize: 8,
		Input: []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}, Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}
	for _, v := range []string{"1", "2", "3"} {
		s.Model("m", echo, tritontest.Version(v), tritontest.Config(config))
	}
	load(t, clientOf(t, s.Addr()).Replicas()[0], "1")
	return s
}

func load(t *testing.T, r *Replica, versions ...string) {
	t.Helper()
	if err := r.Serve(t.Context(), "m", versions); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, r *Replica) string {
	t.Helper()
	have, err := r.ready(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for v := range have {
		list = append(list, v)
	}
	slices.Sort(list)
	return strings.Join(list, "+")
}

func TestServeLoadsJustTheseVersions(t *testing.T) {
	a, b := versioned(t), versioned(t)
	c := clientOf(t, a.Addr(), b.Addr())
	r := c.Taking()[1]
	if r.Name() != b.Addr() {
		t.Fatalf("%s", r.Name())
	}
	before := b.Loads("m")
	load(t, r, "1") // is there
	if b.Loads("m") != before || loaded(t, r) != "1" {
		t.Errorf("%d loads for nothing", b.Loads("m")-before)
	}
	load(t, r, "1", "3")
	if loaded(t, r) != "1+3" || b.Loads("m") != before+1 {
		t.Errorf("loaded %s, %d loads", loaded(t, r), b.Loads("m")-before)
	}
	if text := b.ControlParams("m")["config"].(string); !strings.Contains(text, `"max_batch_size"`) || !strings.Contains(text, `"version_policy"`) {
		t.Errorf("config %s", text)
	}
	for v, want := range map[string]bool{"1": true, "2": false, "3": true} {
		if err := r.Ready(t.Context(), "m", v); (err == nil) != want || err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("version %s: %v", v, err)
		}
	}
	load(t, r, "3")
	if other := c.Taking()[0]; loaded(t, r) != "3" || loaded(t, other) != "1" {
		t.Errorf("loaded %s, and %s on the other", loaded(t, r), loaded(t, other))
	}
}

// A server that came back without the model gets the config that another has.
func TestServeTakesTheConfigOfAnother(t *testing.T) {
	a, b := versioned(t), versioned(t)
	c := clientOf(t, a.Addr(), b.Addr())
	b.SetState("m", "UNAVAILABLE", "unloaded")
	b.SetConfig("m", nil)
	r := c.Replicas()[1]
	if loaded(t, r) != "" {
		t.Fatal("it is loaded")
	}
	load(t, r, "2")
	if loaded(t, r) != "2" {
		t.Errorf("loaded %s", loaded(t, r))
	}
}

func TestServeThatFails(t *testing.T) {
	s := versioned(t)
	r := clientOf(t, s.Addr()).Replicas()[0]
	s.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Code: codes.InvalidArgument, Text: "load failed for model 'm': version 2 is at UNAVAILABLE state: no weights", Times: 1})
	f := wantFault(t, r.Serve(t.Context(), "m", []string{"1", "2"}), fault.Invalid, "invalid_request")
	if !strings.Contains(f.Detail, "no weights") || loaded(t, r) != "1" {
		t.Errorf("%q, loaded %s", f.Detail, loaded(t, r))
	}
	wantFault(t, r.Serve(t.Context(), "m", []string{"x"}), fault.Invalid, "invalid_request")
	s.Kill()
	wantFault(t, r.Serve(t.Context(), "m", []string{"1"}), fault.Unavailable, "backend_unavailable")
	wantFault(t, r.Ready(t.Context(), "m", "1"), fault.Unavailable, "backend_unavailable")
	fixed := fake(t, tritontest.WithoutControl())
	fixed.Model("m", echo, tritontest.Version("2"))
	alone := clientOf(t, fixed.Addr()).Replicas()[0]
	f = wantFault(t, alone.Serve(t.Context(), "m", []string{"1", "2", "3"}), fault.Unsupported, "unsupported_model")
	if !strings.Contains(f.Detail, "explicit") {
		t.Errorf("%q", f.Detail)
	}
	load(t, alone, "1") // the other one cannot be unloaded, and harms nobody
}

// A load goes on in a Triton whose caller has left; the next one waits for it, so that it comes after.
func TestServesComeOneAfterTheOther(t *testing.T) {
	s := versioned(t)
	r := clientOf(t, s.Addr()).Replicas()[0]
	release := make(chan struct{})
	s.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Until: release, Times: 1})
	ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	if err := r.Serve(ctx, "m", []string{"1", "2"}); fault.KindOf(err) != fault.Timeout {
		t.Fatalf("%v", err)
	}
	done := make(chan error)
	go func() { done <- r.Serve(t.Context(), "m", []string{"1"}) }()
	close(release)
	if err := <-done; err != nil || loaded(t, r) != "1" {
		t.Errorf("%v, loaded %s", err, loaded(t, r))
	}
}

func TestReplicaInfersHere(t *testing.T) {
	a, b := fake(t), fake(t)
	c := clientOf(t, a.Addr(), b.Addr())
	r := c.Replicas()[1]
	for range 10 {
		if err := r.Infer(t.Context(), requestOf("m", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if a.Calls("m") != 0 || b.Calls("m") != 10 {
		t.Errorf("%d and %d calls", a.Calls("m"), b.Calls("m"))
	}
	b.Model("bad", func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
		return nil, errors.New("out of memory")
	})
	f := wantFault(t, r.Infer(t.Context(), requestOf("bad", 1)), fault.Upstream, "upstream_error")
	if !strings.Contains(f.Detail, "out of memory") {
		t.Errorf("%q", f.Detail)
	}
	// Its epoch is as before: they are own calls.
	if _, err := c.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := r.Loads(); len(l) == 0 || l[0].Times != 0 {
		t.Errorf("loads %+v", l)
	}
}

// TestAServerThatIsHeld gets no calls until what OnReturn was given lets it in.
func TestAServerThatIsHeld(t *testing.T) {
	a, b := fake(t), fake(t)
	c := clientOf(t, a.Addr(), b.Addr())
	if _, err := c.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	var may atomic.Bool
	var asked atomic.Int32
	c.OnReturn(func(_ context.Context, r *Replica, admit func()) error {
		asked.Add(1)
		if r.Name() != a.Addr() {
			t.Errorf("%s is back", r.Name())
		}
		if !may.Load() {
			return errors.New("not yet")
		}
		admit()
		return nil
	})
	first := c.Replicas()[0]
	first.Hold("it lacks a version")
	if !first.Held() || !first.OutOfService() || len(c.Taking()) != 1 {
		t.Fatalf("%d take traffic", len(c.Taking()))
	}
	before := a.Calls("m")
	for range 20 {
		must(t, c, requestOf("m", 1))
	}
	parts.Until(t, "it is asked for", time.Minute, func() bool { return asked.Load() >= 1 })
	if a.Calls("m") != before || len(c.Taking()) != 1 {
		t.Errorf("%d calls of the one that is held", a.Calls("m")-before)
	}
	may.Store(true)
	parts.Until(t, "it is let in", time.Minute, func() bool { return len(c.Taking()) == 2 })
	if first.Held() {
		t.Error("it is held still")
	}
	parts.Until(t, "it gets calls", time.Minute, func() bool {
		must(t, c, requestOf("m", 1))
		return a.Calls("m") > before
	})
}

// Where nobody else is left, a server that is held goes on taking calls.
func TestTheLastServerIsNotTakenOut(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	r := c.Replicas()[0]
	r.Hold("it lacks a version")
	if !r.Held() || r.OutOfService() || len(c.Taking()) != 0 {
		t.Error("it is out of service, or takes part")
	}
	must(t, c, requestOf("m", 1))
	r.LetIn()
	if r.Held() || len(c.Taking()) != 1 {
		t.Error("it is held still")
	}
}

func TestLoadsAreCounted(t *testing.T) {
	at := newClock()
	s := fake(t)
	c := gatewayOf(t, s, nil, at)
	look := func() uint64 {
		t.Helper()
		epochOf(t, c, at)
		list := c.Replicas()[0].Loads()
		if len(list) != 1 || list[0].Model != "m" || list[0].Version != "1" {
			t.Fatalf("%+v", list)
		}
		return list[0].Times
	}
	if n := look(); n != 0 {
		t.Errorf("%d at the first look", n)
	}
	infers(t, c, 3)
	if n := look(); n != 0 {
		t.Errorf("%d after calls", n)
	}
	s.Foreign("m", 5)
	if n := look(); n != 0 {
		t.Errorf("%d after calls of strangers, which may be a load", n)
	}
	s.Reload("m")
	if n := look(); n != 1 {
		t.Errorf("%d after a load", n)
	}
	if r := c.Replicas()[0]; r.Lacks("m", "1") || !r.Lacks("m", "7") {
		t.Error("what is there is not, or the other way round")
	}
}
