package jobs

import "sync"

const widest = 256 // items of one job at a time, at most

// start begins the items; ended is closed when all have ended.
func (a *attempt) start() (ended <-chan struct{}) {
	all := make(chan struct{})
	go func() {
		defer close(all)
		a.alone()
		var wait sync.WaitGroup
		for range min(a.width(), len(a.todo)-int(a.next.Load())) {
			wait.Go(func() {
				for !a.isClosed() {
					n := int(a.next.Add(1)) - 1
					if n >= len(a.todo) {
						return
					}
					a.out <- a.item(a.todo[n], false)
				}
			})
		}
		wait.Wait()
	}()
	return all
}

// width is how many items run at a time.
func (a *attempt) width() int {
	if a.Batch == nil {
		return a.Limits.Parallel
	}
	return min(max(a.Limits.Parallel, 2*a.Batch(a.job.Model, a.job.Version)), widest)
}
