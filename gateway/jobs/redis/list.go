package redis

import (
	"context"
	"slices"
	"strconv"

	"triton-gateway/gateway/jobs"
)

const (
	looks     = 1000 // jobs that one script looks at
	mostLooks = 100  // scripts for one page
)

// List implements jobs.Records. Jobs are in the order in which they were created, by whichever gateway. A page may have fewer jobs than asked for, and a
// cursor all the same, where very few of very many jobs are those asked for: at most 100,000 are looked at for one page.
func (s *Store) List(ctx context.Context, f jobs.Filter) (page []*jobs.Job, next string, err error) {
	if f.Limit < 1 || f.Limit > 1000 {
		return nil, "", invalid("a page of jobs has 1 to 1000").At("query.limit", "is not 1 to 1000")
	}
	if f.Cursor != "" && !isCursor(f.Cursor) {
		return nil, "", invalid("the cursor is none that a list has given; begin without one").At("query.cursor", "is no cursor")
	}
	cursor := f.Cursor
	var last int64 // number of the last job of the page
	for range mostLooks {
		part, seqs, seen, ended, err := s.look(ctx, f, cursor, f.Limit+1-len(page))
		if err != nil {
			return nil, "", err
		}
		for i, j := range part {
			if len(page) == f.Limit { // there is a next page
				return page, strconv.FormatInt(last, 10), nil
			}
			page, last = append(page, j), seqs[i]
		}
		if ended {
			return page, "", nil
		}
		cursor = strconv.FormatInt(seen, 10)
	}
	return page, cursor, nil
}

// look asks for jobs behind the cursor: those found, with their numbers, the number of the last one looked at, and whether there are no more.
func (s *Store) look(ctx context.Context, f jobs.Filter, cursor string, want int) (page []*jobs.Job, seqs []int64, seen int64, ended bool, err error) {
	args := []any{cursor, want, looks, flag(f.Untold), flag(f.Tenant != nil), "", f.Model, string(f.Priority)}
	if f.Tenant != nil {
		args[5] = *f.Tenant
	}
	sought := slices.DeleteFunc(slices.Clone(f.States), func(st jobs.State) bool { return !known(states, st) })
	slices.Sort(sought)
	sought = slices.Compact(sought)
	if len(f.States) > 0 && len(sought) == 0 || f.Priority != "" && !known(classes, f.Priority) {
		return nil, nil, 0, true, nil // no job has such a state or priority
	}
	if len(sought) == 0 {
		sought = states
	}
	args = append(args, "")
	if len(f.States) > 0 || f.Priority != "" {
		args[8] = "1"
	}
	for _, state := range sought {
		args = append(args, string(state))
	}
	word, rest, err := s.call(ctx, s.scripts.list, asked, args...)
	if err != nil {
		return nil, nil, 0, false, err
	}
	if word != "ok" || len(rest) != 3 {
		return nil, nil, 0, false, damaged(errReply)
	}
	seen, _ = rest[0].(int64)
	end, _ := rest[1].(int64)
	found, _ := rest[2].([]any)
	if seen < 1 && end != 1 {
		return nil, nil, 0, false, damaged(errReply) // it would not end
	}
	for _, v := range found {
		id, fields := pair(v)
		j, seq, err := decode(id, fields, false)
		if err != nil {
			s.options.Log.Warn("a job in the store is left out of a list", "job", id, "error", err)
			continue
		}
		page, seqs = append(page, j), append(seqs, seq)
	}
	return page, seqs, seen, end == 1, nil
}

// pair takes an id and what belongs to it apart; "" and nil where it is no pair.
func pair(v any) (id string, what any) {
	if list, _ := v.([]any); len(list) == 2 {
		id, _ = list[0].(string)
		return id, list[1]
	}
	return "", nil
}

// isCursor: a number that a list may have given.
func isCursor(c string) bool {
	n, err := strconv.ParseInt(c, 10, 64)
	return err == nil && n > 0 && n <= 1<<53 && c[0] != '+'
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
