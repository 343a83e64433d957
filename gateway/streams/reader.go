package streams

import (
	"io"
	"slices"

	"triton-gateway/internal/fault"
)

// ErrBehind is the end of a reader who was left behind: the event that he needs next is kept no longer.
var ErrBehind = fault.New(fault.Conflict, "stream_behind", "the next event is kept no longer: it was read too slowly, or after too long a time; ask anew, or have streams.events and streams.bytes raised")

// Reader reads the events of a stream, each once and in order. It is for one goroutine.
type Reader struct {
	stream *Stream

	// Under the stream's mu.
	taken  int  // number of the last event that it has taken
	behind bool // an event that it needs is gone
}

// open gives another reader.
func (s *Stream) open(from int) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch last := s.next() - 1; {
	case from < 0 || from > last:
		return nil, fault.New(fault.Invalid, "invalid_request", "Last-Event-ID is %d, and this stream has come to event %d", from, last).At("header.Last-Event-ID", "not an event of this stream")
	case len(s.readers) >= s.hub.limits.Readers:
		return nil, busy("%d read this stream already; come again when one of them has left", s.hub.limits.Readers)
	}
	r := &Reader{stream: s, taken: from, behind: from < s.first-1}
	s.readers = append(s.readers, r)
	if !s.ended {
		s.timer.Stop()
	}
	s.change() // who waits for somebody to read
	return r, nil
}

// ID is the stream's: it cannot be guessed.
func (r *Reader) ID() string { return r.stream.id }

// About is what Start was given.
func (r *Reader) About() any { return r.stream.about }

// Taken is the number of the last event that was taken; 0 before the first.
func (r *Reader) Taken() int {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	return r.taken
}

// Next takes the next event. Where there is none yet, found is false, and changed is closed when there may be one.
//
// Errors: io.EOF after the last event of a run that ended well, [ErrBehind], or the run's own.
func (r *Reader) Next() (e Event, found bool, changed <-chan struct{}, err error) {
	s := r.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.behind || r.taken < s.first-1:
		return Event{}, false, nil, ErrBehind
	case r.taken < s.next()-1:
		e = s.events[r.taken+1-s.first]
		r.taken++
		if s.waits {
			s.change()
		}
		return e, true, nil, nil
	case s.ended && s.err != nil:
		return Event{}, false, nil, s.err
	case s.ended:
		return Event{}, false, nil, io.EOF
	}
	return Event{}, false, s.changed, nil
}

// Close lets the stream go. Where it was the last reader, the run waits for another one, and not for long. Calling it again does nothing.
func (r *Reader) Close() {
	s := r.stream
	s.mu.Lock()
	at := slices.Index(s.readers, r)
	if at < 0 {
		s.mu.Unlock()
		return
	}
	s.readers = slices.Delete(s.readers, at, at+1)
	if len(s.readers) == 0 && !s.ended {
		s.timer.Reset(s.hub.limits.Grace)
	}
	s.change()
	behind := r.behind || r.taken < s.first-1
	s.mu.Unlock()
	if behind {
		s.hub.count(func(t *Stats) { t.Behind++ })
	}
}
