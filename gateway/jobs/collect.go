package jobs

import (
	"context"
	"sync"
)

// puts is how many blobs of a submission are stored at a time: a store that syncs or that is far away does many as fast as one.
const puts = 8

// collector takes the blobs of one submission to its store, each once.
type collector struct {
	to     Site
	ctx    context.Context // ends with the first failure, which is its cause
	cancel context.CancelCauseFunc
	turn   chan struct{}
	wait   sync.WaitGroup

	mu   sync.Mutex
	seen map[string]bool // digests

	// held are blobs for Taker; room is what it has left for more, less than 0 once blobs are put one by one. Both are used by one goroutine.
	held []Blob
	room int
}

// collect reads the items of a submission into its spec and stores their bytes, but for those that are to be written with the job.
func (s *Service) collect(ctx context.Context, in *Submission, spec *Spec, to Site) (held []Blob, err error) {
	c := &collector{to: to, turn: make(chan struct{}, puts), seen: map[string]bool{}, room: -1}
	if _, ok := to.(Taker); ok {
		c.room = Together
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	defer c.cancel(nil)
	var (
		items []*Item
		sum   int64
	)
	for input, bad := range in.Items {
		if err = bad; err == nil {
			err = s.checkInput(&input, len(items), sum, in.Single)
		}
		if err != nil {
			break
		}
		sum += int64(len(input.Data))
		item := &Item{Kind: input.Kind, Name: input.Name, Size: int64(len(input.Data))}
		items = append(items, item)
		if err = c.add(item, input.Data); err != nil {
			break
		}
	}
	c.wait.Wait()
	if err == nil {
		err = context.Cause(c.ctx)
	}
	if err == nil && len(items) == 0 {
		err = invalid("body", "there is nothing in it to answer; send at least one item")
	}
	if err != nil {
		return nil, ended(err)
	}
	spec.Items = make([]Item, len(items))
	for i, item := range items {
		spec.Items[i] = *item
	}
	return c.held, nil
}

// add takes one item's bytes. Small ones wait for the job, unless they become too many: then all are put.
func (c *collector) add(item *Item, data []byte) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if c.room >= 0 {
		if len(data) <= c.room {
			item.Blob = digestOf(data)
			if !c.known(item.Blob) {
				c.held = append(c.held, Blob{item.Blob, data})
				c.room -= len(data)
			}
			return nil
		}
		early := c.held
		c.held, c.room = nil, -1
		for _, b := range early {
			if err := c.put(func() (Blob, bool) { return b, true }); err != nil {
				return err
			}
		}
	}
	return c.put(func() (Blob, bool) {
		item.Blob = digestOf(data)
		return Blob{item.Blob, data}, !c.known(item.Blob)
	})
}

// known reports whether the digest was seen before, and notes it.
func (c *collector) known(digest string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.seen[digest]
	c.seen[digest] = true
	return before
}

// put stores a blob in a goroutine of its own, when it is its turn. blob is called there, and tells whether there is something to store.
func (c *collector) put(blob func() (b Blob, fresh bool)) error {
	select {
	case c.turn <- struct{}{}:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	c.wait.Go(func() {
		defer func() { <-c.turn }()
		b, fresh := blob()
		if !fresh {
			return
		}
		if err := c.to.Put(c.ctx, b.Digest, b.Data); err != nil {
			c.cancel(err)
		}
	})
	return nil
}
