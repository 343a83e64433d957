package catalog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

func TestLookup(t *testing.T) {
	s := source()
	c := start(t, s, "")
	m := lookup(t, c, "m")
	if m.Spec.Task != task.TabularClassification || m.Spec.Input.Name != "x" || m.Source != FromParameter || m.Error != "" || !m.Ready() {
		t.Errorf("%+v", m)
	}
	if v := m.Versions; len(v) != 1 || v[0].Number != "1" || v[0].State != backend.Ready || v[0].Reason != "" || v[0].Epoch != "e1" {
		t.Errorf("versions %+v", m.Versions)
	}
	refresh(t, c)
	if lookup(t, c, "m") != m || s.asked != 1 {
		t.Error("a look that finds nothing new made a new model")
	}
	s.set(func(s *fake) { s.index[0].Epoch = "e2" })
	refresh(t, c)
	if n := lookup(t, c, "m"); n == m || n.Versions[0].Epoch != "e2" || m.Versions[0].Epoch != "e1" || n.TaskDigest != m.TaskDigest {
		t.Errorf("after a reload: %+v", n)
	}
	s.set(func(s *fake) { s.index = nil })
	refresh(t, c)
	if _, err := c.Lookup("m"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a removed model: %v", err)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c := start(t, source(), "")
	if n := testing.AllocsPerRun(100, func() {
		m, err := c.Lookup("m")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Resolve(""); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Resolve("1"); err != nil {
			t.Fatal(err)
		}
		if !c.Fresh() {
			t.Fatal("not fresh")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLookupErrors(t *testing.T) {
	s := source()
	s.index = append(s.index, ready("shapes", "1", "e"), ready("shapes-detector", "1", "e"), ready("iris", "1", "e"),
		backend.ModelStatus{Name: "loading", Version: "1", State: backend.Loading},
		backend.ModelStatus{Name: "broken", State: backend.Unavailable, Reason: "no such file"},
		ready("bad name", "1", "e"))
	for _, name := range []string{"shapes", "shapes-detector", "loading"} {
		s.configs[name] = rows(name, "")
	}
	c := start(t, s, "")
	for name, want := range map[string]struct {
		kind fault.Kind
		text string
	}{
		"shpaes":                    {fault.NotFound, `there is no model "shpaes"; did you mean "shapes"?`},
		"SHAPES":                    {fault.NotFound, `did you mean "shapes" or "shapes-detector"?`},
		"zzzzzzzz":                  {fault.NotFound, `there are "bad name", "broken", "iris"`},
		"":                          {fault.NotFound, `there is no model ""; `},
		strings.Repeat("x\n", 1000): {fault.NotFound, `x\nx\n..."; there are`},
		"loading":                   {fault.Unavailable, "no version is ready"},
		"broken":                    {fault.Unavailable, "no such file"},
		"iris":                      {fault.Unavailable, "no config of iris today"},
		"bad name":                  {fault.Unavailable, "rename its folder"},
	} {
		m, err := c.Lookup(name)
		if m != nil || fault.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: %v %v", name, m, err)
		}
	}
	if all := c.Models(); len(all) != 7 || all[0].Name != "bad name" || all[0].Error == "" || all[4].Name != "m" || all[4].Error != "" {
		t.Errorf("%v", all)
	}
	s.set(func(s *fake) { s.configs["iris"] = rows("iris", "") })
	refresh(t, c)
	if m := lookup(t, c, "iris"); m.Source != FromGuess || m.Spec.Task != task.Raw || len(m.Warnings) == 0 {
		t.Errorf("after the config came: %+v", m)
	}
}

func TestResolve(t *testing.T) {
	list, why := versions([]backend.ModelStatus{ready("m", "9", "e9"), {Name: "m", Version: "10", State: backend.Unavailable, Reason: "broken file"}, ready("m", "2", "e2")})
	m := &Model{Name: "m", Versions: list}
	if why != "" {
		t.Error(why)
	}
	for version, want := range map[string]string{"": "e9", "9": "e9", "2": "e2"} {
		if v, err := m.Resolve(version); err != nil || v.Epoch != want {
			t.Errorf("%q: %+v %v", version, v, err)
		}
	}
	for version, want := range map[string]struct {
		kind fault.Kind
		text string
	}{
		"10":                   {fault.Unavailable, "version 10 of model \"m\" is UNAVAILABLE: broken file"},
		"3":                    {fault.NotFound, `version_not_found: model "m" has no version 3; it has 10, 9, 2`},
		"latest":               {fault.Invalid, `"latest" is no version`},
		"-1":                   {fault.Invalid, "whole numbers"},
		"02":                   {fault.Invalid, "whole numbers"},
		"+2":                   {fault.Invalid, "whole numbers"},
		"99999999999999999999": {fault.Invalid, "whole numbers"},
	} {
		if _, err := m.Resolve(version); fault.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: %v", version, err)
		}
	}
	m.Versions = m.Versions[:1]
	if _, err := m.Resolve(""); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "broken file") {
		t.Errorf("%v", err)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"", "1", "01", "-1", "1e3", "٣", "9223372036854775808", "1\x00"} {
		f.Add(s)
	}
	m := &Model{Name: "m", Versions: []Version{{Number: "3", State: backend.Ready, Epoch: "e3"}, {Number: "1", State: backend.Ready, Epoch: "e1"}}}
	list := []*Model{m, {Name: "shapes"}}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := m.Resolve(text)
		if ok := text == "" || text == "1" || text == "3"; ok != (err == nil) || ok && text != "" && v.Number != text {
			t.Fatalf("%q: %+v %v", text, v, err)
		}
		if s := similar(text, list); len(s) > 200 {
			t.Fatalf("%q: a text of %d bytes", text, len(s))
		}
		if q := quote(text); len(q) > 300 || strings.ContainsAny(q, "\n\x00") {
			t.Fatalf("%q is quoted as %s", text, q)
		}
	})
}

