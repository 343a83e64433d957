package isolate

import (
	"errors"
	"time"

	"triton-gateway/internal/fault"
)

// How a wait for a child ends other than with an answer.
var (
	errGone     = errors.New("the child has ended")
	errStuck    = errors.New("the child has worked for too long")
	errStarved  = errors.New("the child has hardly worked for too long")
	errNonsense = errors.New("the child's answer is none")
)

// watch is the wall clock of one request. It looks at the processor time too, but only of requests that take long.
type watch struct {
	begin, end time.Time
	look       time.Time // when the processor time is read first
	since      time.Time // when it was; zero before
	used       time.Duration
}

func newWatch(most time.Duration) watch {
	now := time.Now()
	return watch{begin: now, end: now.Add(most), look: now.Add(min(most/4, 100*time.Millisecond))}
}

// left is how long to sleep at most; nothing when the time is up.
func (w *watch) left(pid int) time.Duration {
	now := time.Now()
	if now.Before(w.look) {
		return w.look.Sub(now)
	}
	if w.since.IsZero() {
		w.since = now
		w.used, _ = processorTime(pid) // of a process that is gone: the wait finds out
	}
	return w.end.Sub(now)
}

// verdict tells a picture that never ends from a machine that has no time for it: the first has had the processor for half of the time.
func (w *watch) verdict(pid int) error {
	used, err := processorTime(pid)
	if err == nil && !w.since.IsZero() && used-w.used < time.Since(w.since)/2 {
		return errStarved
	}
	return errStuck
}

// faultOf is what a request is told that ended without the child's own words. ended is the reason why the child did.
func faultOf(err error, ended string, most time.Duration) error {
	if errors.Is(err, errGone) {
		switch ended {
		case Killed, Retired, Unborn:
			return fault.New(fault.Unavailable, "backend_unavailable", "the decoder was ended from outside while it worked on this picture: send it again").After(time.Second)
		case Memory:
			return fault.New(fault.TooLarge, "image_too_large", "the picture needs more memory than decoder.memory allows: make it smaller, or raise the setting")
		case Stuck:
			err = errStuck
		}
	}
	switch {
	case errors.Is(err, errStarved):
		return fault.New(fault.Timeout, "deadline_exceeded", "the decoder did not get to the end of this picture within decoder.timeout, %v: the machine has too much to do, or the setting is too short", most)
	case errors.Is(err, errStuck):
		return fault.New(fault.Invalid, "invalid_image", "the decoder did not get to the end of this picture within decoder.timeout, %v: save it anew with another program, or raise the setting", most)
	}
	return fault.New(fault.Invalid, "invalid_image", "the decoder failed on this picture: save it anew with another program and send that").Wrap(err)
}
