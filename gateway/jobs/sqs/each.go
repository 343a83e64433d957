package sqs

import (
	"context"
	"sync"
)

const atOnce = 8 // calls of one operation

// each runs n steps, some at once, and gives the first failure, after which no more is begun.
func each(ctx context.Context, n int, step func(ctx context.Context, n int) error) error {
	if n == 1 {
		return step(ctx, 0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wait sync.WaitGroup
		turn = make(chan struct{}, atOnce)
	)
	for i := range n {
		turn <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-turn }()
			if err := step(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}
