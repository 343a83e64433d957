package jobs

import "time"

// estimate is the smoothed time that a job's items take, as this process has seen it.
type estimate struct {
	item  float64 // seconds of a job's time for each of its items
	items float64 // of a job
}

// smoothing: each job counts for an eighth.
const smoothing = 8

func (s *Service) learn(ran time.Duration, items int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := ran.Seconds() / float64(items)
	if s.learned.items == 0 {
		s.learned = estimate{each, float64(items)}
		return
	}
	s.learned.item += (each - s.learned.item) / smoothing
	s.learned.items += (float64(items) - s.learned.items) / smoothing
}

// Estimate is about how long it takes from now until the job is done: the items before it shared out to as many workers as this process has, and its own.
// ok is false where nothing is known yet, or the job is final.
func (s *Service) Estimate(j *Job) (d time.Duration, ok bool) {
	s.mu.Lock()
	e := s.learned
	s.mu.Unlock()
	if e.items == 0 || j.State.Final() {
		return 0, false
	}
	seconds := e.item * float64(j.Total-j.Done)
	if j.State == Queued {
		if j.Place < 0 {
			return 0, false
		}
		seconds += e.item * e.items * float64(j.Place) / float64(s.Limits.Workers)
		d = max(j.RunAt.Sub(s.Now()), 0)
	}
	return d + time.Duration(min(seconds, longest.Seconds())*float64(time.Second)), true
}
