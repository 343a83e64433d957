package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/jobs"
)

// plan gives SQLite's plan of a query, a step a line.
func plan(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.reads.db.Query(`EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		t.Fatalf("%v in\n%s", err, query)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// bounded checks that a query reads no table or index from one end to the other, and sorts nothing that it did not bound before.
func bounded(t *testing.T, name, got string, uses ...string) {
	t.Helper()
	for line := range strings.Lines(got) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN (") && line != "SCAN p" && !strings.Contains(line, "CONSTANT ROW") && !strings.Contains(line, "VIRTUAL TABLE") {
			t.Errorf("%s: %s, in\n%s", name, line, got)
		}
	}
	for _, u := range uses {
		if !strings.Contains(got, u) {
			t.Errorf("%s does not use %s:\n%s", name, u, got)
		}
	}
}

func TestLeaseReadsIndexes(t *testing.T) {
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")})
	due := plan(t, s, dueQuery, 1, 1, 1, 1, 1)
	bounded(t, "due", due, "jobs_due (priority=? AND run_at<?)")
	if n := strings.Count(due, "USE TEMP B-TREE"); n != 1 {
		t.Errorf("due sorts %d times; once, what the classes have given, is needed:\n%s", n, due)
	}
	bounded(t, "work", plan(t, s, workQuery, 1), "jobs_due (priority=? AND run_at<?)", "jobs_lease (lease_end<?)", "jobs_deadline (deadline<?)")
	for name, q := range map[string]struct {
		query string
		args  []any
		uses  string
	}{
		"dead":    {deadQuery, []any{1, 1}, "jobs_lease (lease_end<?)"},
		"overdue": {overdueQuery, []any{1, 1}, "jobs_deadline (deadline<?)"},
		"place":   {placeQuery, []any{0, 1, 1, 1, 1}, "COVERING INDEX jobs_due (priority=? AND run_at<?)"},
		"oldest":  {oldestQuery, []any{0, 1}, "jobs_due (priority=? AND run_at<?)"},
		"final":   {finalQuery, []any{1, 1}, "jobs_sweep (sweep_at<?)"},
		"free":    {freeQuery, []any{1, 1}, "blobs_free (put<?)"},
		"blob":    {blobQuery, []any{[]byte{1}}, "blobs_1"},
		"results": {resultsQuery, []any{1, 1, 1}, "PRIMARY KEY (seq=? AND n>?)"},
	} {
		got := plan(t, s, q.query, q.args...)
		bounded(t, name, got, q.uses)
		if strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s sorts:\n%s", name, got)
		}
	}
}

// TestListReadsIndexes goes through every kind of filter.
func TestListReadsIndexes(t *testing.T) {
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")})
	tenant := "t"
	for _, f := range []struct {
		tenant *string
		model  string
		index  string
	}{{nil, "", "jobs_state (state=? AND priority=?"}, {&tenant, "", "jobs_tenant (tenant=? AND state=? AND priority=?"},
		{nil, "m", "jobs_model (model=? AND state=? AND priority=?"}, {&tenant, "m", "jobs_tenant_model (tenant=? AND model=? AND state=? AND priority=?"}} {
		for _, wanted := range [][]jobs.State{nil, {jobs.Failed}, {jobs.Queued}, {jobs.Running, jobs.Succeeded}} {
			for _, class := range []jobs.Priority{"", jobs.Batch} {
				for _, untold := range []bool{false, true} {
					filter := jobs.Filter{Tenant: f.tenant, Model: f.model, States: wanted, Priority: class, Untold: untold}
					query, args, ok := listQuery(filter, 1000, 51)
					if !ok {
						continue
					}
					uses := f.index
					switch {
					case untold:
						uses = "jobs_untold (told=? AND rowid<?)"
					case f.tenant == nil && f.model == "" && wanted == nil && class == "":
						uses = "INTEGER PRIMARY KEY (rowid<?)"
					}
					got := plan(t, s, query, args...)
					bounded(t, fmt.Sprintf("%+v", filter), got, uses)
					// The join keeps the page's order; sorting the page once more would do no harm, sorting a part of the union would.
					if strings.Count(got, "TEMP B-TREE") > 1 {
						t.Errorf("%+v sorts:\n%s", filter, got)
					}
				}
			}
		}
	}
}
