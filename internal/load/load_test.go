package load

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func after(d time.Duration, v Verdict) Call {
	return func(ctx context.Context, _ int) (Verdict, string) {
		select {
		case <-time.After(d):
			return v, ""
		case <-ctx.Done():
			return Failed, "left"
		}
	}
}

func TestClosedMakesSoManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Closed(t.Context(), 4, 10, 0, after(10*ms, Answered))
		if len(r.Samples) != 10 || r.Elapsed != 30*ms || r.Quantile(1) != 10*ms {
			t.Errorf("%d calls in %v, the longest took %v", len(r.Samples), r.Elapsed, r.Quantile(1))
		}
	})
}

func TestClosedEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Closed(t.Context(), 2, 0, 100*ms, after(30*ms, Answered))
		if len(r.Samples) != 8 || r.Elapsed != 120*ms || r.Rate(Answered) != 8/0.12 {
			t.Errorf("%d calls in %v: %v a second", len(r.Samples), r.Elapsed, r.Rate(Answered))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		if r := Closed(ctx, 1, 0, time.Hour, after(20*ms, Answered)); r.Count(Answered) != 3 || len(r.Samples) != 3 {
			t.Errorf("%+v after the end of the run", r)
		}
	})
}

func TestOpenKeepsItsPaceWhateverComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Open(t.Context(), 1000, 100*ms, 1000, after(time.Second, Answered))
		if len(r.Samples) != 100 || r.Elapsed != 1099*ms || r.Quantile(0.99) != time.Second {
			t.Errorf("%d calls in %v", len(r.Samples), r.Elapsed)
		}
		for i, s := range r.Samples {
			if s.At != time.Duration(i)*ms {
				t.Fatalf("call %d was due after %v", i, s.At)
			}
		}
		if r := Open(t.Context(), 1000, 100*ms, 30, after(time.Second, Answered)); len(r.Samples) != 30 || r.Unmade != 70 {
			t.Errorf("%d calls made, %d not, want 30 and 70", len(r.Samples), r.Unmade)
		}
	})
}

// The generator's own thread is held up for 50 ms, as by a busy machine: the calls that were due meanwhile are late, and count as late.
func TestOpenCountsFromWhenACallWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResult()
		time.Sleep(50 * ms)
		r.add(10*ms, Answered, "")
		if got := r.Samples[0].Took; got != 40*ms {
			t.Errorf("took %v, want 40 ms", got)
		}
	})
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*ms+1)
		defer cancel()
		if r := Open(ctx, 1000, time.Hour, 1000, after(ms, Answered)); len(r.Samples) != 11 {
			t.Errorf("%d calls", len(r.Samples))
		}
	})
}

func TestResultSaysWhatBecameOfTheCalls(t *testing.T) {
	r := &Result{Elapsed: 2 * time.Second, Samples: []Sample{
		{0, 5 * ms, Answered}, {ms, 10 * ms, Answered}, {2 * ms, ms, Rejected}, {1500 * ms, 20 * ms, Answered}, {1600 * ms, 2 * ms, Down}}}
	if r.Count(Rejected, Down) != 2 || r.Rate(Answered) != 1.5 || r.Last(Down) != 1602*ms || r.Last(Late) != 0 {
		t.Errorf("%d, %v, %v", r.Count(Rejected, Down), r.Rate(Answered), r.Last(Down))
	}
	got := []time.Duration{r.Quantile(0.5, Answered), r.Quantile(0.99, Answered), r.Quantile(0, Answered), r.Quantile(0.5, Late), r.Quantile(1)}
	if want := []time.Duration{10 * ms, 20 * ms, 5 * ms, 0, 20 * ms}; !slices.Equal(got, want) {
		t.Errorf("quantiles %v, want %v", got, want)
	}
	if part := r.Between(time.Second, 2*time.Second); len(part.Samples) != 2 || part.Rate(Answered) != 1 {
		t.Errorf("a part of it: %+v", part.Samples)
	}
}

func TestTextsAreBounded(t *testing.T) {
	r := newResult()
	for i := range 100 {
		r.add(0, Failed, string(rune('a'+i)))
		r.add(0, Failed, "a")
	}
	if len(r.Texts) != textsKept || r.Texts["a"] != 101 {
		t.Errorf("%d texts, the first %d times", len(r.Texts), r.Texts["a"])
	}
}
