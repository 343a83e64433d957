package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// modeNames are the cache modes as jobs keep them.
var modeNames = map[cache.Mode]string{cache.Default: "", cache.NoCache: "no-cache", cache.NoStore: "no-store"}

// jobOptions is the form in which a job keeps its options. Gateways of other versions read it: members are added, never changed.
type jobOptions struct {
	TopK          *int     `json:"top_k,omitempty"`
	Confidence    *float64 `json:"confidence,omitempty"`
	IoU           *float64 `json:"iou,omitempty"`
	MaxDetections *int     `json:"max_detections,omitempty"`
	Classes       []string `json:"classes,omitempty"`
}

// writeOptions gives the form that a job keeps; nil where there are none.
func writeOptions(o *options) json.RawMessage {
	text, _ := json.Marshal(jobOptions(o.post)) // numbers and texts, and a share is finite: cannot fail
	if string(text) == "{}" {
		return nil
	}
	return text
}

// jobDecoder makes the requests of a job's items as infer would.
type jobDecoder struct{}

var _ jobs.Decoder = jobDecoder{}

// Decode implements jobs.Decoder.
func (jobDecoder) Decode(spec *jobs.Spec, index int, data []byte) (*pipeline.Request, error) {
	r := &pipeline.Request{Model: spec.Model, Version: spec.Version, Tenant: spec.Tenant, ID: spec.ID, Rows: len(spec.Items), Chance: tossed(spec.ID)}
	if !spec.Single {
		r.ID += "." + strconv.Itoa(index)
	}
	for mode, name := range modeNames {
		if name == spec.Cache {
			r.Cache = mode
		}
	}
	if len(spec.Options) > 0 {
		var o jobOptions
		if err := json.Unmarshal(spec.Options, &o); err != nil {
			return nil, unreadable(err)
		}
		r.Options = postprocess.Options(o)
	}
	item := spec.Items[index]
	if item.Kind == jobs.Image {
		r.Item.Image = pipeline.NewBody(data, nil)
		return r, nil
	}
	call := &call{most: 1, body: pipeline.NewBody(data, nil)}
	var err error
	switch item.Kind {
	case jobs.Row:
		reader := &jsonReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(data)), call: call}
		err = reader.row("body.row")
	case jobs.Raw:
		err = call.readJSON()
	default:
		err = fmt.Errorf("an item of kind %q", item.Kind)
	}
	switch {
	case err == nil && len(call.items) != 1:
		return nil, unreadable(errors.New("it holds no input"))
	case err != nil && fault.KindOf(err) == fault.Internal:
		return nil, unreadable(err)
	case err != nil:
		return nil, err
	case call.items[0].err != nil:
		return nil, call.items[0].err
	}
	r.Item = call.items[0].Item
	return r, nil
}

// tossed is a number by which a route decides where chance does: the same for all items of a job and all attempts.
func tossed(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:]) | 1
}

// unreadable is a job that another version of this program wrote, or that was changed in the store.
func unreadable(err error) error {
	return fault.New(fault.Invalid, "job_unreadable", "the job cannot be read by this gateway; hand it in again").Wrap(err)
}

// jobProblem makes the document of an item that cannot be answered, and tells whether its input is at fault.
func jobProblem(spec *jobs.Spec, index int, err error) (body []byte, poison bool) {
	call := &call{body: &pipeline.Body{}, many: !spec.Single}
	switch {
	case call.many:
		call.at = "items"
	case spec.Items[index].Kind == jobs.Row:
		call.at = "body.row"
	}
	p := newProblem(call.locate(err, index), spec.ID)
	body, _ = json.Marshal(p) // strings, numbers and booleans only: cannot fail
	switch faultOf(err).Kind {
	case fault.Invalid, fault.TooLarge, fault.Unsupported:
		return body, true
	}
	return body, false
}

// jobRunner runs items of jobs, and counts them as those of infer.
type jobRunner struct {
	jobs.Runner
	observe func(tenant string, a *pipeline.Answer, tier string)
}

var _ jobs.Runner = jobRunner{}

// Run implements jobs.Runner.
func (j jobRunner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	a, err := j.Runner.Run(ctx, r)
	if err == nil {
		_, short := cacheStatus(a, r.Cache)
		j.observe(r.Tenant, a, short)
	}
	return a, err
}
