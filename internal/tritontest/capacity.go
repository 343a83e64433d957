package tritontest

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// workers run a model's calls: so many at a time, each for the same time. What is started runs to its end, as in Triton, also where the
// caller has left meanwhile.
type workers struct {
	free    chan struct{} // holds one for each idle worker
	service time.Duration

	mu      sync.Mutex
	waiting int
	most    int // in the queue; 0: no bound
}

// Capacity bounds a model: n calls run at a time, each takes the service time, the others wait in order. So it can do n/service calls a
// second.
func Capacity(n int, service time.Duration) ModelOption {
	return func(m *model) {
		w := &workers{free: make(chan struct{}, n), service: service}
		if m.workers != nil {
			w.most = m.workers.most
		}
		for range n {
			w.free <- struct{}{}
		}
		m.workers = w
	}
}

// Queue bounds how many calls of a model with a [Capacity] wait; more are refused as Triton's max_queue_size does.
func Queue(most int) ModelOption {
	return func(m *model) {
		if m.workers == nil {
			m.workers = &workers{}
		}
		m.workers.most = most
	}
}

// work waits for a worker and then for the service time.
func (w *workers) work(ctx context.Context) error {
	if w == nil || w.free == nil {
		return nil
	}
	if err := w.enter(); err != nil {
		return err
	}
	select {
	case <-w.free:
		w.leave()
	case <-ctx.Done():
		w.leave()
		return status.FromContextError(ctx.Err()).Err()
	}
	served := make(chan struct{})
	time.AfterFunc(w.service, func() {
		w.free <- struct{}{}
		close(served)
	})
	select {
	case <-served:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (w *workers) enter() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.most > 0 && w.waiting >= w.most && len(w.free) == 0 {
		return status.Error(codes.Unavailable, QueueFull)
	}
	w.waiting++
	return nil
}

func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
}
