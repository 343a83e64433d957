//go:build linux

package isolate

import "runtime"

// Pids are the children that are ready.
func Pids(e *Engine) (list []int) {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	for c := range e.pool.live {
		list = append(list, c.process.Pid)
	}
	return list
}

// AwaitGone returns when the parent knows that a child has ended.
func AwaitGone(e *Engine, pid int) {
	for {
		e.pool.mu.Lock()
		var found *child
		for c := range e.pool.born {
			if c.process.Pid == pid {
				found = c
			}
		}
		e.pool.mu.Unlock()
		if found == nil {
			return
		}
		runtime.Gosched()
	}
}
