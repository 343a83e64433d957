package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
)

// gated is a backend that says beforehand what it would refuse.
type gated struct {
	backend.Backend
	err  error
	seen []string
}

func (g *gated) Full(_ context.Context, model, version string) error {
	g.seen = append(g.seen, model+"/"+version)
	return g.err
}

func newAdmission() *Admission {
	ready := []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "e1"}}
	models := &fakeModels{models: map[string]*catalog.Model{"rows": {Name: "rows", Versions: ready}, "pictures": {Name: "pictures", Versions: ready}}}
	return &Admission{Models: models, Backend: &fakeBackend{}, Items: 4, Bytes: 1000, Unknown: 400, Timeout: 30 * time.Second, Parallel: 2}
}

func mustAdmit(t *testing.T, a *Admission, body int64) func() {
	t.Helper()
	release, err := a.Admit(t.Context(), "rows", "", body)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func refused(t *testing.T, err error, kind fault.Kind, code string, words ...string) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(f.Detail, w) {
			t.Errorf("%q is not in %q", w, f.Detail)
		}
	}
	return f
}

func TestAdmitBoundsTheCallsOfEachModel(t *testing.T) {
	a := newAdmission()
	var releases []func()
	for range 4 {
		releases = append(releases, mustAdmit(t, a, 1))
	}
	_, err := a.Admit(t.Context(), "rows", "", 1)
	if f := refused(t, err, fault.Busy, "queue_full", "limits.model_items", "4 calls", `"rows"`); f.RetryAfter != firstGuess {
		t.Errorf("Retry-After %v before any call has ended", f.RetryAfter)
	}
	other, err := a.Admit(t.Context(), "pictures", "", 1)
	if err != nil {
		t.Fatalf("one model's load keeps another out: %v", err)
	}
	other()
	releases[0]()
	releases[0]() // again: no second place
	release := mustAdmit(t, a, 1)
	if _, err := a.Admit(t.Context(), "rows", "", 1); err == nil {
		t.Error("a release that was called twice made two places")
	}
	release()
	for _, l := range a.Loads() {
		if want := map[string]Load{"rows": {"rows", 3, 3, 2, l.Hold}, "pictures": {"pictures", 0, 0, 0, l.Hold}}[l.Model]; l != want || l.Hold <= 0 {
			t.Errorf("load %+v, want %+v", l, want)
		}
	}
}

func TestAdmitBoundsTheBytesOfEachModel(t *testing.T) {
	a := newAdmission()
	first := mustAdmit(t, a, 700)
	_, err := a.Admit(t.Context(), "rows", "", 301)
	refused(t, err, fault.Busy, "queue_full", "limits.model_bytes", "700 bytes")
	_, err = a.Admit(t.Context(), "rows", "", -1) // counts for 400
	refused(t, err, fault.Busy, "queue_full", "limits.model_bytes")
	second := mustAdmit(t, a, 300)
	first()
	third := mustAdmit(t, a, -1)
	if _, err = a.Admit(t.Context(), "rows", "", 301); err == nil {
		t.Error("a body of unknown size counts for less than Unknown")
	}
	second()
	third()
	_, err = a.Admit(t.Context(), "rows", "", 1001)
	refused(t, err, fault.TooLarge, "body_too_large", "limits.model_bytes", "1000 bytes")
	_, err = a.Admit(t.Context(), "rows", "", 1<<62)
	refused(t, err, fault.TooLarge, "body_too_large")
	mustAdmit(t, a, 1000)()
}

func TestAdmitAsksForTheModelFirst(t *testing.T) {
	a := newAdmission()
	_, err := a.Admit(t.Context(), "nobody", "", 1)
	refused(t, err, fault.NotFound, "model_not_found")
	_, err = a.Admit(t.Context(), "rows", "9", 1)
	refused(t, err, fault.NotFound, "version_not_found")
	_, err = a.Admit(t.Context(), "rows", "x", 1)
	if fault.KindOf(err) == fault.Internal || err == nil {
		t.Error(err)
	}
	if n := len(a.Loads()); n != 0 {
		t.Errorf("%d models have a lane after refusals of unknown ones", n)
	}
}

func TestAdmitAsksTheBackend(t *testing.T) {
	a := newAdmission()
	g := &gated{Backend: a.Backend}
	a.Backend = g
	for _, c := range []struct {
		err  error
		kind fault.Kind
	}{
		{fault.New(fault.Busy, "queue_full", "full").After(3 * time.Second), fault.Busy},
		{fault.New(fault.Timeout, "deadline_exceeded", "too late"), fault.Timeout},
	} {
		g.err = c.err
		if _, err := a.Admit(t.Context(), "rows", "1", 1); !errors.Is(err, c.err) {
			t.Errorf("got %v, want %v", err, c.err)
		}
	}
	g.err = fault.New(fault.Unavailable, "backend_unavailable", "nobody is there")
	mustAdmit(t, a, 1)() // its answer may be stored
	if want := "[rows/1 rows/1 rows/1]"; fmt.Sprint(g.seen) != want {
		t.Errorf("the backend was asked for %v, want %s", g.seen, want)
	}
	if l := a.Loads(); len(l) != 1 || l[0].Calls != 0 {
		t.Errorf("%+v", l)
	}
}

