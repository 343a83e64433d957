package parts

import (
	"errors"
	"strings"
	"testing"
)

type tests func() int

func (t tests) Run() int { return t() }

func TestSharedTritonIsStartedOnce(t *testing.T) {
	if one, two := triton.Get(t), triton.Get(t); one != two {
		t.Error("two calls, two servers")
	}
}

func TestSharedStartsNothingWhenNobodyAsks(t *testing.T) {
	shared := NewShared("no/such/repository")
	if code := shared.Main(tests(func() int { return 5 })).Run(); code != 5 || shared.server != nil {
		t.Errorf("status %d, server %v, want the tests' own 5 and none", code, shared.server)
	}
	if got := outcomeOf(t, func(tb testing.TB) { shared.Get(tb) }); got.ended != "fail" || !strings.Contains(got.text, "closed") {
		t.Errorf("Get after Close: %s %s", got.ended, got.text)
	}
}

func TestSharedFailsEachTestWithOneStart(t *testing.T) {
	starts := 0
	shared := &Shared{start: func() (*TritonServer, error) { starts++; return nil, errors.New("broken") }}
	for range 3 {
		if got := outcomeOf(t, func(tb testing.TB) { shared.Get(tb) }); got.ended != "fail" || got.text != "broken" {
			t.Errorf("%s %s, want fail broken", got.ended, got.text)
		}
	}
	if starts != 1 {
		t.Errorf("%d starts, want 1", starts)
	}
}
