package chaos

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLastBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSamples()
		call := func(took time.Duration, v Verdict) {
			end := s.begin("x")
			time.Sleep(took)
			end(v, "")
		}
		call(time.Second, Wrong)    // 0 to 1 s
		call(time.Second, Right)    // 1 to 2 s
		call(3*time.Second, Right)  // 2 to 5 s: slow
		call(time.Second, Refused)  // 5 to 6 s
		call(time.Second, Right)    // 6 to 7 s
		end := s.begin("under way") // from 7 s on
		const limit = 2 * time.Second
		for _, c := range []struct {
			from, last time.Duration
			any        bool
		}{{0, 6 * time.Second, true}, {2 * time.Second, 6 * time.Second, true}, {5500 * time.Millisecond, 0, false}} {
			if last, any := s.lastBad(c.from, limit); last != c.last || any != c.any {
				t.Errorf("from %v: %v %v", c.from, last, any)
			}
		}
		time.Sleep(limit + time.Second)
		if last, any := s.lastBad(6*time.Second, limit); !any || last != 10*time.Second {
			t.Errorf("with one under way for too long: %v %v", last, any)
		}
		end(Right, "")
		if last, any := s.lastBad(6*time.Second, limit); !any || last != 10*time.Second {
			t.Errorf("when that has ended, late: %v %v", last, any)
		}
		if last, any := s.lastBad(6*time.Second, time.Hour); any || last != 0 {
			t.Errorf("with more patience: %v %v", last, any)
		}
	})
}

func TestFiguresOfCalls(t *testing.T) {
	var list []Sample
	for i := range 200 {
		list = append(list, Sample{What: "a", At: time.Duration(i) * time.Second, Took: time.Duration(i+1) * time.Millisecond})
	}
	list = append(list, Sample{What: "b", At: 300 * time.Second, Took: time.Hour, Verdict: Hung, Text: "no answer"})
	if got := P99(list, isRight); got != 198*time.Millisecond {
		t.Error(got)
	}
	if got := P99(list, notRight); got != time.Hour {
		t.Error(got)
	}
	if got := P99(nil, isRight); got != 0 {
		t.Error(got)
	}
	if got := between(list, 10*time.Second, 20*time.Second); len(got) != 10 || got[0].At != 10*time.Second {
		t.Error(len(got))
	}
	if got := Count(list); got[Right] != 200 || got[Hung] != 1 {
		t.Error(got)
	}
	if got := Texts(list, 5); !slices.Equal(got, []TextCount{{"b: no answer", 1}}) {
		t.Error(got)
	}
}

// rowOf has one right call before the fault, and these after it.
func rowOf(jobs Jobs, calm time.Duration, after ...Verdict) *Row {
	r := &Row{Cell: Cell{Part: "dns", Kind: "kill", Does: "gone"}, Jobs: jobs, Calm: calm, broken: time.Second, mended: 2 * time.Second, samples: []Sample{{Took: time.Millisecond}}}
	for _, v := range after {
		r.samples = append(r.samples, Sample{At: time.Second, Took: 5 * time.Millisecond, Verdict: v})
	}
	return r
}

func TestFaultsOfARow(t *testing.T) {
	empty := rowOf(Jobs{}, 0)
	empty.samples = nil
	for name, c := range map[string]struct {
		row  *Row
		want string
	}{
		"all is well":      {rowOf(Jobs{Accepted: 2, Right: 2}, 0, Right, Refused, Told, Bare), ""},
		"a wrong answer":   {rowOf(Jobs{}, 0, Wrong), "1 answers and 0 jobs are wrong"},
		"a wrong job":      {rowOf(Jobs{Accepted: 1, Wrong: 1}, 0), "0 answers and 1 jobs are wrong"},
		"a lost job":       {rowOf(Jobs{Accepted: 3, Lost: []string{"not there"}}, 0), "1 of 3 accepted jobs are lost, such as: not there"},
		"a late job":       {rowOf(Jobs{Accepted: 3, Late: 1}, 0), ""},
		"a silent one":     {rowOf(Jobs{}, 0, Hung), "1 callers had no answer"},
		"never calm":       {rowOf(Jobs{}, -1), "not as before"},
		"too late":         {rowOf(Jobs{}, time.Hour), "not as before"},
		"nothing was well": {empty, "before it, 0 of the answers were right"},
		"not made":         {&Row{Not: errCannot}, ""},
	} {
		if got := strings.Join(c.row.Faults(time.Minute), "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTableOfRows(t *testing.T) {
	table := Table([]*Row{
		rowOf(Jobs{Accepted: 9, Late: 3, Lost: []string{"x"}, Wrong: 2}, 1500*time.Millisecond, Right, Refused, Refused, Told, Bare, Hung, Wrong),
		rowOf(Jobs{}, -1), {Cell: Cell{Part: "disk", Kind: "hang", Does: "frozen"}, Not: cannot("no root")},
	})
	want := []string{
		"| dns | kill: gone | 7 | 1 | 2 | 1 | 1 | 1 | 1 | 1 ms | 5 ms | 5 ms | 1.5 s | 9, 3, 1, 2 |",
		"| dns | kill: gone | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 ms | - | - | never | 0, 0, 0, 0 |",
		"| disk | hang: frozen | not made: cannot be made on this machine: no root | | | | | | | | | | | |",
	}
	if got := strings.Split(strings.TrimSpace(table), "\n")[2:]; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
