package pipeline

import "context"

// Explained is what would answer a request, and why.
type Explained struct {
	Model, Version, Reason string
	Task                   string
	Source                 string  // where the task comes from, such as task.yaml
	Routed                 *Routed // nil where a model was named
}

// Explain decides as Run would, and runs nothing: nothing is counted, and no model is asked. A request without an item is a question about any request: what depends on
// the item is then decided as for an empty one. Where chance decides, it is tossed for this answer alone.
//
// Errors are those of Run as far as route.
func (p *Pipeline) Explain(ctx context.Context, r *Request) (*Explained, error) {
	j := &job{Request: r, unseen: true, asking: r.Item.empty()}
	if err := p.accept(ctx, j); err != nil {
		return nil, err
	}
	if err := p.route(ctx, j); err != nil {
		return nil, err
	}
	return &Explained{Model: j.model.Name, Version: j.version.Number, Reason: j.reason, Task: string(j.model.Spec.Task), Source: j.model.Source, Routed: j.routed}, nil
}
