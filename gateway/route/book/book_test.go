package book

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that several books share, and that the test takes away.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	away   bool
	swaps  int
	before func(key string) // called before every swap, unlocked; may be nil
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

var errAway = fault.New(fault.Unavailable, "cache_unavailable", "away")

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, errAway
	}
	return bytes.Clone(m.values[key]), nil
}

func (m *memory) Swap(_ context.Context, key string, old, value []byte) (bool, error) {
	if m.before != nil {
		m.before(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return false, errAway
	}
	if len(value) > 64<<10 {
		return false, fault.New(fault.Invalid, "invalid_request", "too large")
	}
	if !bytes.Equal(m.values[key], old) {
		return false, nil
	}
	m.swaps++
	m.values[key] = bytes.Clone(value)
	return true, nil
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func open(t *testing.T, o Options) *Book {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every == 0 {
		o.Every = time.Hour // the test looks
	}
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func split(weights ...float64) route.Spec {
	s := route.Spec{Sticky: "user"}
	for i, w := range weights {
		s.Candidates = append(s.Candidates, route.Candidate{Target: route.Target{Model: "m", Version: route.Version(fmt.Sprint(i + 1))}, Weight: w})
	}
	return s
}

// sides says where a thousand users are.
func sides(t *testing.T, b *Book, name string) map[string]string {
	t.Helper()
	plan, ok := b.Plan(name)
	if !ok {
		t.Fatalf("no route %s", name)
	}
	out := map[string]string{}
	for i := range 1000 {
		user := fmt.Sprintf("user-%d", i)
		out[user] = plan.Choose(&route.Asker{User: user}, nil).String()
	}
	return out
}

func count(sides map[string]string, side string) (n int) {
	for _, s := range sides {
		if s == side {
			n++
		}
	}
	return n
}

func TestPutIsSeenByOthers(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	e, created, err := one.Put(t.Context(), "ab", split(90, 10), "ops", Any)
	if err != nil || !created || e.Number != 1 || e.By != "ops" || e.Action != "put" || e.Base || e.At.IsZero() {
		t.Fatalf("%+v %v %v", e, created, err)
	}
	if _, ok := two.Plan("ab"); ok {
		t.Fatal("it was there before the look")
	}
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	was, is := sides(t, one, "ab"), sides(t, two, "ab")
	if !maps.Equal(was, is) || count(is, "m@2") < 60 || count(is, "m@2") > 140 {
		t.Errorf("two gateways send users to different sides, or %d of 1000 to a tenth", count(is, "m@2"))
	}
	// Nothing is read again while nothing has changed, and the plan stays the same one.
	plan, _ := two.Plan("ab")
	if err := two.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, _ := two.Plan("ab"); again != plan {
		t.Error("another plan without a change")
	}
}

// TestUsersMoveAsFewAsTheyMust: over several changes, made through two gateways, and back.
func TestUsersMoveAsFewAsTheyMust(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	put := func(b *Book, w ...float64) map[string]string {
		t.Helper()
		if _, _, err := b.Put(t.Context(), "ab", split(w...), "", Any); err != nil {
			t.Fatal(err)
		}
		return sides(t, b, "ab")
	}
	first := put(one, 90, 10)
	last := first
	for _, step := range [][]float64{{75, 25}, {50, 50}, {20, 80}} {
		b := one
		if step[0] == 50 {
			b = two
		}
		next := put(b, step...)
		for user, side := range last {
			if side == "m@2" && next[user] != "m@2" {
				t.Fatalf("%s left m@2, which has grown to %v", user, step)
			}
		}
		last = next
	}
	if e, err := one.Rollback(t.Context(), "ab", "ops", 1, Any); err != nil || e.Number != 5 || e.Action != "rollback" {
		t.Fatalf("%+v %v", e, err)
	}
	if !maps.Equal(first, sides(t, one, "ab")) {
		t.Error("the rollback has put users elsewhere than they were")
	}
}

func TestSettingsComeBack(t *testing.T) {
	store := newMemory()
	b := open(t, Options{Records: store, Base: map[string]route.Spec{"ab": split(100, 0)}})
	if e, ok := b.Entry("ab"); !ok || e.Number != 0 || !e.Base {
		t.Fatalf("%+v", e)
	}
	err := b.Delete(t.Context(), "ab", "", Any)
	if !errors.Is(err, &fault.Error{Code: "conflict"}) || !strings.Contains(err.Error(), "gateway.yaml") {
		t.Errorf("a route of the settings was deleted: %v", err)
	}
	e, created, err := b.Put(t.Context(), "ab", split(0, 100), "", 0)
	if err != nil || created || !e.Base || e.Number != 1 {
		t.Fatalf("%+v %v %v", e, created, err)
	}
	if got := sides(t, b, "ab"); count(got, "m@2") != 1000 {
		t.Error("the one that was put is not in force")
	}
	if err := b.Delete(t.Context(), "ab", "ops", 1); err != nil {
		t.Fatal(err)
	}
	if got := sides(t, b, "ab"); count(got, "m@1") != 1000 {
		t.Error("the one of the settings is not in force")
	}
	if e, _ := b.Entry("ab"); e.Number != 2 || e.Spec != nil || e.Action != "delete" || e.By != "ops" {
		t.Errorf("%+v", e)
	}
	// One that the settings do not have is gone.
	if _, _, err := b.Put(t.Context(), "other", split(1), "", Absent); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "other", "", Present); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Plan("other"); ok {
		t.Error("it is there")
	}
	if err := b.Delete(t.Context(), "other", "", Any); !errors.Is(err, &fault.Error{Code: "route_not_found"}) {
		t.Errorf("%v", err)
	}
	if e, err := b.Rollback(t.Context(), "other", "", 0, Any); err != nil || e.Plan == nil || e.Number != 3 {
		t.Errorf("a deletion is not undone: %+v %v", e, err)
	}
}

func TestExpectations(t *testing.T) {
	b := open(t, Options{Records: newMemory()})
	put := func(expect int, w float64) error {
		_, _, err := b.Put(t.Context(), "ab", split(w, 1), "", expect)
		return err
	}
	stale := &fault.Error{Code: "precondition_failed"}
	for i, c := range []struct {
		expect int
		ok     bool
	}{{0, false}, {3, false}, {Present, false}, {Absent, true}, {Absent, false}, {0, false}, {2, false}, {1, true}, {1, false}, {Present, true}, {3, true}, {Any, true}} {
		if err := put(c.expect, float64(i+1)); (err == nil) != c.ok || err != nil && !errors.Is(err, stale) {
			t.Errorf("step %d, expecting %d: %v", i, c.expect, err)
		}
	}
	if e, _ := b.Entry("ab"); e.Number != 5 {
		t.Errorf("version %d", e.Number)
	}
	if err := put(Any, 12); err != nil { // the same once more
		t.Fatal(err)
	}
	if e, _ := b.Entry("ab"); e.Number != 5 {
		t.Error("what is in force already is a new version")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	b := open(t, Options{Records: newMemory()})
	if _, _, err := b.Put(t.Context(), "one", split(1, 1), "", Any); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Rollback(t.Context(), "one", "", 7, Any); err == nil || !strings.Contains(err.Error(), `of the route "one" version 1 alone is kept`) {
		t.Errorf("%v", err)
	}
	for i := range 30 {
		if _, _, err := b.Put(t.Context(), "ab", split(float64(i+1), 1), fmt.Sprint("by-", i), Any); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.History(t.Context(), "ab")
	if err != nil || len(list) != MostVersions || list[0].Number != 30 || list[19].Number != 11 || list[0].By != "by-29" {
		t.Fatalf("%d %v", len(list), err)
	}
	if _, err := b.Rollback(t.Context(), "ab", "", 10, Any); !errors.Is(err, &fault.Error{Code: "version_not_found"}) || !strings.Contains(err.Error(), `versions 11 to 30 of the route "ab" are kept`) {
		t.Errorf("%v", err)
	}
	if e, err := b.Rollback(t.Context(), "ab", "", 11, 30); err != nil || e.Plan.Spec.Candidates[0].Weight != 11 || e.Number != 31 {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := b.History(t.Context(), "none"); !errors.Is(err, &fault.Error{Code: "route_not_found"}) {
		t.Errorf("%v", err)
	}
	// Large ones leave room for fewer, and one that is larger still is refused.
	large := split(1, 1)
	for range 60 {
		large.Rules = append(large.Rules, route.Rule{When: route.When{Header: map[string]string{"X-A": strings.Repeat("a", 300)}}, Use: route.Target{Model: "m"}})
	}
	for i := range 3 {
		large.Candidates[0].Weight = float64(i + 1)
		if _, _, err := b.Put(t.Context(), "ab", large, "", Any); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ = b.History(t.Context(), "ab"); len(list) < 2 || len(list) >= MostVersions || list[0].Number != 34 {
		t.Errorf("%d versions of a large route", len(list))
	}
	for i := range large.Rules {
		large.Rules[i].When.Header["X-A"] = strings.Repeat("a", 900)
	}
	if _, _, err := b.Put(t.Context(), "ab", large, "", Any); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
}

func TestBadRoutesChangeNothing(t *testing.T) {
	store := newMemory()
	b := open(t, Options{Records: store})
	if _, _, err := b.Put(t.Context(), "ab", split(1, 1), "", Any); err != nil {
		t.Fatal(err)
	}
	was := store.swaps
	many := split(1)
	many.Rules = make([]route.Rule, 65)
	nan := split(1)
	nan.Candidates[0].Weight = 0 / func() float64 { return 0 }()
	for place, c := range map[string]struct {
		name string
		spec route.Spec
	}{
		"body.candidates":           {"ab", split(0, 0)},
		"body.candidates[0].weight": {"ab", nan},
		"body.rules":                {"ab", many},
		"body.sticky":               {"ab", route.Spec{Candidates: split(1).Candidates, Sticky: "moon"}},
		"path.name":                 {"a b", split(1)},
	} {
		_, _, err := b.Put(t.Context(), c.name, c.spec, "", Any)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || !slices.ContainsFunc(f.Fields, func(x fault.Field) bool { return x.Location == place }) {
			t.Errorf("%s: %v %+v", place, err, f)
		}
	}
	if e, _ := b.Entry("ab"); store.swaps != was || e.Number != 1 {
		t.Errorf("%d swaps, version %d", store.swaps-was, e.Number)
	}
	for _, name := range []string{"", ".", "..", "-a", "a/b", "ä", "a\n", strings.Repeat("a", 129)} {
		if CheckName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}
