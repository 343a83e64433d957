package pipeline

import (
	"context"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// accept refuses what cannot be answered before any work is done: unknown models, the wrong kind of input, pictures whose
// header is over the limits, options that the task does not have. Rows become tensors here, because that is how they are checked.
func (p *Pipeline) accept(_ context.Context, j *job) error {
	if plan := planOf(p.Routes, j.Model); plan != nil {
		return p.acceptRoute(j, plan)
	}
	m, err := p.Models.Lookup(j.Model)
	if err != nil {
		return err
	}
	if j.model, err = p.compile(m); err != nil {
		return err
	}
	if j.asking {
		return nil
	}
	return p.fit(j)
}

// acceptRoute does for a route what does not depend on the model; fit does the rest once that is chosen.
func (p *Pipeline) acceptRoute(j *job, plan *route.Plan) (err error) {
	j.plan = plan
	if err = noVersion(plan, j.Version); err == nil && j.Item.Image != nil {
		j.header, err = preprocess.Sniff(j.Item.Image.Bytes, p.Limits)
	}
	return err
}

// fit checks that the model takes the options and the item.
func (p *Pipeline) fit(j *job) error {
	if err := j.model.post.Check(j.Options); err != nil {
		return err
	}
	switch {
	case j.byDigest:
		return j.acceptKind(imageItem)
	case j.Item.Image != nil:
		return p.acceptImage(j)
	case j.Item.Row != nil:
		return j.acceptRow()
	case j.Item.Tensors != nil:
		return j.acceptTensors()
	}
	return fault.New(fault.Invalid, "invalid_request", "the request holds no input").At("body", "empty")
}

// acceptKind checks that the model takes such items.
func (j *job) acceptKind(k kind) error {
	j.kind = k
	spec := j.model.Spec
	takes := map[kind]bool{
		imageItem: spec.Preprocess != nil,
		rowItem:   len(spec.Input.Columns) > 0,
		rawItem:   spec.Task == task.Raw,
	}
	if takes[k] {
		return nil
	}
	no := map[kind]string{imageItem: "pictures", rowItem: "rows", rawItem: "tensors"}[k]
	for _, other := range []struct {
		kind kind
		send string
	}{
		{imageItem, "a picture as the body, as multipart field image, or as {\"image\":{\"base64\":...}}"},
		{rowItem, "{\"row\":{...}} or {\"rows\":[...]}"},
		{rawItem, "a KServe v2 body with \"inputs\""},
	} {
		if takes[other.kind] {
			return fault.New(fault.Invalid, "invalid_request", "model %q (%s) takes no %s; send %s", j.Model, spec.Task, no, other.send).At("body", "wrong kind of input")
		}
	}
	return fault.New(fault.Invalid, "invalid_request", "model %q (%s) takes no %s", j.Model, spec.Task, no).At("body", "wrong kind of input")
}

func (p *Pipeline) acceptImage(j *job) (err error) {
	if err = j.acceptKind(imageItem); err != nil || j.plan != nil || j.Item.part != nil {
		return err
	}
	j.header, err = preprocess.Sniff(j.Item.Image.Bytes, p.Limits)
	return err
}

func (j *job) acceptRow() error {
	if err := j.acceptKind(rowItem); err != nil {
		return err
	}
	start := time.Now()
	t, err := j.model.pre.Row(*j.Item.Row)
	if err != nil {
		return err
	}
	j.part(Preprocess, time.Since(start))
	j.input = []tensor.Tensor{t}
	return nil
}

func (j *job) acceptTensors() error {
	if err := j.acceptKind(rawItem); err != nil {
		return err
	}
	for i := range j.Item.Tensors {
		if err := j.Item.Tensors[i].Validate(); err != nil {
			return fault.New(fault.Invalid, "invalid_request", "%v", err).At("body.inputs", err.Error())
		}
	}
	j.input = j.Item.Tensors
	return nil
}
