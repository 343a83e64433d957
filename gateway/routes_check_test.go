package gateway

import (
	"slices"
	"testing"

	"triton-gateway/gateway/route"
)

// What a route names and never asks is told; the new one of a canary has its share from there.
func TestWhatARouteNeverAsksIsTold(t *testing.T) {
	one, two := route.Target{Model: "m", Version: "1"}, route.Target{Model: "m", Version: "2"}
	s := &route.Spec{Candidates: []route.Candidate{{Target: one, Weight: 1}, {Target: two}}, Shadow: &route.Shadow{Target: two}}
	want := []string{"candidates[1]: its weight is 0, so that weights never choose it", "shadow: its percent is 0, so that it is never asked"}
	if got := idle(s); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s.Canary, s.Shadow.Percent = &route.Canary{Target: two}, 1
	if got := idle(s); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
