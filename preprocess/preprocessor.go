package preprocess

import (
	"fmt"
	"sync"

	"triton-gateway/task"
)

// Preprocessor does one model's preprocessing. It is safe for concurrent use.
type Preprocessor struct {
	spec      *task.Spec
	engine    Engine
	limits    Limits
	transform *transform // nil where the model takes no picture
	layout    *layout
	table     *table // nil where the model takes no row
	plan      []byte // what a Picturer is told; nil where the model takes no picture
	digest    [32]byte
	pool      sync.Pool // *[]byte: pictures and results between decoding and the tensor
}

// New compiles a completed spec (see task.Complete). It fails where the spec cannot be carried out; the error names the place.
// engine may be nil where the model takes no picture.
func New(spec *task.Spec, engine Engine, limits Limits) (*Preprocessor, error) {
	p := &Preprocessor{spec: spec, engine: engine, limits: limits, digest: digest(spec)}
	var err error
	if spec.Preprocess != nil {
		if engine == nil {
			return nil, fmt.Errorf("preprocess: a model that takes pictures needs an engine that decodes them")
		}
		if p.layout, err = newLayout(spec.Input, spec.Preprocess); err != nil {
			return nil, err
		}
		if p.transform, err = newTransform(spec.Preprocess, p.layout.channels == 1); err != nil {
			return nil, err
		}
		p.plan = plan(p.transform, limits)
	}
	if len(spec.Input.Columns) > 0 {
		if p.table, err = newTable(spec, p.rowShape()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Digest names everything that decides which tensor comes out of given bytes: it is part of the tensor cache's key.
func (p *Preprocessor) Digest() [32]byte { return p.digest }

// rowShape is nil for a plain table, [1, columns]. A model that takes pictures too gets its rows in the shape of a picture, as long as
// that is fixed and holds the columns.
func (p *Preprocessor) rowShape() []int64 {
	if p.transform == nil {
		return nil
	}
	t := p.transform
	s := t.size
	switch {
	case t.crop != nil:
		s = *t.crop
	case t.mode == "shortest-edge", t.mode == "longest-edge" && !t.padded:
		return nil
	}
	if s.width*s.height*p.layout.channels != len(p.spec.Input.Columns) {
		return nil
	}
	return p.layout.shape(s)
}

// buffer lends n bytes; give puts them back.
func (p *Preprocessor) buffer(n int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok && cap(*b) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n)
	return &b
}

func (p *Preprocessor) give(b *[]byte) { p.pool.Put(b) }
