package pipeline

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// Shadows is who compares the answers of routes with what other models say.
type Shadows interface {
	// Answered is told of every answer that a target of a route has computed, before its caller gets it: what it does takes the caller's time. What is to be kept of o is kept by o.Hold,
	// which is dearer than to ask what it would hold.
	Answered(ctx context.Context, o Original)
}

// Original is a routed request that has been answered by a model, not by a cache. It is only good during the call that hands it out.
type Original struct {
	p *Pipeline
	j *job
}

// Routed is how the request came to what has answered it.
func (o Original) Routed() *Routed { return o.j.routed }

// Task is what the answer is compared by; raw for tensors that were passed on.
func (o Original) Task() task.Name {
	if o.j.raw != nil {
		return task.Raw
	}
	return o.j.model.Spec.Task
}

// Bytes is how much memory Hold would keep.
func (o Original) Bytes() int64 {
	j := o.j
	if j.raw != nil {
		return sizeOf(j.raw.Inputs) + sizeOf(j.response.Outputs)
	}
	n := sizeOf(j.outputs) + sizeOf(j.Item.Tensors)
	if j.model.Source == catalog.FromGraph {
		n += int64(len(j.body))
	}
	if b := j.Item.Image; b != nil {
		n += b.Holds()
	}
	if r := j.Item.Row; r != nil {
		n += int64(len(r.Named)+len(r.Positional)) * cellBytes
	}
	return n
}

// sequence is the parameter by which a caller says that its calls belong together: a model that is shown some of them would be told another story.
const sequence = "sequence_id"

// shadowed hands an answer over to those who compare.
func (p *Pipeline) shadowed(ctx context.Context, j *job) {
	if p.Shadows == nil || j.routed == nil || j.unseen || j.result.Hit || j.tensors.Hit {
		return
	}
	if j.raw != nil && j.raw.Params[sequence] != nil {
		return
	}
	p.Shadows.Answered(ctx, Original{p, j})
}

// Held is the input of a request and the answer to it, kept after the request has ended. Its bytes are those of the request, not copies. One goroutine uses it.
type Held struct {
	p       *Pipeline
	request Request
	kind    kind
	task    task.Name
	began   time.Time     // when the model of the last Ask or Insist was called; zero: it was not
	took    time.Duration // and how long it took

	// The answer: outputs of a model, or the document of a graph.
	model   *compiled
	outputs []tensor.Tensor
	frame   tensor.Frame
	body    []byte

	raw     *backend.Request // of tensors that were passed on as they are
	content [32]byte
	known   bool // content has been made
	seen    *job // of the last Ask or Insist, until Release
}

// Hold keeps input and answer until Release.
func (o Original) Hold() *Held {
	j := o.j
	h := &Held{p: o.p, kind: j.kind, task: o.Task()}
	if j.raw != nil {
		h.hold(j.raw, j.response)
		return h
	}
	h.request = Request{Tenant: j.Tenant, ID: j.ID, Item: j.Item, Options: j.Options, Cache: cache.NoStore}
	h.model, h.outputs, h.frame = j.model, j.outputs, j.frame
	h.content, h.known = j.content, true
	if j.model.Source == catalog.FromGraph {
		h.body = j.body
	}
	if b := j.Item.Image; b != nil {
		b.Retain()
	}
	return h
}

// cellBytes is about what a value of a row holds.
const cellBytes = 64

// hold keeps tensors that are passed on. Whoever has sent them may use the request again, but not what is in its memory.
func (h *Held) hold(r *backend.Request, a *backend.Response) {
	raw := *r
	raw.Inputs = make([]tensor.Tensor, len(r.Inputs))
	for i, t := range r.Inputs {
		t.Shape = append([]int64(nil), t.Shape...)
		raw.Inputs[i] = t
	}
	raw.Outputs = append([]backend.Output(nil), r.Outputs...)
	if raw.Memory != nil {
		raw.Memory.Retain()
	}
	h.kind, h.raw, h.outputs = rawItem, &raw, a.Outputs
}

// Release lets go of everything. It is called once.
func (h *Held) Release() {
	if b := h.request.Item.Image; b != nil {
		b.Release()
	}
	if h.raw != nil && h.raw.Memory != nil {
		h.raw.Memory.Release()
	}
	*h = Held{}
}

// Took is how long the model took that was asked last, measured as for Routes.Answered; 0 where it was not called.
func (h *Held) Took() time.Duration { return h.took }

// Called reports whether the model was called that was asked last: where it was not, its error is that of somebody who found no room.
func (h *Held) Called() bool { return !h.began.IsZero() }

// Answer makes the typed form of the answer that the caller got.
func (h *Held) Answer() (postprocess.Result, error) {
	switch {
	case h.raw != nil:
		return postprocess.Result{Outputs: h.outputs}, nil
	case h.body != nil:
		return readDocument(h.body)
	}
	return h.model.post.Run(h.outputs, h.frame, h.request.Options)
}

// Ask asks another model for an answer to the same input, with the same options. Nothing is read from a cache or stored in one, nothing is counted, and no observer is told. Errors are
// those of Run; Busy where others wait for the processor, who come first.
func (h *Held) Ask(ctx context.Context, model, version string) (postprocess.Result, error) {
	return h.ask(ctx, model, version, h.p.turn)
}

