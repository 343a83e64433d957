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

// Parts is what a pipeline is made of. All fields are needed.
type Parts struct {
	Models  Models
	Backend backend.Backend
	Cache   cache.Cache
	Engine  preprocess.Engine
	CPU     *limit.Limiter // slots for decoding and transforming; held for nothing else
	Limits  preprocess.Limits
	TTL     time.Duration // how long an answer may be served again where the model does not say
}

// Pipeline runs requests. It is safe for concurrent use.
type Pipeline struct {
	Parts
	steps    []step   // of an item that becomes a document
	passing  []step   // of tensors that are passed on as they are
	compiled sync.Map // model name -> *compiled; replaced when the catalog's snapshot of the model changes
}

// New makes a pipeline.
func New(parts Parts) *Pipeline {
	p := &Pipeline{Parts: parts}
	p.steps = []step{
		p.accept, // the model is known, the input is of its kind, the header is within limits
		p.route,  // which version runs, before the key is made
		p.fingerprint,
		p.cached(resultLevel,
			p.cached(tensorLevel,
				p.preprocess,
				p.infer,
			),
			p.postprocess,
		),
	}
	p.passing = []step{p.known, p.route, p.check, p.forward}
	return p
}

// Run answers one item. The item's body may be let go when Run returns.
//
// Errors are *fault.Error of the kinds that api.md lists for infer, or ctx's own.
func (p *Pipeline) Run(ctx context.Context, r *Request) (*Answer, error) {
	j := &job{Request: r}
	if err := run(ctx, j, p.steps); err != nil {
		return nil, err
	}
	return j.answer(), nil
}

// Cached gives the stored answer for the picture whose SHA-256 is digest, or NotFound result_not_cached. No model runs.
func (p *Pipeline) Cached(ctx context.Context, r *Request, digest [32]byte) (*Answer, error) {
	j := &job{Request: r, content: digest, kind: imageItem, byDigest: true}
	if err := run(ctx, j, []step{p.accept, p.route, p.fingerprint, p.stored}); err != nil {
		return nil, err
	}
	return j.answer(), nil
}

// step is one stage. It reads and writes the job; a step behind a cache may run on another goroutine than the caller's, and
// after the caller has left.
type step func(ctx context.Context, j *job) error

func run(ctx context.Context, j *job, steps []step) error {
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return ended(err)
		}
		if err := s(ctx, j); err != nil {
			return err
		}
	}
	return nil
}
