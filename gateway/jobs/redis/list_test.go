package redis

import (
	"testing"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestListLooksFurther: jobs that are few among many are found, however many have to be looked at.
func TestListLooksFurther(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	item := blob(t, s, "x")
	var want []string
	for i := range 2600 {
		spec := specOf(item)
		if i%1200 == 5 { // no list is kept by priority
			spec.Priority = jobs.Batch
			want = append([]string{spec.ID}, want...)
		}
		create(t, s, spec)
	}
	for _, limit := range []int{1, 2, 3, 1000} {
		var got []string
		pages := 0
		for f := (jobs.Filter{Priority: jobs.Batch, Limit: limit}); ; pages++ {
			page, next, err := s.List(t.Context(), f)
			if err != nil || len(page) > limit {
				t.Fatal(page, err)
			}
			for _, j := range page {
				got = append(got, j.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
		if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || pages != (3-1)/limit {
			t.Errorf("pages of %d: %v on %d, want %v", limit, got, pages+1, want)
		}
	}
}

func TestListRefuses(t *testing.T) {
	s := new(Store) // nothing is asked of Redis
	for _, f := range []jobs.Filter{{}, {Limit: -1}, {Limit: 1001}, {Limit: 1, Cursor: "x"}, {Limit: 1, Cursor: "0"}, {Limit: 1, Cursor: "+1"}} {
		if _, _, err := s.List(t.Context(), f); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if page, next, err := s.List(t.Context(), jobs.Filter{Limit: 1, States: []jobs.State{"lost"}}); err != nil || len(page) != 0 || next != "" {
		t.Error(page, next, err)
	}
}
