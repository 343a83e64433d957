package jobs

import "time"

const (
	smoothing   = 8 // each job counts for an eighth
	paceClasses = 1000
	staleCounts = 10 * time.Second // of how old figures of the store the number of running jobs is believed
)

// pace is how long jobs take by their number of items: a line through the smoothed past. A job has costs of its own, and the items of a large one run side by
// side, so that neither the time of a job nor that of an item says enough.
type pace struct {
	n        int     // jobs that were seen
	x, y     float64 // mean items, mean seconds
	xx, xy   float64 // mean items squared, mean items by seconds
	finished time.Time
}

func (p *pace) learn(items int, seconds float64) {
	x := float64(items)
	p.n++
	w := 1 / float64(min(p.n, smoothing))
	p.x += (x - p.x) * w
	p.y += (seconds - p.y) * w
	p.xx += (x*x - p.xx) * w
	p.xy += (x*seconds - p.xy) * w
}

// of is how many seconds a job of so many items takes. The slope is that of least squares, kept between 0 and what it is without a job's own costs.
func (p *pace) of(items int) float64 {
	most := p.y / p.x
	slope := most
	if p.several() {
		slope = min(max((p.xy-p.x*p.y)/(p.xx-p.x*p.x), 0), most)
	}
	return p.y + slope*(float64(items)-p.x)
}

// several reports whether jobs of several sizes were seen.
func (p *pace) several() bool { return p.xx-p.x*p.x > 1e-9*p.xx }

// class is what jobs take alike.
type class struct {
	model    string
	priority Priority // "": all of the model
}

// learn notes that some items of a job took so long.
func (s *Service) learn(j *Job, items int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paces.learn(items, took.Seconds())
	for _, c := range []class{{j.Model, ""}, {j.Model, j.Priority}} {
		p := s.paceOf[c]
		if p == nil {
			if len(s.paceOf) >= paceClasses {
				clear(s.paceOf) // names come from callers
			}
			p = new(pace)
			s.paceOf[c] = p
		}
		p.learn(items, took.Seconds())
	}
}

// overhear learns from a job that another process has done, once and where it went without a hitch. A process that works itself knows better.
func (s *Service) overhear(j *Job) {
	if j.State != Succeeded || j.Fence != 1 || j.Total == 0 || s.working.Load() > 0 {
		return
	}
	s.mu.Lock()
	known := !j.Finished.After(s.paces.finished)
	if !known {
		s.paces.finished = j.Finished
	}
	s.mu.Unlock()
	if !known {
		s.learn(j, j.Total, max(j.Finished.Sub(j.Started), 0))
	}
}

// Estimate is about how long it takes from now until the job is done: the jobs before it shared out to the workers that are known, and its own items, at the
// pace of late jobs of its model and priority, or else of its model. Workers are those of this process where it works, and at least as many as jobs are
// running anywhere. ok is false where nothing of the model is known yet, the place in the queue is not, or the job is final.
func (s *Service) Estimate(j *Job) (d time.Duration, ok bool) {
	running := s.meter.running(s.Now())
	s.mu.Lock()
	p := s.paceOf[class{j.Model, j.Priority}]
	if all := s.paceOf[class{j.Model, ""}]; p == nil || !p.several() {
		p = all
	}
	if p == nil || j.State.Final() || j.State == Queued && j.Place < 0 {
		s.mu.Unlock()
		return 0, false
	}
	own, each := p.of(max(j.Total-j.Done, 0)), s.paces.y
	s.mu.Unlock()
	if j.State == Queued {
		workers := max(int(s.working.Load())*s.Limits.Workers, running, 1)
		if before := j.Place + running + 1 - workers; before > 0 { // so many have to end first
			d = seconds(each * float64(before) / float64(workers))
		}
		d = max(d, j.RunAt.Sub(s.Now()))
	}
	return d + seconds(own), true
}

// seconds is a time of at most the longest that a job may wait.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, longest.Seconds()) * float64(time.Second))
}
