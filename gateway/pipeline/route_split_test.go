package pipeline

import (
	"fmt"
	"math"
	"testing"

	"triton-gateway/gateway/route"
)

// TestSplitAndSides: 100,000 requests of 50,000 users at 90 to 10 are split within 0.5 %, each user is always on one side, and of those on the growing side none leaves when
// the weights move.
func TestSplitAndSides(t *testing.T) {
	r, routes := newRouteRig(t, "user")
	data := picture(t, 1)
	users, rounds := 50_000, 2
	round := func(sides map[int]string) (tenth int) {
		t.Helper()
		for user := range users {
			body := NewBody(data, nil)
			a, err := r.Run(as(t.Context(), fmt.Sprintf("user-%d", user), ""), &Request{Model: "ab", Item: Item{Image: body}})
			if err != nil {
				t.Fatal(err)
			}
			if was, known := sides[user]; known && was != a.Version {
				t.Fatalf("user %d went from version %s to %s", user, was, a.Version)
			}
			sides[user] = a.Version
			if a.Version == "2" {
				tenth++
			}
		}
		return tenth
	}
	sides := map[int]string{}
	all := 0
	for range rounds {
		all += round(sides)
	}
	if got := float64(all) / float64(users*rounds); math.Abs(got-0.10) > 0.005 {
		t.Errorf("%.4f of the requests went to a tenth", got)
	}
	routes.put(t, "ab", route.Spec{Sticky: "user", Candidates: []route.Candidate{of("pictures", "1", 80), of("pictures", "2", 20)}})
	moved, next := 0, map[int]string{}
	round(next)
	for user, was := range sides {
		if next[user] == was {
			continue
		}
		if moved++; was == "2" {
			t.Fatalf("user %d left the side that has grown", user)
		}
	}
	if got := float64(moved) / float64(users); math.Abs(got-0.10) > 0.005 {
		t.Errorf("%.4f of the users moved where a tenth had to", got)
	}
	if calls := r.backend.calls.Load(); calls != 2 {
		t.Errorf("one picture and two versions cost %d calls", calls)
	}
	if n := routes.seen["pictures@1 sticky:user"] + routes.seen["pictures@2 sticky:user"]; n != users*(rounds+1) {
		t.Errorf("%d of %d were counted: %v", n, users*(rounds+1), routes.seen)
	}
}

// TestSplitByChance: without anything that is sticky, the same split.
func TestSplitByChance(t *testing.T) {
	r, _ := newRouteRig(t, "")
	data, tenth := picture(t, 1), 0
	const requests = 20_000
	for range requests {
		body := NewBody(data, nil)
		a, err := r.Run(t.Context(), &Request{Model: "ab", Item: Item{Image: body}})
		if err != nil {
			t.Fatal(err)
		}
		if a.Version == "2" {
			tenth++
		}
	}
	if got := float64(tenth) / requests; math.Abs(got-0.10) > 0.01 {
		t.Errorf("%.4f of the requests went to a tenth", got)
	}
}
