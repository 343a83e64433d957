package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
)

// TestOlderFiles: a file of every earlier schema is brought up to date, with the jobs it holds.
func TestOlderFiles(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		path := filepath.Join(t.TempDir(), "jobs.db")
		alter(t, path, `PRAGMA application_id = 1413966434; CREATE TABLE schema (version INTEGER PRIMARY KEY, applied TEXT NOT NULL) STRICT`)
		for n, step := range migrations[:version] {
			alter(t, path, step)
			alter(t, path, `INSERT INTO schema VALUES (`+strings.Repeat("1+", n)+`1, '')`)
		}
		alter(t, path, `INSERT INTO jobs (id, tenant, model, priority, state, run_at, lease_end, ttl, total, fence, told, hook)
				VALUES ('a', 't', 'shapes', 1, 1, 1000000, 2000000, 3600000000, 1, 1, 1, 0);
			INSERT INTO specs VALUES (1, CAST('{"id":"a","tenant":"t","model":"shapes","priority":"interactive","result_ttl":3600000000000,"attempts":3}' AS BLOB), CAST('[{"kind":"row"}]' AS BLOB))`)
		s := open(t, Options{Path: path})
		list, err := s.Lease(t.Context(), 1, time.Minute)
		if err != nil || len(list) != 1 || list[0].ID != "a" || list[0].Fence != 2 || list[0].Crashes != 1 || len(list[0].Items) != 1 {
			t.Fatalf("schema %d: %v, %+v", version, err, list)
		}
		if err := s.Settle(t.Context(), jobs.Lease{ID: "a", Fence: 2}, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: []byte("1")}}); err != nil {
			t.Error(err)
		}
		if j, err := s.Look(t.Context(), "a"); err != nil || j.Crashes != 0 || j.Done != 1 {
			t.Errorf("schema %d: %v, %+v", version, err, j)
		}
		if c, err := s.Count(t.Context()); err != nil || c.Jobs[jobs.Interactive][jobs.Succeeded] != 1 {
			t.Errorf("schema %d: %v, %+v", version, err, c)
		}
	}
}
