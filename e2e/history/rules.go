package history

import (
	"slices"
	"time"
)

const succeeded = "succeeded"

// final reports whether a job in this state is to change no more.
func final(state string) bool {
	switch state {
	case succeeded, "failed", "cancelled", "expired":
		return true
	}
	return false
}

// jobs puts together what belongs to one job. One key stands for one job, and one job for one key.
func (h *History) jobs(fault report) map[string]*job {
	jobs, of := map[string]*job{}, map[string]string{}
	for _, s := range h.Submissions {
		if before, known := of[s.Key]; known && before != s.ID {
			fault(Twice, s.ID, "the submission %s is job %s too", s.Key, before)
		}
		of[s.Key] = s.ID
		j := jobs[s.ID]
		if j == nil {
			j = &job{id: s.ID, input: s.Input, accepted: s.At}
			jobs[s.ID] = j
		}
		if s.At.Before(j.accepted) {
			j.accepted = s.At
		}
		if !slices.Contains(j.keys, s.Key) {
			if j.keys = append(j.keys, s.Key); len(j.keys) > 1 {
				fault(Twice, s.ID, "it was given for the submissions %s and %s", j.keys[0], s.Key)
			}
		}
	}
	return jobs
}

// strangers finds jobs that no caller knows of, and gives each job its sightings.
func (h *History) strangers(jobs map[string]*job, fault report) {
	known := map[string]bool{}
	for _, s := range h.Sightings {
		if j := jobs[s.ID]; j != nil {
			j.seen = append(j.seen, s)
			continue
		}
		if !known[s.ID] {
			known[s.ID] = true
			fault(Stranger, s.ID, "it was seen %s, and nobody was told that it is accepted", s.State)
		}
	}
	listed := map[string]bool{}
	for _, id := range h.Listed {
		if listed[id] {
			fault(Twice, id, "it is listed twice")
		}
		listed[id] = true
		if jobs[id] == nil && !known[id] {
			known[id] = true
			fault(Stranger, id, "it is listed, and nobody was told that it is accepted")
		}
	}
	for id := range jobs {
		if h.Listed != nil && !listed[id] {
			fault(Lost, id, "it was accepted and is not listed")
		}
	}
}

// answered reports whether a job ended well, with the right answer, and without an attempt that was used up.
func (h *History) answered(j *job, fault report) bool {
	if len(j.seen) == 0 {
		fault(Lost, j.id, "it was accepted and never seen again")
		return false
	}
	last := j.seen[len(j.seen)-1]
	if last.State != succeeded {
		fault(Lost, j.id, "it was last seen %s", last.State)
		return false
	}
	want, known := h.Expected[j.input]
	switch {
	case !known:
		fault(Wrong, j.id, "nothing is known about the right answer for %s", j.input)
	case last.Answer != want:
		fault(Wrong, j.id, "the answer for %s is %.200s, not %.200s", j.input, last.Answer, want)
	}
	if last.Attempts != 0 {
		fault(Burnt, j.id, "%d attempts are used up, and nothing was wrong with it", last.Attempts)
	}
	return true
}

// steady checks that a job changes no more once it is final, and shows no result before.
func steady(j *job, fault report) {
	var end *Sighting
	for i := range j.seen {
		s := &j.seen[i]
		if s.State != succeeded && s.Answer != "" {
			fault(Changed, j.id, "it shows a result while it is %s", s.State)
			return
		}
		if end != nil && (s.State != end.State || s.Answer != end.Answer) {
			fault(Changed, j.id, "it was %s with %.100s, and %v later it is %s with %.100s", end.State, end.Answer, s.At.Sub(end.At), s.State, s.Answer)
			return
		}
		if end == nil && final(s.State) {
			end = s
		}
	}
}

// prompt checks how long a job waited after kills. From outside it is not known which worker had it: so any kill between its acceptance and its end may have
// been its worker's. What must be is a chain: within the time that is allowed after a kill, less the time in which nothing could work, it is done, or was taken by
// a worker that was killed again.
func (h *History) prompt(j *job, r Rules, v *Verdict, fault report) {
	end := j.end()
	v.SlowestA = max(v.SlowestA, end.Sub(j.accepted))
	var kills []time.Time
	for _, k := range h.Kills {
		if k.Worked && k.Down.After(j.accepted) && k.Down.Before(end) {
			kills = append(kills, k.Down)
		}
	}
	if len(kills) == 0 {
		return
	}
	slices.SortFunc(kills, time.Time.Compare)
	v.Waited++
	limit := r.Redelivery + r.Slack
	for at := 0; ; {
		wait := h.working(kills[at], end)
		if wait <= limit {
			v.Slowest = max(v.Slowest, wait)
			return
		}
		next := at
		for n := at + 1; n < len(kills) && h.working(kills[at], kills[n]) <= limit; n++ {
			next = n
		}
		if next == at {
			v.Slowest = max(v.Slowest, wait)
			fault(Late, j.id, "it was done %.2f s after the kill that can have ended its worker; allowed are %v and %v", wait.Seconds(), r.Redelivery, r.Slack)
			return
		}
		at = next
	}
}

// end is when a job was done: as it says itself, if that is before it was first seen so.
func (j *job) end() time.Time {
	for _, s := range j.seen {
		if final(s.State) {
			if !s.Finished.IsZero() && s.Finished.Before(s.At) && s.Finished.After(j.accepted) {
				return s.Finished
			}
			return s.At
		}
	}
	return j.seen[len(j.seen)-1].At
}

// working is how much of a time was not blocked.
func (h *History) working(from, to time.Time) time.Duration {
	type span struct{ from, to time.Time }
	var blocked []span
	for _, k := range h.Kills {
		if k.Blocked && k.Up.After(from) && k.Down.Before(to) {
			blocked = append(blocked, span{later(k.Down, from), earlier(k.Up, to)})
		}
	}
	slices.SortFunc(blocked, func(a, b span) int { return a.from.Compare(b.from) })
	sum, at := to.Sub(from), from
	for _, b := range blocked {
		if b.from = later(b.from, at); b.to.After(b.from) {
			sum -= b.to.Sub(b.from)
			at = b.to
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
