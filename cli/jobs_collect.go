package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
)

// submission is one run of submit. Several chunks are under way at a time; what they come to is dealt with in their order, by one goroutine.
type submission struct {
	*jobsSubmitCmd
	gw       *askedGateway
	input    *input
	out      io.Writer // gets a line for each job; nil: none
	progress *progress
	salt     string // makes keys of this run alone

	accepted int    // jobs
	created  int    // of these, such as there were none before
	last     string // job
	items    int
	bad      int // items without an answer
	done     int // jobs that are final
	docs     []json.RawMessage
}

// part is a chunk under way.
type part struct {
	*chunk
	job   *jobDoc
	raw   json.RawMessage
	fresh bool // its job is new
	err   error
	ready chan struct{} // closed when the other fields are set
}

// run hands the chunks in, then waits for their jobs where that is wanted.
func (s *submission) run(ctx context.Context, keep *results) error {
	var jobs []*part
	for p := range s.parallel(ctx, s.chunks, func(ctx context.Context, p *part) {
		p.job, p.raw, p.fresh, p.err = s.handIn(ctx, p.chunk)
	}) {
		if p.err != nil {
			return p.err
		}
		s.accept(p)
		if p.raw = nil; s.Wait || keep != nil {
			jobs = append(jobs, p)
		}
	}
	if len(jobs) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	s.progress.phase("done", s.items)
	for p := range s.parallel(ctx, slices.Values(jobs), func(ctx context.Context, p *part) {
		seen := 0
		p.job, p.raw, p.err = s.gw.job(ctx, p.job.ID, true, func(j *jobDoc) {
			s.progress.add(j.Progress.Done-seen, 0)
			seen = j.Progress.Done
		})
		if p.err == nil {
			s.progress.add(p.job.Progress.Total-seen, 0)
		}
	}) {
		if p.err != nil {
			return p.err
		}
		if err := s.collect(p, keep); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// chunks gives the parts of the input.
func (s *submission) chunks(yield func(*part) bool) {
	for c := range s.input.chunks(s.Chunk, int64(s.ChunkMiB)<<20) {
		if !yield(&part{chunk: c}) {
			return
		}
	}
}

// accept notes a job.
func (s *submission) accept(p *part) {
	s.accepted++
	s.items += p.job.Progress.Total
	s.last = p.job.ID
	what := p.job.State
	if p.fresh {
		s.created++
	} else {
		what += ", handed in before"
	}
	if s.out != nil {
		s.progress.around(func() { fmt.Fprintf(s.out, "%s  %s  %s\n", p.job.ID, plural(p.job.Progress.Total, "item"), what) })
	}
	if s.JSON && !s.Wait && s.Out == "" {
		s.docs = append(s.docs, p.raw)
	}
	s.progress.add(max(len(p.pictures), 1), sizeOf(p.pictures))
}

func sizeOf(pictures []picture) (sum int64) {
	for _, p := range pictures {
		sum += p.size
	}
	return sum
}

// collect notes how a job ended, and writes its results.
func (s *submission) collect(p *part, keep *results) error {
	s.done++
	if p.job.State == "succeeded" {
		s.bad += p.job.failed()
	} else {
		s.bad += p.job.Progress.Total
		s.progress.say(fmt.Sprintf("job %s: %s %s", p.job.ID, p.job.State, p.job.Error))
	}
	switch {
	case keep != nil:
		return keep.add(p.job, p.names())
	case s.JSON:
		s.docs = append(s.docs, p.raw)
	}
	p.raw, p.job = nil, nil
	return nil
}

// sum says at the end what was done.
func (s *submission) sum(e *Env) {
	text := fmt.Sprintf("%s in %s", plural(s.items, "item"), plural(s.accepted, "job"))
	if before := s.accepted - s.created; before > 0 {
		text += fmt.Sprintf(", %d of them handed in before", before)
	}
	if s.done > 0 {
		text += fmt.Sprintf("; %d answered", s.items-s.bad)
	} else {
		text += "; `triton-gateway jobs get " + s.last + s.flags() + " --wait` waits for the last"
	}
	fmt.Fprintln(e.Err, text)
}

// parallel does something with the parts, Parallel of them at a time, and gives them in their order when they are ready. No more than that many are held. When it
// has returned, nothing is under way any more.
func (s *submission) parallel(ctx context.Context, parts iter.Seq[*part], do func(context.Context, *part)) iter.Seq[*part] {
	return func(yield func(*part) bool) {
		ctx, cancel := context.WithCancel(ctx)
		line := make(chan *part, s.Parallel-1) // under way besides the one that is waited for
		var all sync.WaitGroup
		defer all.Wait()
		defer cancel()
		all.Go(func() {
			defer close(line)
			for p := range parts {
				p.ready = make(chan struct{})
				select {
				case line <- p:
				case <-ctx.Done():
					return
				}
				all.Go(func() {
					defer close(p.ready)
					do(ctx, p)
				})
			}
		})
		for p := range line {
			<-p.ready
			if !yield(p) {
				return
			}
		}
	}
}
