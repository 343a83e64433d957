package pipeline

import (
	"context"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/limit"
	"triton-gateway/preprocess"
)

// Models is what the pipeline asks of the catalog.
type Models interface {
	// Lookup gives a model by name. Errors: NotFound model_not_found, Unavailable backend_unavailable.
	Lookup(name string) (*catalog.Model, error)
	// Fresh reports whether the epochs it gives are recent enough to serve stored answers by them.
	Fresh() bool
}

// Parts is what a pipeline is made of. All fields but Routes, Composer, Pixels and Observer are needed.
type Parts struct {
	Models  Models
	Backend backend.Backend
	Cache   cache.Cache
	Engine  preprocess.Engine
	CPU     *limit.Limiter // slots for decoding and transforming; held for nothing else
	Limits  preprocess.Limits
	TTL     time.Duration // how long an answer may be served again where the model does not say
	Routes  Routes        // nil: there are none

	Composer Composer     // runs graphs; nil: there are none
	Pixels   *limit.Bytes // of the pictures that graphs hold decoded; nil: any number

	Observer Observer // nil: nobody watches
	Shadows  Shadows  // nil: answers are compared with no others
}

// Pipeline runs requests. It is safe for concurrent use.
type Pipeline struct {
	Parts
	steps    []step // of an item that becomes a document
	single   []step // those of them that one model does
	parts    []step // of an item, or a part of one, that becomes a typed answer
	digest   []step // of a look-up by digest
	passing  []step // of tensors that are passed on as they are
	seeing   []step // of a preview
	began    time.Time
	compiled sync.Map // model name -> *compiled; replaced when the catalog's snapshot of the model changes

	asides chan struct{} // one place: of who prepares a picture for a shadow
}

// New makes a pipeline.
func New(parts Parts) *Pipeline {
	p := &Pipeline{Parts: parts, began: time.Now(), asides: make(chan struct{}, 1)}
	outputs := p.cached(tensorLevel,
		step{stage: Preprocess, run: p.preprocess, only: imageItem}, // the rest became tensors when it was checked
		step{stage: Infer, run: p.asked(p.infer)},
	)
	p.single = []step{outputs, {stage: Postprocess, run: p.understood(p.postprocess)}}
	p.steps = []step{
		{stage: Accept, run: p.accept}, // the model is known, the input is of its kind, the header is within limits
		{stage: Route, run: p.route},   // which model and version run, before the key is made
		{stage: Fingerprint, run: p.fingerprint},
		p.cached(resultLevel, step{inner: true, run: p.composed(p.compute)}), // single, or what a graph does
	}
	p.parts = append(p.steps[:3:3], outputs, step{stage: Postprocess, run: p.read})
	p.digest = append(p.steps[:3:3], step{inner: true, run: p.stored})
	p.seeing = []step{p.steps[0], p.steps[1], {stage: Preprocess, run: p.preprocess}, {inner: true, run: p.draw}}
	p.passing = []step{
		{stage: Accept, run: p.known},
		{stage: Route, run: p.direct},
		{stage: Infer, run: p.passed(p.forward)},
	}
	return p
}

// Run answers one item. The item's body may be let go when Run returns.
//
// Errors are *fault.Error of the kinds that api.md lists for infer, or ctx's own.
func (p *Pipeline) Run(ctx context.Context, r *Request) (*Answer, error) {
	j := &job{Request: r, uses: true}
	defer j.leave()
	if err := p.run(ctx, j, p.steps); err != nil {
		return nil, err
	}
	p.shadowed(ctx, j)
	return j.answer(), nil
}

// Cached gives the stored answer for the picture whose SHA-256 is digest, or NotFound result_not_cached. No model runs.
func (p *Pipeline) Cached(ctx context.Context, r *Request, digest [32]byte) (*Answer, error) {
	j := &job{Request: r, content: digest, kind: imageItem, byDigest: true}
	if err := p.run(ctx, j, p.digest); err != nil {
		return nil, err
	}
	return j.answer(), nil
}

// step is one stage, or where inner is set some of them. It reads and writes the job; a step behind a cache may run on another goroutine
// than the caller's, and after the caller has left.
type step struct {
	stage Stage
	inner bool
	only  kind // the kind of item that it is for; "" for all
	run   func(ctx context.Context, j *job) error
}

func (p *Pipeline) run(ctx context.Context, j *job, steps []step) error {
	for i := range steps {
		s := &steps[i]
		if s.only != "" && s.only != j.kind {
			continue
		}
		if err := ctx.Err(); err != nil {
			return ended(err)
		}
		var err error
		if s.inner {
			err = s.run(ctx, j)
		} else {
			err = p.stage(ctx, j, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
