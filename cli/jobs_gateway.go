package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strconv"
)

// jobsPage is one page of a list.
type jobsPage struct {
	jobs []*jobDoc
	raw  []json.RawMessage // the same, as they came
}

// pages gives the jobs of a list page by page, at most limit of them; 0: all.
func (gw *askedGateway) pages(ctx context.Context, q url.Values, limit int) iter.Seq2[jobsPage, error] {
	const most = 200
	return func(yield func(jobsPage, error) bool) {
		for left := limit; ; {
			n := most
			if limit > 0 {
				n = min(most, left)
			}
			q.Set("limit", strconv.Itoa(n))
			page, next, err := gw.page(ctx, q)
			if err != nil {
				yield(jobsPage{}, err)
				return
			}
			left -= len(page.jobs)
			if !yield(page, nil) || next == "" || limit > 0 && left <= 0 {
				return
			}
			q.Set("cursor", next)
		}
	}
}

func (gw *askedGateway) page(ctx context.Context, q url.Values) (p jobsPage, next string, err error) {
	data, err := gw.ask(ctx, "GET", "/v1/jobs?"+q.Encode())
	if err != nil {
		return p, "", err
	}
	var list struct {
		Jobs []json.RawMessage
		Next string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return p, "", fmt.Errorf("the answer is not JSON: %w", err)
	}
	for _, raw := range list.Jobs {
		j := new(jobDoc)
		if err := json.Unmarshal(raw, j); err != nil {
			return p, "", fmt.Errorf("the answer is not JSON: %w", err)
		}
		p.jobs = append(p.jobs, j)
	}
	p.raw = list.Jobs
	return p, list.Next, nil
}
