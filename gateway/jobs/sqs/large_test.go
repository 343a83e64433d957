package sqs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// TestLarge: what is over SQS's and DynamoDB's limits for one message and one item goes through all the same, with a bucket and without.
func TestLarge(t *testing.T) {
	c := newCloud(t)
	for _, options := range []string{"", "&bucket=BUCKET"} {
		t.Run(options, func(t *testing.T) {
			c.options = options
			clock := newSky()
			s := clock.open(t, c.place(t))
			spec := specOf(s, blob(t, s, strings.Repeat("large", 250_000)))
			for n := range 6000 { // a list of 900 KB
				i := spec.Items[0]
				i.Name, i.Blob = fmt.Sprint(n), spec.Items[0].Blob
				spec.Items = append(spec.Items, i)
			}
			create(t, s, spec)
			j, l := lease(t, s, spec.ID, time.Minute)
			if len(j.Items) != 6001 || j.Items[6000].Name != "5999" {
				t.Fatalf("%d items", len(j.Items))
			}
			body := func(n int) []byte { return []byte(`"` + strings.Repeat(fmt.Sprint(n%10), 100_000+n) + `"`) }
			var add []jobs.Result
			for n := range 12 { // 1.2 MB in one call
				add = append(add, jobs.Result{Index: n, Body: body(n), Bad: n%3 == 0})
			}
			if _, err := s.Extend(t.Context(), l, time.Minute, add); err != nil {
				t.Fatal(err)
			}
			if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Failed}, []jobs.Result{{Index: 100, Body: []byte("{}")}, {Index: 101, Body: []byte("{}"), Bad: true}}); err != nil {
				t.Fatal(err)
			}
			check := func(want ...int) {
				t.Helper()
				list, err := s.Results(t.Context(), spec.ID, 0, 100)
				if err != nil || len(list) != len(want) {
					t.Fatalf("%d results, %v; want %d", len(list), err, len(want))
				}
				for n, r := range list {
					if r.Index != want[n] || r.Index < 100 && string(r.Body) != string(body(r.Index)) {
						t.Fatalf("result %d is of item %d, %d bytes", n, r.Index, len(r.Body))
					}
				}
			}
			check(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100, 101)
			if _, err := s.Change(t.Context(), spec.ID, jobs.Retry); err != nil {
				t.Fatal(err)
			}
			check(1, 2, 4, 5, 7, 8, 10, 11, 100)
			j, l = lease(t, s, spec.ID, time.Minute)
			if j.Done != 9 || j.Bad != 0 {
				t.Errorf("%d done, %d bad", j.Done, j.Bad)
			}
			if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: 3, Body: body(3)}, {Index: 4, Body: []byte("again")}}); err != nil {
				t.Fatal(err)
			}
			check(1, 2, 4, 5, 7, 8, 10, 11, 100, 3)
			clock.Advance(72 * time.Hour)
			sweepAll(t, s)
			empty(t, s)
		})
	}
}

// TestSpecTooLarge: what no item can hold is refused, and nothing is kept.
func TestSpecTooLarge(t *testing.T) {
	c := newCloud(t)
	s := open(t, Options{URL: c.place(t)})
	spec := specOf(s)
	spec.Model = strings.Repeat("m", 300<<10)
	_, err := s.Create(t.Context(), spec)
	wantFault(t, err, fault.Invalid, "invalid_request")
	for _, id := range []string{"", "a#b", strings.Repeat("a", 101)} {
		spec := specOf(s)
		spec.ID = id
		_, err := s.Create(t.Context(), spec)
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
}

// TestDamaged: what somebody has written over a job stops neither the queue nor lists nor sweeps.
func TestDamaged(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	bad, good := add(t, s), add(t, s)
	w := write{key: jobKey(bad.ID), set: "SET #spec = :spec", values: item{":spec": text("{")}}
	if _, err := s.update(t.Context(), w.always()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), bad.ID)
	if fault.KindOf(err) != fault.Internal || !errors.Is(err, errItem) {
		t.Errorf("get: %v", err)
	}
	_, l := lease(t, s, good.ID, time.Minute)
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, nil); err != nil {
		t.Fatal(err)
	}
	if list, _, err := s.List(t.Context(), jobs.Filter{Limit: 10}); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	clock.Advance(24 * time.Hour)
	sweepAll(t, s)
	if _, err := s.Get(t.Context(), good.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the good one is still there: %v", err)
	}
}

func sweepAll(t *testing.T, s *Store) {
	t.Helper()
	for range 100 {
		more, err := s.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("sweeping does not end")
}
