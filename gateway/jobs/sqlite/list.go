package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// cursor begins every cursor, so that one of another store is told from them.
const cursor = "before-"

// List implements jobs.Records. A cursor is the place in the order of arrival before which the next page begins.
func (s *Store) List(ctx context.Context, f jobs.Filter) ([]*jobs.Job, string, error) {
	before := int64(math.MaxInt64)
	if f.Cursor != "" {
		place, ok := strings.CutPrefix(f.Cursor, cursor)
		var err error
		if before, err = strconv.ParseInt(place, 36, 64); !ok || err != nil || before < 1 {
			return nil, "", fault.New(fault.Invalid, "invalid_request", "the cursor is none that a list gave; leave it out to begin anew").At("query.cursor", "no cursor")
		}
	}
	limit := min(max(f.Limit, 1), 1000)
	query, args, ok := listQuery(f, before, limit+1)
	if !ok {
		return nil, "", nil
	}
	list, last, err := s.list(ctx, query, args, limit)
	if err != nil {
		return nil, "", failure(ctx, err)
	}
	if last == 0 {
		return list, "", nil
	}
	return list, cursor + strconv.FormatInt(last, 36), nil
}

// listQuery makes the text of a list's query. The rows of one state and one class lie in the wanted order in an index; SQLite merges these, and reads no
// more rows than the page has. It is not ok where no job can be in the list.
func listQuery(f jobs.Filter, before int64, limit int) (query string, args []any, ok bool) {
	wanted, classes := []int{}, []int{0, 1, 2}
	for number, s := range states {
		if (len(f.States) == 0 || slices.Contains(f.States, s)) && (!f.Untold || s.Final()) {
			wanted = append(wanted, number)
		}
	}
	if f.Priority != "" {
		class, known := priorityNumber(f.Priority)
		if !known {
			return "", nil, false
		}
		classes = []int{class}
	}
	where := ""
	if f.Tenant != nil {
		where += ` AND tenant = ?2`
	}
	if f.Model != "" {
		where += ` AND model = ?3`
	}
	tenant := ""
	if f.Tenant != nil {
		tenant = *f.Tenant
	}
	args = []any{before, tenant, f.Model, limit}
	var parts []string
	switch all := len(wanted) == len(states) && len(classes) == len(priorities) && where == ""; {
	case len(wanted) == 0:
		return "", nil, false
	case all:
		parts = []string{`SELECT seq FROM jobs WHERE seq < ?1`}
	case f.Untold:
		// Few jobs are untold: these are read, whatever else is asked for.
		where += fmt.Sprintf(` AND state IN (%s) AND priority IN (%s)`, numbers(wanted), numbers(classes))
		parts = []string{`SELECT seq FROM jobs INDEXED BY jobs_untold WHERE told = 0 AND sweep_at IS NOT NULL AND seq < ?1` + where}
	default:
		for _, state := range wanted {
			for _, class := range classes {
				parts = append(parts, fmt.Sprintf(`SELECT seq FROM jobs WHERE seq < ?1%s AND state = %d AND priority = %d`, where, state, class))
			}
		}
	}
	page := strings.Join(parts, ` UNION ALL `) + ` ORDER BY seq DESC LIMIT ?4`
	return `SELECT ` + columns + ` FROM (` + page + `) p JOIN jobs j ON j.seq = p.seq JOIN specs s ON s.seq = p.seq ORDER BY p.seq DESC`, args, true
}

func numbers(list []int) string {
	var s []string
	for _, n := range list {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ", ")
}

// list reads a page and, where there is a row more, the place of the page's last one.
func (s *Store) list(ctx context.Context, query string, args []any, limit int) (list []*jobs.Job, last int64, err error) {
	rows, err := s.reads.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = rows.Close() }()
	var seq int64
	for rows.Next() {
		if len(list) == limit {
			return list, seq, nil
		}
		var r row
		if err := rows.Scan(r.into()...); err != nil {
			return nil, 0, err
		}
		j, err := r.job()
		if err != nil {
			return nil, 0, err
		}
		list, seq = append(list, j), r.seq
	}
	return list, 0, rows.Err()
}