// Insist is Ask, but waits for the processor among the others, by the class that ctx has.
func (h *Held) Insist(ctx context.Context, model, version string) (postprocess.Result, error) {
	return h.ask(ctx, model, version, func(_ context.Context, do func() error) error { return do() })
}

// ask is Ask; turn does what needs the processor when it may.
func (h *Held) ask(ctx context.Context, model, version string, turn func(ctx context.Context, do func() error) error) (postprocess.Result, error) {
	h.began, h.took = time.Time{}, 0
	m, err := h.p.Models.Lookup(model)
	if err != nil {
		return postprocess.Result{}, err
	}
	r := h.request
	j := &job{Request: &r, unseen: true, uses: true, quiet: true, content: h.content, digested: h.known}
	if err = h.p.pick(j, m, version); err != nil {
		return postprocess.Result{}, err
	}
	defer j.leave()
	if h.raw != nil {
		return h.pass(ctx, m, j.version)
	}
	if m.Spec == nil || m.Spec.Task != h.task {
		return postprocess.Result{}, fault.New(fault.Invalid, "invalid_request", "model %q has another task than %s, so that their answers cannot be compared", m.Name, h.task)
	}
	r.Model, r.Version = m.Name, j.version.Number
	if j.model, err = h.p.compile(m); err == nil {
		err = h.p.fit(j)
	}
	if err != nil {
		return postprocess.Result{}, err
	}
	h.seen = j
	if m.Source == catalog.FromGraph { // it decodes by itself, so that this is of its time
		if err = turn(ctx, func() error { return nil }); err == nil {
			err = h.call(func() error { return h.p.compute(ctx, j) })
		}
		if err != nil {
			return postprocess.Result{}, err
		}
		return readDocument(j.body)
	}
	if j.kind == imageItem {
		if err := turn(ctx, func() error { return h.p.preprocess(ctx, j) }); err != nil {
			return postprocess.Result{}, err
		}
	}
	if err := h.call(func() error { return h.p.infer(ctx, j) }); err != nil {
		return postprocess.Result{}, err
	}
	return j.model.post.Run(j.outputs, j.frame, j.Options)
}

// call takes the time of the model.
func (h *Held) call(do func() error) error {
	h.began = time.Now()
	defer func() { h.took = max(time.Since(h.began), 1) }()
	return do()
}

// turn does what needs the processor, where the others come first: one picture of those at a time, and none while somebody waits for his.
func (p *Pipeline) turn(ctx context.Context, do func() error) error {
	select {
	case p.asides <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx.Err())
	}
	defer func() { <-p.asides }()
	if err := p.crowded(); err != nil {
		return err
	}
	return do()
}

// crowded is an error while requests of callers wait for the processor.
func (p *Pipeline) crowded() error {
	if p.CPU.Stats().Waiting > 0 {
		return fault.New(fault.Busy, "queue_full", "others wait for the processor")
	}
	return nil
}

// pass asks with tensors as they are.
func (h *Held) pass(ctx context.Context, m *catalog.Model, v catalog.Version) (postprocess.Result, error) {
	if m.Source == catalog.FromGraph {
		return postprocess.Result{}, ofPictures(m)
	}
	r := *h.raw
	r.Model, r.Version = m.Name, v.Number
	r.Params = maps.Clone(r.Params)
	delete(r.Params, paramPriority) // the primary's
	(&job{model: &compiled{Model: m}, raw: &r}).classed(ctx)
	if err := backend.Check(m.Config, &r); err != nil {
		return postprocess.Result{}, err
	}
	var a *backend.Response
	err := h.call(func() (err error) { a, err = h.p.Backend.Infer(ctx, &r); return err })
	if err != nil {
		return postprocess.Result{}, err
	}
	return postprocess.Result{Outputs: a.Outputs}, nil
}

// readDocument reads the typed answer out of a document. Numbers are float32 as they were written. A detection whose crop was classified is known by both labels, its own and the best
// class of the crop: otherwise graphs would be alike whose classifiers are not.
func readDocument(body []byte) (r postprocess.Result, err error) {
	var d struct {
		Predictions []postprocess.Prediction `json:"predictions"`
		Detections  []struct {
			postprocess.Detection
			Predictions []postprocess.Prediction `json:"predictions"`
		} `json:"detections"`
		Segments  []postprocess.Segment `json:"segments"`
		Value     *float64              `json:"value"`
		Values    []float64             `json:"values"`
		Embedding []float32             `json:"embedding"`
	}
	whole := append(append(make([]byte, 0, len(body)+len("false}")), body...), "false}"...)
	if err := json.Unmarshal(whole, &d); err != nil {
		return r, fault.New(fault.Internal, "internal", "an answer's document cannot be read").Wrap(err)
	}
	var found []postprocess.Detection
	for _, one := range d.Detections {
		if len(one.Predictions) > 0 {
			one.Label += ": " + one.Predictions[0].Label
		}
		found = append(found, one.Detection)
	}
	return postprocess.Result{Predictions: d.Predictions, Detections: found, Segments: d.Segments, Value: d.Value, Values: d.Values, Embedding: d.Embedding}, nil
}
