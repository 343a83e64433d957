package pipeline

import (
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
)

// Check refuses what Run would refuse whatever the bytes of the item are: an unknown model or version, options that the task does not have, an input of
// the wrong kind. It costs no more than that, so that work for later can be refused when it is handed in. Errors are those of Run.
func (p *Pipeline) Check(r *Request) error {
	plan := planOf(p.Routes, r.Model)
	m, err := p.snapshot(plan, r)
	if err != nil {
		return err
	}
	j := &job{Request: r}
	if j.model, err = p.compile(m); err != nil {
		return err
	}
	if err = j.model.post.Check(j.Options); err != nil {
		return err
	}
	k := rawItem
	switch {
	case r.Item.Image != nil:
		k = imageItem
	case r.Item.Row != nil:
		k = rowItem
	}
	if err = j.acceptKind(k); err != nil || r.Version == "" {
		return err
	}
	_, err = m.Resolve(r.Version)
	return err
}

// snapshot is the model that a request names, or the first that is there of those that a route leads to: all take the same.
func (p *Pipeline) snapshot(plan *route.Plan, r *Request) (*catalog.Model, error) {
	if plan == nil {
		return p.Models.Lookup(r.Model)
	}
	if err := noVersion(plan, r.Version); err != nil {
		return nil, err
	}
	return snapshotOf(p.Models, plan)
}
