package streams

import "maps"

// How a run has ended.
const (
	Done      = "done"
	Failed    = "failed"
	Abandoned = "abandoned" // its readers had left
)

// Stats are what a hub counts.
type Stats struct {
	Running int // now
	Kept    int // that have ended and can still be read
	Readers int // now
	Bytes   int64

	// Since the start.
	Started uint64
	Resumed uint64 // times that somebody came to a stream that had begun
	Events  uint64
	Behind  uint64 // readers who were left behind
	Ended   map[string]uint64
}

// Stats gives the figures.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	t := h.stats
	t.Ended = maps.Clone(t.Ended)
	list := make([]*Stream, 0, len(h.streams))
	for _, s := range h.streams {
		list = append(list, s)
	}
	h.mu.Unlock()
	for _, s := range list {
		s.mu.Lock()
		if s.ended {
			t.Kept++
		} else {
			t.Running++
		}
		t.Readers += len(s.readers)
		t.Bytes += s.bytes
		s.mu.Unlock()
	}
	return t
}
