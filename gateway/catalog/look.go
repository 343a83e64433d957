package catalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// Refresh looks now, and returns when the snapshot shows what the backend has. Two looks at the same time run one after the other. The
// error is Unavailable backend_unavailable, or ctx's own.
func (c *Catalog) Refresh(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := max(1, int64(time.Since(c.born)))
	index, err := c.index(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.KindOf(err) == fault.Unavailable && c.Loaded() {
			c.looked.Store(began)
		}
		return c.failed(err)
	}
	old := c.now.Load()
	next := c.build(ctx, index, old)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.publish(next)
	c.looked.Store(began)
	if c.problem.Swap(nil) != nil {
		c.log.Info("the backend answers again")
	}
	c.report(old, next)
	return nil
}

func (c *Catalog) index(ctx context.Context) ([]backend.ModelStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	return c.source.Index(ctx)
}

// failed keeps the snapshot and the reason why it could not be renewed.
func (c *Catalog) failed(err error) error {
	text := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		text = f.Detail
	}
	problem := fault.New(fault.Unavailable, "backend_unavailable", "the backend does not list its models: %s", text).Wrap(err).After(time.Second)
	if was := c.problem.Swap(problem); was == nil || was.Detail != problem.Detail {
		c.log.Error("the backend does not list its models; those of the last look stay", "error", err)
	}
	return problem
}

// build makes the next snapshot. A model of which nothing has changed keeps its *Model, so that what others derive from it stays good.
func (c *Catalog) build(ctx context.Context, index []backend.ModelStatus, old *snapshot) *snapshot {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	labels, stop := context.WithTimeout(ctx, labelsTimeout)
	defer stop()
	groups := map[string][]backend.ModelStatus{}
	for _, s := range index {
		groups[s.Name] = append(groups[s.Name], s)
	}
	next := &snapshot{models: make(map[string]*Model, len(groups))}
	var mu sync.Mutex
	var wg sync.WaitGroup
	const most = 4 // calls to the backend at the same time
	places := make(chan struct{}, most)
	for name, statuses := range groups {
		var was *Model
		if old != nil {
			was = old.models[name]
		}
		key := indexKey(statuses)
		if was != nil && was.index == key && was.files.same() && !was.distant.due() {
			mu.Lock()
			next.models[name] = was
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			m := c.model(ctx, labels, name, statuses, key, was)
			mu.Lock()
			defer mu.Unlock()
			next.models[name] = m
		})
	}
	wg.Wait()
	next.list = slices.SortedFunc(maps.Values(next.models), func(a, b *Model) int { return cmp.Compare(a.Name, b.Name) })
	return next
}

// indexKey holds everything that the index says of one model.
func indexKey(statuses []backend.ModelStatus) string {
	var b strings.Builder
	for _, s := range statuses {
		for _, part := range []string{s.Version, string(s.State), s.Epoch, s.Reason} {
			b.WriteString(part)
			b.WriteByte(0)
		}
	}
	return b.String()
}

// report logs what has changed.
func (c *Catalog) report(old, next *snapshot) {
	for _, m := range next.list {
		var was *Model
		if old != nil {
			was = old.models[m.Name]
		}
		if was == m {
			continue
		}
		if m.Error != "" && (was == nil || was.Error != m.Error) {
			c.log.Error("model cannot be served", "model", m.Name, "reason", m.Error)
		}
		for _, w := range m.Warnings {
			if was == nil || !slices.Contains(was.Warnings, w) {
				c.log.Warn("model needs attention", "model", m.Name, "warning", w)
			}
		}
	}
}
