package hybrid

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// cursor is where a list goes on, in each store.
type cursor struct {
	Near  mark  `json:"n"`
	Far   mark  `json:"f"`
	Until int64 `json:"t,omitempty"` // when the newest job of the first page was created, in ms since 1970; newer ones are on no page
}

// mark is where a store's list goes on.
type mark struct {
	At    string `json:"c,omitempty"` // the store's own cursor; "" at the beginning
	Ended bool   `json:"e,omitempty"`
}

const longestCursor = 4096

func (c cursor) String() string {
	if c.Near.Ended && c.Far.Ended {
		return ""
	}
	b, _ := json.Marshal(c) // text only: cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	bad := fault.New(fault.Invalid, "invalid_request", "the cursor is none that a list gave; begin anew without one").At("query.cursor", "is no cursor")
	if len(text) > longestCursor {
		return c, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, bad.Wrap(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, bad.Wrap(err)
	}
	if c.String() != text || c == (cursor{}) {
		return c, bad
	}
	return c, nil
}

// List implements jobs.Records. Both stores are needed. Each page is what the stores gave with the cursors they gave, so that no job is missing or comes twice. Jobs are
// in the order of their creation, by the gateways' clocks; where some change while a page is made, some may be a little out of it.
func (s *Store) List(ctx context.Context, f jobs.Filter) ([]*jobs.Job, string, error) {
	from, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	near, err := s.near.list(ctx, f, from.Near, from.Until, f.Limit)
	if err != nil {
		return nil, "", err
	}
	far, err := s.far.list(ctx, f, from.Far, from.Until, f.Limit)
	if err != nil {
		return nil, "", err
	}
	if from == (cursor{}) {
		for _, page := range [][]*jobs.Job{near.jobs, far.jobs} {
			if len(page) > 0 {
				from.Until = max(from.Until, page[0].Created.UnixMilli())
			}
		}
	}
	if len(near.jobs)+len(far.jobs) > f.Limit { // only so many of each fit: they are read again, to have the cursors behind them
		n, m := share(near.jobs, far.jobs, f.Limit)
		if near, err = s.near.again(ctx, f, near, n); err != nil {
			return nil, "", err
		}
		if far, err = s.far.again(ctx, f, far, m); err != nil {
			return nil, "", err
		}
	}
	page := slices.Concat(near.jobs, far.jobs)
	slices.SortStableFunc(page, newest)
	return page, cursor{near.next, far.next, from.Until}.String(), nil
}

// part is a page of one store.
type part struct {
	jobs       []*jobs.Job
	from, next mark
	skipped    int // jobs before these that are too new
}

// list reads one page of a store. Where it begins, it leaves out what is newer than the first page of the whole list.
func (d *side) list(ctx context.Context, f jobs.Filter, from mark, until int64, limit int) (p part, err error) {
	for p.next = from; len(p.jobs) == 0 && !p.next.Ended; {
		p.from = p.next
		f.Cursor, f.Limit = p.from.At, limit
		page, next, err := d.List(ctx, f)
		if d.note(err) != nil {
			return p, err
		}
		p.next, p.skipped = mark{next, next == ""}, 0
		for from.At == "" && until > 0 && p.skipped < len(page) && page[p.skipped].Created.UnixMilli() > until {
			p.skipped++
		}
		p.jobs = page[p.skipped:]
		if len(page) == 0 {
			break // a store may look at many jobs and find none: see its cursor
		}
	}
	return p, nil
}

// again gives the first n jobs of a page that was read.
func (d *side) again(ctx context.Context, f jobs.Filter, p part, n int) (part, error) {
	if n == len(p.jobs) {
		return p, nil
	}
	if n == 0 {
		p.jobs, p.next = nil, p.from
		return p, nil
	}
	f.Cursor, f.Limit = p.from.At, p.skipped+n
	page, next, err := d.List(ctx, f)
	if d.note(err) != nil {
		return p, err
	}
	p.jobs, p.next = page[min(p.skipped, len(page)):], mark{next, next == ""}
	return p, nil
}

// share tells how many of each are among the newest.
func share(near, far []*jobs.Job, most int) (n, m int) {
	for n+m < most && n+m < len(near)+len(far) {
		if m == len(far) || n < len(near) && newest(near[n], far[m]) <= 0 {
			n++
		} else {
			m++
		}
	}
	return n, m
}

func newest(a, b *jobs.Job) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
}
