package catalog

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// three is a fake whose model m has three versions ready.
func three() *fake {
	s := source()
	s.index = []backend.ModelStatus{ready("m", "1", "e1"), ready("m", "2", "e2"), ready("m", "3", "e3")}
	return s
}

func serves(t *testing.T, c *Catalog, want string) {
	t.Helper()
	if got := lookup(t, c, "m").Serving(); got != want {
		t.Errorf("version %q serves, want %q", got, want)
	}
}

func TestAPinDecides(t *testing.T) {
	s := three()
	c := start(t, s, "")
	serves(t, c, "3")
	c.Pin("m", "1")
	serves(t, c, "1")
	if c.Pinned("m") != "1" || lookup(t, c, "m").Pin != "1" || c.Models()[0] != lookup(t, c, "m") {
		t.Error("the pin does not show, or the list shows another model than Lookup")
	}
	// It outlives looks, also those that find new versions.
	s.set(func(f *fake) { f.index = append(f.index, ready("m", "4", "e4")) })
	refresh(t, c)
	serves(t, c, "1")
	if v, err := lookup(t, c, "m").Resolve("4"); err != nil || v.Epoch != "e4" {
		t.Errorf("a version that is asked for: %+v %v", v, err)
	}
	same := lookup(t, c, "m")
	refresh(t, c)
	if lookup(t, c, "m") != same {
		t.Error("another model though nothing has changed")
	}
	c.Pin("m", "")
	serves(t, c, "4")
}

func TestAPinThatIsNotReady(t *testing.T) {
	s := three()
	c := start(t, s, "")
	c.Pin("m", "2")
	s.set(func(f *fake) { f.index[1].State = backend.Loading })
	refresh(t, c)
	if _, err := lookup(t, c, "m").Resolve(""); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("%v", err)
	}
	c.Pin("m", "9")
	if _, err := lookup(t, c, "m").Resolve(""); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "/switch") {
		t.Errorf("%v", err)
	}
	if v, err := lookup(t, c, "m").Resolve("1"); err != nil || v.Number != "1" {
		t.Errorf("the others answer: %v", err)
	}
}

// A pin of a model that is not there yet counts from its first look on.
func TestAPinComesBeforeTheModel(t *testing.T) {
	s := three()
	s.err = fault.New(fault.Unavailable, "backend_unavailable", "not up")
	c := start(t, s, "")
	c.Pin("m", "2")
	s.set(func(f *fake) { f.err = nil })
	refresh(t, c)
	serves(t, c, "2")
}

func TestPickCounts(t *testing.T) {
	c := start(t, three(), "")
	c.Pin("m", "1")
	m := lookup(t, c, "m")
	a, err := Pick(m, "", c.Lookup)
	if err != nil || a.Number != "1" || c.Running("m", "1") != 1 {
		t.Fatalf("%+v %v, %d running", a, err, c.Running("m", "1"))
	}
	b, err := Pick(m, "3", c.Lookup)
	if err != nil || b.Number != "3" || c.Running("m", "3") != 1 {
		t.Fatalf("%+v %v", b, err)
	}
	c.Pin("m", "2")
	// Who has the model from before the flip does not get the version from before it.
	late, err := Pick(m, "", c.Lookup)
	if err != nil || late.Number != "2" || c.Running("m", "1") != 1 || c.Running("m", "2") != 1 {
		t.Errorf("%+v %v, %d and %d running", late, err, c.Running("m", "1"), c.Running("m", "2"))
	}
	refresh(t, c)
	for _, v := range []Version{a, b, late} {
		v.Leave()
	}
	for _, v := range []string{"1", "2", "3"} {
		if n := c.Running("m", v); n != 0 {
			t.Errorf("%d use version %s", n, v)
		}
	}
	if _, err := Pick(m, "8", c.Lookup); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	// What is no model of the backend is not counted.
	graph := &Model{Name: "g", Versions: []Version{{Number: "1", State: backend.Ready}}}
	v, err := Pick(graph, "", c.Lookup)
	v.Leave()
	if err != nil || v.Number != "1" {
		t.Errorf("%+v %v", v, err)
	}
}

// Once a flip is done and nobody uses the earlier version, nobody ever picks it again.
func TestACountOfNoneStays(t *testing.T) {
	c := start(t, three(), "")
	versions := []string{"1", "2"}
	c.Pin("m", versions[0])
	var gone atomic.Value // the version whose count was seen to be 0 after its flip
	gone.Store("")
	var wait sync.WaitGroup
	ended := make(chan struct{})
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				m, err := c.Lookup("m")
				if err != nil {
					t.Error(err)
					return
				}
				was := gone.Load()
				v, err := Pick(m, "", c.Lookup)
				if err != nil || v.Number == was && v.Number == gone.Load() {
					t.Errorf("version %s was picked, whose count was 0: %v", v.Number, err)
					return
				}
				v.Leave()
			}
		})
	}
	for round := range 40 {
		old, now := versions[round%2], versions[(round+1)%2]
		gone.Store("")
		c.Pin("m", now)
		for c.Running("m", old) > 0 {
			runtime.Gosched()
		}
		gone.Store(old)
		runtime.Gosched()
	}
	close(ended)
	wait.Wait()
}
