package redis

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestLeaseIsBounded: jobs of very many items are given few at a time.
func TestLeaseIsBounded(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	item := blob(t, s, "x")
	item.Name = strings.Repeat("n", 1<<20)
	items := []jobs.Item{item, item, item, item, item, item, item}
	for range 5 {
		create(t, s, specOf(items...))
	}
	for _, want := range []int{3, 2, 0} {
		if list, err := s.Lease(t.Context(), 10, time.Minute); err != nil || len(list) != want {
			t.Errorf("%d jobs of 7 MiB, %v; want %d", len(list), err, want)
		}
	}
	audit(t, s)
}

func TestQueueRefuses(t *testing.T) {
	s := new(Store) // nothing is asked of Redis
	_, err := s.Lease(t.Context(), 0, time.Minute)
	wantFault(t, err, fault.Invalid, "invalid_request")
	_, err = s.Lease(t.Context(), 1, 0)
	wantFault(t, err, fault.Invalid, "invalid_request")
	_, err = s.Extend(t.Context(), jobs.Lease{ID: "x", Fence: 1}, 0, nil)
	wantFault(t, err, fault.Invalid, "invalid_request")
	for _, l := range []jobs.Lease{{}, {ID: "x"}, {ID: "x", Fence: -1}, {ID: "x", Fence: 1<<53 + 1}, {ID: strings.Repeat("x", 257), Fence: 1}} {
		wantFault(t, s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Failed}, nil), fault.Conflict, "lease_lost")
	}
}
