package priority

import (
	"context"
	"sync"
)

// Shared is the class of work that several wait for: that of the most urgent of them. It only rises. The zero value is of no use; see Share.
type Shared struct {
	mu    sync.Mutex
	class Class
	risen chan struct{} // closed when class rises; nil where nobody has asked
}

// Share gives a context for work that others may wait for too, of the class that ctx says. Work that is begun within shared work shares its class: who waits for the
// part waits for the whole.
func Share(ctx context.Context) (context.Context, *Shared) {
	if s, ok := ctx.Value(key{}).(*Shared); ok {
		return ctx, s
	}
	s := &Shared{class: From(ctx)}
	return context.WithValue(ctx, key{}, s), s
}

// Raise says that somebody of the class waits for the work too. Those who wait in lines for it are told.
func (s *Shared) Raise(c Class) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c >= s.class {
		return
	}
	s.class = c
	if s.risen != nil {
		close(s.risen)
		s.risen = nil
	}
}

// Class is the present class.
func (s *Shared) Class() Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.class
}

// Risen gives a channel that is closed once the class of what runs under ctx is above c; nil where that can never be.
func Risen(ctx context.Context, c Class) <-chan struct{} {
	s, ok := ctx.Value(key{}).(*Shared)
	if !ok || c == Realtime {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.class < c {
		return closed()
	}
	if s.risen == nil {
		s.risen = make(chan struct{})
	}
	return s.risen
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