// TestFreshness follows the clock: synctest's is not real, so the bounds are exact.
func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source()
		c := New(s, Options{Log: quiet})
		defer c.Close()
		at := func(d time.Duration, fresh bool, why string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if c.Fresh() != fresh {
				t.Errorf("after another %v (%s): fresh is %v", d, why, !fresh)
			}
		}
		at(0, true, "the first look")
		at(10*time.Second+time.Millisecond, true, "looks succeed") // the last one began at 10 s

		s.set(func(s *fake) { s.hang = true })
		at(1498*time.Millisecond, true, "the backend hangs")
		at(2*time.Millisecond, false, "it hangs for 1.5 s")
		if err := c.Ready(); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("ready while the backend hangs: %v", err)
		}
		lookup(t, c, "m") // still known

		s.set(func(s *fake) { s.hang = false; s.index[0].Epoch = "e2" })
		at(1500*time.Millisecond, true, "it answers again")
		if m := lookup(t, c, "m"); m.Versions[0].Epoch != "e2" || c.Ready() != nil {
			t.Errorf("%+v %v", m.Versions, c.Ready())
		}

		s.set(func(s *fake) { s.err = fault.New(fault.Unavailable, "backend_unavailable", "connection refused") })
		at(time.Minute, true, "nobody is there")
		if err := c.Ready(); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("ready without a backend: %v", err)
		}

		s.set(func(s *fake) { s.err = nil; s.index[0].Epoch = "e3" })
		at(500*time.Millisecond, true, "it came back with another load")
		if m := lookup(t, c, "m"); m.Versions[0].Epoch != "e3" {
			t.Errorf("%+v", m.Versions)
		}

		s.set(func(s *fake) { s.err = errors.New("nonsense") })
		at(2*time.Second, false, "it answers nonsense")
	})
}

func TestBackendIsNotThereYet(t *testing.T) {
	s := source()
	s.err = fault.New(fault.Unavailable, "backend_unavailable", "connection refused")
	c := start(t, s, "")
	if _, err := c.Lookup("m"); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	if c.Loaded() || c.Ready() == nil || c.Models() != nil || c.Fresh() {
		t.Errorf("loaded %v, ready %v, models %v, fresh %v", c.Loaded(), c.Ready(), c.Models(), c.Fresh())
	}
	s.set(func(s *fake) { s.err = nil })
	refresh(t, c)
	if lookup(t, c, "m"); !c.Loaded() || c.Ready() != nil || !c.Fresh() {
		t.Error("it did not recover")
	}
}

func TestNotReadyShowsWhatWasKnown(t *testing.T) {
	s := source()
	c := start(t, s, "")
	s.set(func(s *fake) { s.index[0].State, s.index[0].Reason = backend.Unavailable, "unloaded" })
	refresh(t, c)
	if _, err := c.Lookup("m"); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "unloaded") {
		t.Errorf("%v", err)
	}
	if m := c.Models()[0]; m.Spec == nil || m.Config == nil || m.Ready() || s.asked != 1 {
		t.Errorf("%+v", m)
	}
}

func TestReadyVersionWithAReasonWarns(t *testing.T) {
	s := source()
	s.index[0].Reason = "the new files are broken"
	c := start(t, s, "")
	if m := lookup(t, c, "m"); len(m.Warnings) == 0 || m.Warnings[0] != "version 1: the new files are broken" {
		t.Errorf("%v", m.Warnings)
	}
}

func TestRefreshEndsWithItsContext(t *testing.T) {
	s := source()
	c := start(t, s, "")
	s.set(func(s *fake) { s.hang = true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Refresh(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if c.Ready() != nil {
		t.Error("a caller that left was taken for a failing backend")
	}
}
