package pipeline

import (
	"context"
	"image"
	"sync"

	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
)

// Composer answers for models that are made of others: those whose catalog.Model has the source FromGraph.
type Composer interface {
	// Compose gives the members of the document that are the model's own, without braces, and whether they may be kept. It asks its models by c.Ask,
	// and returns when none of these calls runs any more.
	Compose(ctx context.Context, c *Composition) (members []byte, keep bool, err error)
}

// Composition is one item on its way through a model that is made of others. It is safe for concurrent use.
type Composition struct {
	Model         *catalog.Model // as it was when the key was made
	Width, Height int            // of the picture, as a person sees it; 0 of a row
	Options       postprocess.Options

	p       *Pipeline
	j       *job
	picture *wholePicture

	mu      sync.Mutex
	changed bool // a model was loaded anew meanwhile
	timings []Timing
}

// Ask has one model look at the item, or at a part of the picture; nil is all of it. Its outputs are kept as those of any request are. The boxes of detections
// are pixels of the part. Errors are those of Run.
func (c *Composition) Ask(ctx context.Context, model, version string, of *image.Rectangle, o postprocess.Options) (*postprocess.Result, error) {
	r := &Request{Model: model, Version: version, Tenant: c.j.Tenant, ID: c.j.ID, Item: c.j.Item, Options: o, Cache: c.j.Cache}
	if c.picture != nil {
		whole := image.Rect(0, 0, c.Width, c.Height)
		if of == nil {
			of = &whole
		}
		if of.Empty() || !of.In(whole) {
			return nil, fault.New(fault.Internal, "internal", "a part lies outside of the picture")
		}
		r.Item.part = &part{wholePicture: c.picture, Rectangle: *of}
	}
	j := &job{Request: r, unseen: true, uses: true, quiet: c.j.quiet}
	defer j.leave()
	if v := r.Item.part; v != nil {
		j.header = preprocess.Header{Width: v.Dx(), Height: v.Dy(), Orientation: 1}
		j.content, j.digested = v.sum(), true
	}
	if err := c.p.run(ctx, j, c.p.parts); err != nil {
		return nil, err // what others wait for too may go on, with j
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timings = AddTimings(c.timings, j.timings)
	c.changed = c.changed || !j.keep
	return &j.typed, nil
}

// compute makes a document that is not kept: by a model, or by several.
func (p *Pipeline) compute(ctx context.Context, j *job) error {
	if j.model.Source != catalog.FromGraph {
		return p.run(ctx, j, p.single)
	}
	if p.Composer == nil {
		return fault.New(fault.Internal, "internal", "nobody runs graphs")
	}
	c := &Composition{Model: j.model.Model, Options: j.Options, p: p, j: j}
	if j.kind == imageItem {
		c.picture = newPicture(j)
		c.Width, c.Height = c.picture.width, c.picture.height
		j.frame.SourceWidth, j.frame.SourceHeight = c.Width, c.Height
		if p.Pixels != nil { // held across calls of models, other than those of a single model
			release, err := p.Pixels.Acquire(ctx, 3*int64(c.Width)*int64(c.Height))
			if err != nil {
				return err
			}
			defer release()
		}
	}
	members, keep, err := p.Composer.Compose(ctx, c)
	if err != nil {
		return err
	}
	j.keep = keep && !c.changed
	j.timings = AddTimings(j.timings, c.timings)
	j.body = append(append(j.head(), members...), bodyTail...)
	return nil
}

// read makes a typed answer of a model's outputs, for a Composer.
func (p *Pipeline) read(_ context.Context, j *job) (err error) {
	j.typed, err = j.model.post.Run(j.outputs, j.frame, j.Options)
	return err
}

// ofPictures refuses tensors for a graph.
func ofPictures(m *catalog.Model) error {
	takes := "rows, on /v1"
	if m.Spec.Preprocess != nil {
		takes = "pictures: ask for '" + m.Name + ".image'"
	}
	return fault.New(fault.Invalid, "invalid_request", "model '%s' is a graph, which takes no tensors but %s", m.Name, takes)
}