// run lets so many calls in at once, each of which takes so long.
func run(t *testing.T, a *Admission, calls int, takes time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	for range calls {
		release := mustAdmit(t, a, 1)
		all.Go(func() {
			time.Sleep(takes)
			release()
		})
	}
	all.Wait()
}

func TestAdmitRefusesWhatCannotEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		a.Items, a.Bytes = 1000, 1_000_000
		within := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			release, err := a.Admit(ctx, "rows", "", 1)
			if err == nil {
				release()
			}
			return err
		}
		hold := mustAdmit(t, a, 1)
		if err := within(time.Nanosecond); err != nil {
			t.Fatalf("refused by an estimate that nothing stands behind: %v", err)
		}
		hold()
		for range 5 {
			run(t, a, 2, 100*time.Millisecond) // two side by side take 100 ms each
		}
		if err := within(time.Millisecond); err != nil {
			t.Fatalf("nobody is there, and an old estimate keeps the first one out: %v", err)
		}
		run(t, a, 40, 100*time.Millisecond)
		var holds []func()
		for range 99 { // 99 are there, where the last ones found about as many as they were
			holds = append(holds, mustAdmit(t, a, 1))
		}
		l := a.Loads()[0]
		if l.Calls != 99 || l.Hold < 50*time.Millisecond || l.Hold > 100*time.Millisecond {
			t.Fatalf("load %+v", l)
		}
		err := within(150 * time.Millisecond)
		f := refused(t, err, fault.Busy, "queue_full", "99 calls", "150ms are left")
		if f.RetryAfter < 50*time.Millisecond || f.RetryAfter > 600*time.Millisecond {
			t.Errorf("come again after %v", f.RetryAfter)
		}
		if err := within(time.Second); err != nil {
			t.Errorf("with a second left: %v", err)
		}
		for _, h := range holds[:97] {
			h()
		}
		if err := within(150 * time.Millisecond); err != nil {
			t.Errorf("with two calls left: %v", err)
		}
		holds[97]()
		holds[98]()
	})
}

func TestAdmitTellsWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		a.Timeout = time.Hour
		for range 20 {
			run(t, a, 4, 8*time.Second)
		}
		for range 4 {
			mustAdmit(t, a, 1)
		}
		_, err := a.Admit(t.Context(), "rows", "", 1)
		if f := refused(t, err, fault.Busy, "queue_full"); f.RetryAfter < 8*time.Second || f.RetryAfter > 24*time.Second {
			t.Errorf("come again after %v, where four calls of 8 s are under way", f.RetryAfter)
		}
	})
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 1234: "1µs", 1_234_567: "1.23ms", 98_765_432: "98.8ms", 1_234_567_890: "1.23s", 123 * time.Second: "2m3s"} {
		if got := rounded(d).String(); got != want {
			t.Errorf("%d ns is shown as %s, want %s", d, got, want)
		}
	}
}

func TestAdmitUnderARaceOfCallers(t *testing.T) {
	a := newAdmission()
	a.Items = 8
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 500 {
				if release, err := a.Admit(context.Background(), "rows", "", 100); err == nil {
					if l := a.Loads()[0]; l.Calls > 8 || l.Bytes > 1000 {
						t.Errorf("%+v", l)
					}
					release()
				}
			}
		})
	}
	callers.Wait()
	if l := a.Loads()[0]; l.Calls != 0 || l.Bytes != 0 {
		t.Errorf("left over: %+v", l)
	}
}

func BenchmarkAdmit(b *testing.B) {
	a := newAdmission()
	b.Run("in", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			release, err := a.Admit(b.Context(), "rows", "", 1)
			if err != nil {
				b.Fatal(err)
			}
			release()
		}
	})
	b.Run("refused", func(b *testing.B) {
		for range 4 {
			_, _ = a.Admit(b.Context(), "rows", "", 1)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Admit(b.Context(), "rows", "", 1); err == nil {
				b.Fatal("let in")
			}
		}
	})
}

func TestFullTakesNoPlace(t *testing.T) {
	a := newAdmission()
	for range 10 {
		if err := a.Full(t.Context(), "rows", "", 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		mustAdmit(t, a, 100)
	}
	refused(t, a.Full(t.Context(), "rows", "", 1), fault.Busy, "queue_full", "limits.model_items", "4 calls")
	refused(t, a.Full(t.Context(), "pictures", "", 1001), fault.TooLarge, "body_too_large")
	if err := a.Full(t.Context(), "none", "", 1); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	for _, l := range a.Loads() {
		if l.Model == "rows" && (l.Calls != 4 || l.Bytes != 400 || l.Refused != 1) || l.Model == "pictures" && l.Calls != 0 {
			t.Errorf("load %+v", l)
		}
	}
}
