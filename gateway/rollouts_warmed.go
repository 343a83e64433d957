package gateway

import "sync"

// loaded is a version of a model on one server.
type loaded struct{ server, model, version string }

// warmed is what is known of loads, and what is being done about them.
type warmed struct {
	mu   sync.Mutex
	seen map[string]map[loaded]string // by server, what names each of its loads; a server that is missing was not looked at yet

	admitting underway[string] // servers that take calls for want of another, and are to be let in
	returning underway[string] // servers that are brought up to date
	warming   underway[loaded]
}

// look keeps what a server has loaded now, and gives what it had at the last look; known is false at the first one.
func (w *warmed) look(server string, now map[loaded]string) (before map[loaded]string, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known = w.seen[server]
	if w.seen == nil {
		w.seen = map[string]map[loaded]string{}
	}
	w.seen[server] = now
	return before, known
}

// underway holds what is being done, so that nobody begins it a second time. The zero value is ready; safe for concurrent use.
type underway[T comparable] struct {
	mu  sync.Mutex
	set map[T]bool
}

// begin reports whether nobody does it yet; whoever is told so calls end.
func (u *underway[T]) begin(what T) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.set[what] {
		return false
	}
	if u.set == nil {
		u.set = map[T]bool{}
	}
	u.set[what] = true
	return true
}

func (u *underway[T]) end(what T) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.set, what)
}
