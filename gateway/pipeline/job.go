package pipeline

import (
	"context"
	"errors"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// kind is what an item holds; it is part of the key, so that a row and a picture of the same bytes never meet.
type kind string

const (
	imageItem kind = "image"
	rowItem   kind = "row"
	rawItem   kind = "raw"
)

// job is one request on its way. Steps fill it from top to bottom.
type job struct {
	*Request

	// accept
	kind     kind
	byDigest bool // only content is known, not the bytes
	asking   bool // there is no item: it is asked what would answer one
	unseen   bool // it is not counted as a request of its route
	quiet    bool // nobody is told of it: it is a shadow's
	header   preprocess.Header
	model    *compiled

	// route
	plan    *route.Plan // nil where a model is named; set by accept
	version catalog.Version
	uses    bool // it runs a model: it counts among those that use the version
	picked  bool // it is counted
	reason  string
	routed  *Routed

	// fingerprint
	content   [32]byte // SHA-256 of the item
	digested  bool     // content has been made already
	tensorKey cache.Key
	resultKey cache.Key
	mode      cache.Mode

	// preprocess, infer
	input   []tensor.Tensor
	frame   tensor.Frame
	outputs []tensor.Tensor
	typed   postprocess.Result // where no document is made; see Composition
	keep    bool               // what ran is what the keys name, so it may be stored
	took    time.Duration      // by the model of a routed request, until the route has been told

	// tensors that are passed on as they are
	raw      *backend.Request
	emit     func(*backend.Response) error // nil: one response
	response *backend.Response

	// postprocess
	body []byte // the document but for from_cache's value

	result, tensors cache.Outcome
	timings         []Timing
	parts           []Part // of the stage that runs
	partRoom        [2]Part
}

// answer is made when the steps are done.
func (j *job) answer() *Answer {
	outcome := j.result
	if !outcome.Hit && j.tensors.Hit {
		outcome = cache.Outcome{Hit: true, Detail: "tensor", Stored: outcome.Stored}
	}
	return &Answer{
		Body:      j.body,
		FromCache: outcome.Hit,
		ETag:      etag(j.resultKey),
		Cache:     outcome,
		Tensor:    !j.result.Hit && j.tensors.Hit,
		ID:        documentID(j.body),
		Model:     j.model.Name,
		Version:   j.version.Number,
		Reason:    j.reason,
		Routed:    j.routed,
		Task:      string(j.model.Spec.Task),
		TTL:       j.model.ttl,
		Timings:   j.timings,
	}
}

// ended turns a context's end into a fault.
func ended(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "deadline_exceeded", "the request's time was over before its answer was ready; ask again, or allow it more time, up to limits.timeout").Wrap(err)
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Canceled, "client_closed", "the caller went away").Wrap(err)
	}
	return err
}
