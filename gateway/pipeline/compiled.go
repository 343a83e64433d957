package pipeline

import (
	"crypto/sha256"
	"time"

	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
)

// compiled is a model made ready to run: its specs turned into work, its digests taken once.
type compiled struct {
	*catalog.Model
	pre     *preprocess.Preprocessor
	post    *postprocess.Postprocessor
	preSum  [32]byte
	postSum [32]byte
	ttl     time.Duration
	err     error // why it cannot run
}

// compile gives the compiled form of a snapshot. Two callers may compile the same snapshot at the same time; both results are equal.
func (p *Pipeline) compile(m *catalog.Model) (*compiled, error) {
	if got, ok := p.compiled.Load(m.Name); ok {
		if c := got.(*compiled); c.Model == m {
			return c, c.err
		}
	}
	c := p.build(m)
	p.compiled.Store(m.Name, c)
	return c, c.err
}

func (p *Pipeline) build(m *catalog.Model) *compiled {
	c := &compiled{Model: m, ttl: m.Spec.Cache.TTL}
	if c.ttl == 0 {
		c.ttl = p.TTL
	}
	var err error
	if c.pre, err = preprocess.New(m.Spec, p.Engine, p.Limits); err == nil {
		c.post, err = postprocess.New(m.Spec, m.Labels)
	}
	if err != nil {
		c.err = fault.New(fault.Unavailable, "backend_unavailable", "model %q cannot be served: its task.yaml cannot be carried out: %v", m.Name, err).Wrap(err)
		return c
	}
	c.preSum, c.postSum = c.pre.Digest(), c.post.Digest()
	return c
}

// Group is what a purge of a model names. The tenant is not in it: a purge drops the model's answers for all.
func Group(model string) (g [8]byte) {
	sum := sha256.Sum256([]byte("triton-gateway/group/1\x00" + model))
	copy(g[:], sum[:])
	return g
}
