package pipeline

import (
	"context"
	"time"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
)

// Stage is one step of a request, or a part of one whose time is counted apart.
type Stage uint8

// The stages, in order. Each is a file of its name, but for queue and decode, which are parts of preprocess.
const (
	Accept Stage = iota
	Route
	Fingerprint
	Queue      // the wait for a CPU slot
	Decode     // bytes to pixels
	Preprocess // pixels, or a row, to a tensor
	Infer      // the backend's call, with all that it waits for
	Postprocess
	Stages = iota // how many there are
)

var stageNames = [Stages]string{"accept", "route", "fingerprint", "queue", "decode", "preprocess", "infer", "postprocess"}

// String is the stage's name: of its span, of its label in the metrics and of its key in Server-Timing.
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return "unknown"
}

// always reports whether callers are told of the stage however short it was. Of the others they hear from leastTold on.
func (s Stage) always() bool { return s >= Queue }

const leastTold = 50 * time.Microsecond

// Observer sees every stage of every request. Its methods run on the goroutine of the stage: behind the cache that is the one of the
// computation, with the context values of the caller that began it. That caller may have left, and others may wait for the answer.
type Observer interface {
	// Begin comes before a stage, which runs with the context that is given back.
	Begin(ctx context.Context, s Stage) context.Context
	// End comes after it, with that context. It must not keep e.Parts.
	End(ctx context.Context, e Ended)
	// Shared comes when another caller's computation has given the answer; ctx is the one of the caller that waited for it.
	Shared(ctx context.Context)
}

// Ended is a stage that is over.
type Ended struct {
	Stage Stage
	Model string        // one that exists; "" where none has been found yet
	Took  time.Duration // without its parts
	Parts []Part        // other stages that were done within this one
	// Pixels is how many a picture has that Preprocess decoded, or tried to; 0 of other stages and where none was begun, or where it was decoded already.
	Pixels int64
	Err    error
}

// Part is the time of a stage that is done within another.
type Part struct {
	Stage Stage
	Took  time.Duration
}

// errPanicked is what an Observer sees of a stage that ended in a panic.
var errPanicked = fault.New(fault.Internal, "internal", "the stage panicked")

// stage runs one stage, and tells the observer and the job how long it took.
func (p *Pipeline) stage(ctx context.Context, j *job, s *step) (err error) {
	if p.Observer != nil && !j.quiet {
		ctx = p.Observer.Begin(ctx, s.stage)
	}
	j.parts = j.partRoom[:0]
	start := time.Since(p.began) // half the price of time.Now
	err = errPanicked
	defer func() { p.ended(ctx, j, s.stage, time.Since(p.began)-start, err) }()
	err = s.run(ctx, j)
	return err
}

func (p *Pipeline) ended(ctx context.Context, j *job, s Stage, took time.Duration, err error) {
	for _, part := range j.parts {
		took -= part.Took
		j.tell(part.Stage, part.Took)
	}
	j.tell(s, took)
	if p.Observer == nil || j.quiet {
		return
	}
	e := Ended{Stage: s, Took: took, Parts: j.parts, Err: err}
	if j.model != nil {
		e.Model = j.model.Name
	}
	if s == Preprocess && len(j.parts) > 0 { // it had its turn
		e.Pixels = int64(j.header.Width) * int64(j.header.Height)
		if v := j.Item.part; v != nil { // of a picture that is decoded once for all its parts
			if e.Pixels = 0; v.decodes {
				e.Pixels = int64(v.wholePicture.header.Width) * int64(v.wholePicture.header.Height)
			}
		}
	}
	p.Observer.End(ctx, e)
}

// part notes that a stage was done within the one that runs, so that its time is not counted twice.
func (j *job) part(s Stage, took time.Duration) { j.parts = append(j.parts, Part{s, took}) }

// tell notes a stage for Server-Timing.
func (j *job) tell(s Stage, took time.Duration) {
	if !s.always() && took < leastTold {
		return
	}
	if j.timings == nil {
		j.timings = make([]Timing, 0, Stages)
	}
	j.timings = append(j.timings, Timing{s.String(), took})
}

// shared tells the observer of an answer that another caller's computation gave.
func (p *Pipeline) shared(ctx context.Context, o cache.Outcome) {
	if p.Observer != nil && o.Hit && o.Detail == "shared" {
		p.Observer.Shared(ctx)
	}
}
