package gateway

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/internal/fault"
)

// shuffled is a store whose job has these results, in this order.
type shuffled struct {
	jobs.Store
	list  []jobs.Result
	calls int
	fail  int // the call that fails; 0: none
}

func (s *shuffled) Results(_ context.Context, _ string, from, limit int) ([]jobs.Result, error) {
	if s.calls++; s.calls == s.fail {
		return nil, fault.New(fault.Unavailable, "job_store_unavailable", "away")
	}
	from = min(from, len(s.list))
	return append([]jobs.Result(nil), s.list[from:min(from+limit, len(s.list))]...), nil
}

// Results are in the order of the items, whatever order they were done in and however large they are.
func TestResultsAreInOrder(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for name, order := range map[string]func(i, n int) int{
		"as they are": func(i, _ int) int { return i },
		"backwards":   func(i, n int) int { return n - 1 - i },
		"the first last": func(i, n int) int {
			return (i + 1) % n
		},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 600
			s := &shuffled{Store: memory.New(nil)}
			for i := range n {
				r := jobs.Result{Index: order(i, n), Body: fmt.Appendf(nil, `{"version":"3","task":"t","n":%d}`, order(i, n))}
				if r.Index%20 == 0 {
					r.Body = fmt.Appendf(nil, `{"version":"3","task":"t","n":%d,"pad":%q}`, r.Index, large)
				}
				if r.Index == n/2 {
					r.Bad, r.Body = true, []byte(`{"code":"invalid_image"}`)
				}
				s.list = append(s.list, r)
			}
			service := jobs.New(jobs.Deps{Store: s})
			job := &jobs.Job{Spec: jobs.Spec{ID: "J", Model: "m"}, State: jobs.Succeeded, Total: n, Done: n}
			r, err := newResultReader(t.Context(), service, job)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := r.writeTo(&out); err != nil {
				t.Fatal(err)
			}
			doc := decode[struct {
				ID, Model, Version, Task string
				Results                  []struct {
					N     int
					Error *problemDoc
				}
			}](t, out.String())
			if doc.ID != "J" || doc.Model != "m" || doc.Version != "3" || doc.Task != "t" || len(doc.Results) != n || r.kept != 0 || len(r.early) != 0 {
				t.Fatalf("%s %s %s %s %d, %d bytes kept", doc.ID, doc.Model, doc.Version, doc.Task, len(doc.Results), r.kept)
			}
			for i, one := range doc.Results {
				if i == n/2 && one.Error == nil || i != n/2 && one.N != i {
					t.Fatalf("%d is at the place of %d", one.N, i)
				}
			}
			s.calls, s.fail = 0, 2
			if r, err = newResultReader(t.Context(), service, job); err == nil {
				err = r.writeTo(&out)
			}
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("of a store that goes away: %v", err)
			}
			s.fail, s.list = 0, s.list[:n-1]
			if r, err = newResultReader(t.Context(), service, job); err == nil {
				err = r.writeTo(&out)
			}
			if err == nil {
				t.Error("a result that is missing was not noticed")
			}
		})
	}
}
