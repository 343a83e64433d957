package pipeline

import (
	"context"
	"errors"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
)

// level is one of the two things that are kept.
type level struct {
	key     func(*job) cache.Key
	outcome func(*job) *cache.Outcome
	// pack gives what to keep after the steps have run; unpack puts a kept value into the job.
	pack   func(*job) []byte
	unpack func(*job, []byte) error
}

// cached makes one step of several: they run only if their outcome is not kept yet, and once for all who ask at the same time.
func (p *Pipeline) cached(l level, steps ...step) step {
	return step{inner: true, run: func(ctx context.Context, j *job) error {
		for {
			err := p.once(ctx, j, l, steps)
			if errors.Is(err, errAbandoned) && ctx.Err() == nil {
				continue
			}
			return err
		}
	}}
}

func (p *Pipeline) once(ctx context.Context, j *job, l level, steps []step) error {
	h := lend(j.Item.Image)
	defer h.settle()
	ran := false // written by the computation, read after it has ended
	value, outcome, err := p.Cache.Do(ctx, l.key(j), j.mode, j.model.ttl, func(ctx context.Context) ([]byte, bool, error) {
		if !h.start() {
			return nil, false, errAbandoned
		}
		defer h.done()
		if err := p.run(ctx, j, steps); err != nil {
			return nil, false, err
		}
		ran = true
		return l.pack(j), j.keep, nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return ended(ctx.Err())
		}
		return ended(err)
	}
	*l.outcome(j) = outcome
	p.shared(ctx, outcome)
	if ran && !outcome.Hit {
		return nil
	}
	return l.unpack(j, value)
}

// stored is the step of a look-up by digest: an answer that is there, or what the model gave, of which postprocess makes one with other options; or none. That there
// is none is found before a computation is begun, for others may wait for that one who have the picture.
func (p *Pipeline) stored(ctx context.Context, j *job) error {
	if j.mode == cache.Default {
		if value, outcome, ok := p.Cache.Get(ctx, j.resultKey); ok {
			j.result = outcome
			return resultLevel.unpack(j, value)
		}
		if value, outcome, ok := p.Cache.Get(ctx, j.tensorKey); ok {
			if err := tensorLevel.unpack(j, value); err != nil {
				return err
			}
			j.tensors = outcome
			return p.once(ctx, j, resultLevel, []step{{stage: Postprocess, run: p.postprocess}})
		}
	}
	return j.notStored()
}

func (j *job) notStored() error {
	return fault.New(fault.NotFound, "result_not_cached", "no answer for this picture, model and options is stored; send the picture to /v1/models/%s/infer", j.Model)
}
