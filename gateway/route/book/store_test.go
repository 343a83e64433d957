package book

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

func TestOthersSeeAChangeWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		one, two := open(t, Options{Records: store, Every: defaultEvery}), open(t, Options{Records: store, Every: defaultEvery})
		if _, _, err := one.Put(t.Context(), "ab", split(1), "", Any); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if _, ok := two.Plan("ab"); !ok {
			t.Error("not seen after 300 ms")
		}
		_, _ = one.Close(), two.Close()
	})
}

// TestStoreThatIsAway: what is in force stays, changes are refused, and the next look after it is back finds what has changed meanwhile.
func TestStoreThatIsAway(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store, Base: map[string]route.Spec{"base": split(1)}})
	put := func(b *Book, w float64) error {
		_, _, err := b.Put(t.Context(), "ab", split(w, 1), "", Any)
		return err
	}
	if err := errors.Join(put(one, 1), two.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	store.set(func() { store.away = true })
	if err := put(one, 2); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	if err := two.Look(t.Context()); err == nil {
		t.Error("the look found something")
	}
	for _, name := range []string{"ab", "base"} {
		if _, ok := two.Plan(name); !ok {
			t.Errorf("%s is gone", name)
		}
	}
	late := open(t, Options{Records: store, Base: map[string]route.Spec{"base": split(1)}})
	if _, ok := late.Plan("base"); !ok {
		t.Error("without the store, the settings do not count")
	}
	store.set(func() { store.away = false })
	if err := errors.Join(put(one, 3), two.Look(t.Context()), late.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*Book{two, late} {
		if e, _ := b.Entry("ab"); e.Number != 2 {
			t.Errorf("version %d", e.Number)
		}
	}
}

// TestLostStore: a Redis that has forgotten everything hears it again from whoever notices.
func TestLostStore(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	if _, _, err := one.Put(t.Context(), "ab", split(9, 1), "ops", Any); err != nil {
		t.Fatal(err)
	}
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.set(func() { clear(store.values) })
	if err := errors.Join(two.Look(t.Context()), one.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, Options{Records: store})
	for _, b := range []*Book{one, two, fresh} {
		if e, ok := b.Entry("ab"); !ok || e.Number != 1 || e.By != "ops" {
			t.Errorf("%+v", e)
		}
	}
}

// TestUnreadableRecord: one route that cannot be read stays as it is, and the others change.
func TestUnreadableRecord(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	put := func(name string, w float64) {
		t.Helper()
		if _, _, err := one.Put(t.Context(), name, split(w, 1), "", Any); err != nil {
			t.Fatal(err)
		}
	}
	put("a", 1)
	put("b", 1)
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`{`, `{"versions":[{"number":7,"spec":{"candidates":[]}}]}`, `{"versions":[{"number":7,"spec":{"candidates":[{"model":"m","weight":"x"}]}}]}`} {
		store.set(func() { store.values["route/a"] = []byte(bad) })
		put("b", float64(len(bad)))
		if err := two.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, _ := two.Entry("a")
		b, _ := two.Entry("b")
		if a.Plan == nil || a.Number != 1 || b.Plan.Spec.Candidates[0].Weight != float64(len(bad)) {
			t.Errorf("%s: %+v", bad, a.Version)
		}
	}
	put("a", 5) // and it can be replaced
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, _ := two.Entry("a"); a.Plan.Spec.Candidates[0].Weight != 5 {
		t.Errorf("%+v", a.Version)
	}
}

// TestChangesAtTheSameTime: each of them becomes a version of its own, and none is lost.
func TestChangesAtTheSameTime(t *testing.T) {
	store := newMemory()
	books := []*Book{open(t, Options{Records: store}), open(t, Options{Records: store}), open(t, Options{Records: store})}
	var all sync.WaitGroup
	for i, b := range books {
		for j := range 4 {
			all.Go(func() {
				if _, _, err := b.Put(t.Context(), "ab", split(float64(1+10*i+j), 1), "", Any); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	list, err := books[0].History(t.Context(), "ab")
	if err != nil || len(list) != 12 {
		t.Fatalf("%d %v", len(list), err)
	}
	seen := map[float64]bool{}
	for i, v := range list {
		seen[v.Spec.Candidates[0].Weight] = true
		if v.Number != 12-i {
			t.Errorf("version %d at place %d", v.Number, i)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d different ones", len(seen))
	}
}

func TestNamesAreBounded(t *testing.T) {
	b := open(t, Options{Records: newMemory()})
	for i := range MostRoutes + 1 {
		_, _, err := b.Put(t.Context(), fmt.Sprint("r", i), split(1), "", Any)
		if full := i == MostRoutes; full != errors.Is(err, &fault.Error{Code: "conflict"}) {
			t.Fatalf("route %d: %v", i, err)
		}
	}
}

// TestFile: two gateways of a machine share it, it outlives them, and what is no file of routes is an error that says nothing of its path.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "routes.json")
	one, two := open(t, Options{Records: NewFile(path)}), open(t, Options{Records: NewFile(path)})
	for i := range 3 {
		if _, _, err := []*Book{one, two}[i%2].Put(t.Context(), "ab", split(float64(i+1), 1), "", Any); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*Book{one, two, open(t, Options{Records: NewFile(path)})} {
		if e, _ := b.Entry("ab"); e.Number != 3 || e.Plan.Spec.Candidates[0].Weight != 3 {
			t.Errorf("%+v", e.Version)
		}
	}
	left, _ := filepath.Glob(path + "*")
	if len(left) != 2 { // itself and the lock
		t.Errorf("%v", left)
	}
	if err := os.WriteFile(path, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := one.Put(t.Context(), "ab", split(7), "", Any)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "route_store_unavailable" || strings.Contains(f.Detail, path) {
		t.Errorf("%v", err)
	}
	if _, ok := one.Plan("ab"); !ok {
		t.Error("the route is gone")
	}
}

// FuzzRecord: whatever a store holds, nothing but a route that works comes into force.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"versions":[{"number":1,"spec":{"candidates":[{"model":"m","version":2,"weight":1}]},"shares":[{"candidate":0,"slots":10000}]}]}`))
	f.Add([]byte(`{"versions":[{"number":1,"spec":{"candidates":[{"model":"m","weight":1}]},"shares":[{"candidate":7,"slots":1}]}]}`))
	f.Add([]byte(`{"versions":[{"number":-1}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		store := newMemory()
		store.values["routes"], store.values["route/ab"] = []byte(`{"serial":1,"names":["ab"]}`), data
		b := open(t, Options{Records: store})
		if plan, ok := b.Plan("ab"); ok {
			if c := plan.Choose(&route.Asker{Chance: 1 << 63}, nil); c.Model == "" {
				t.Errorf("%+v", c)
			}
		}
		_ = b.Close()
	})
}
