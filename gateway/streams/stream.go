package streams

import (
	"context"
	"slices"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// Event is one response of a stream. It must not be changed.
type Event struct {
	Number int // from 1 on, without a gap
	Data   []byte
}

// Stream is one run and what is kept of it.
type Stream struct {
	hub    *Hub
	id     string // 26 characters of base32: 130 random bits
	tenant string
	about  any
	cancel context.CancelCauseFunc // of the run

	mu      sync.Mutex
	events  []Event       // the oldest first
	bytes   int64         // of their data
	first   int           // number of the oldest, or of the next where there is none
	changed chan struct{} // closed and made anew with each change
	waits   bool          // the run waits for its readers
	readers []*Reader
	timer   *time.Timer // runs while a run has no reader, and after the end
	ended   bool
	endedAt time.Time
	err     error // of the run
}

// ErrAbandoned is the end of a run whose readers have left and did not come back.
var ErrAbandoned = fault.New(fault.Canceled, "client_closed", "nobody has come back to read the stream")

// next is the number that the next event will have. It needs mu.
func (s *Stream) next() int { return s.first + len(s.events) }

// change wakes everybody who waits. It needs mu.
func (s *Stream) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// emit keeps an event. Where there is no room, the oldest goes as soon as all readers have taken it. A reader who takes nothing for Limits.Grace is left behind. While
// nobody reads, nothing goes: the run waits until somebody does, or is ended.
func (s *Stream) emit(ctx context.Context, data []byte) error {
	size := int64(len(data))
	if most := s.hub.limits.Bytes; size > most {
		return fault.New(fault.TooLarge, "response_too_large", "a response has %d bytes, and of one stream at most %d are kept; raise streams.bytes", size, most)
	}
	s.mu.Lock()
	for len(s.events) >= s.hub.limits.Events || s.bytes+size > s.hub.limits.Bytes {
		if s.mayGo() {
			s.evict()
		} else if err := s.wait(ctx); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	s.events = append(s.events, Event{s.next(), data})
	s.bytes += size
	s.change()
	s.mu.Unlock()
	s.hub.count(func(t *Stats) { t.Events++ })
	return nil
}

// wait waits until something changes, or leaves readers behind who keep the run waiting for too long. It needs mu, and lets it go meanwhile.
func (s *Stream) wait(ctx context.Context) error {
	oldest := s.first
	patience := time.NewTimer(s.hub.limits.Grace)
	defer patience.Stop()
	for s.first == oldest && !s.mayGo() {
		changed, alone := s.changed, len(s.readers) == 0
		s.waits = true
		s.mu.Unlock()
		over := false
		select {
		case <-changed:
		case <-ctx.Done():
		case <-patience.C:
			over = true
		}
		s.mu.Lock()
		s.waits = false
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case alone: // whoever comes now has all the time
			patience.Reset(s.hub.limits.Grace)
		case over:
			s.leaveBehind()
		}
	}
	return nil
}

// mayGo reports whether somebody reads, and everybody who does has taken the oldest event. It needs mu.
func (s *Stream) mayGo() bool {
	return len(s.readers) > 0 && !slices.ContainsFunc(s.readers, func(r *Reader) bool { return !r.behind && r.taken < s.first })
}

// leaveBehind gives up those who keep the oldest event from going. It needs mu.
func (s *Stream) leaveBehind() {
	for _, r := range s.readers {
		r.behind = r.behind || r.taken < s.first
	}
}

// evict drops the oldest event. It needs mu.
func (s *Stream) evict() {
	s.bytes -= int64(len(s.events[0].Data))
	s.events[0] = Event{}
	s.events = s.events[1:]
	s.first++
}

// finish is the end of the run. What is kept can be read for a while.
func (s *Stream) finish(err error) {
	s.mu.Lock()
	s.ended, s.endedAt, s.err = true, time.Now(), err
	s.timer.Stop()
	s.timer = time.AfterFunc(s.hub.limits.Keep, func() { s.hub.remove(s) })
	s.change()
	s.mu.Unlock()
	s.hub.count(func(t *Stats) { t.Ended[outcome(err)]++ })
}

// outcome is how a run has ended, in a word.
func outcome(err error) string {
	switch {
	case err == nil:
		return Done
	case err == error(ErrAbandoned): //nolint:errorlint // others have the same code
		return Abandoned
	}
	return Failed
}

// forget stops what would happen later to a stream that the hub no longer has.
func (s *Stream) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
}

// abandon ends a run to which nobody came back.
func (s *Stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.readers) == 0 && !s.ended {
		s.cancel(ErrAbandoned)
	}
}

// restsSince reports when a stream has ended that nobody reads.
func (s *Stream) restsSince() (at time.Time, free bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endedAt, s.ended && len(s.readers) == 0
}
