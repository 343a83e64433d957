package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

const (
	typePNG      = "image/png"
	headerTensor = "X-Tensor"
)

// previewer shows what a model sees.
type previewer interface {
	// Preview draws the input tensor that a picture becomes. No model runs.
	Preview(ctx context.Context, r *pipeline.Request) (*pipeline.Preview, error)
}

// show answers POST .../preview: the picture that infer's body holds, as the model would see it.
func (s *server) show(c *gin.Context) error {
	name, version, cancel, err := s.asked(c)
	if err != nil {
		return err
	}
	defer cancel()
	r := c.Request
	model, err := s.models.Lookup(name)
	if err != nil {
		return err
	}
	if model.Spec.Preprocess == nil {
		return fault.New(fault.Invalid, "no_preview", "model %q (%s) takes no picture, so there is none to show of what it sees", name, model.Spec.Task).At("path.model", "takes no picture")
	}
	call, release, err := s.receive(c.Writer, r, name, version)
	if err != nil {
		return err
	}
	defer release()
	defer call.release()
	if len(call.items) > 1 {
		return fault.New(fault.Invalid, "invalid_request", "a preview is of one picture, and the body holds %d; send one at a time", len(call.items)).At("body", "several items")
	}
	if err := call.items[0].err; err != nil {
		return call.locate(err, 0)
	}
	ctx, stop := context.WithTimeout(r.Context(), s.limits.Timeout)
	defer stop()
	p, err := s.preview.Preview(ctx, &pipeline.Request{Model: name, Version: version, Tenant: caller.TenantOf(ctx), ID: requestID(c), Options: call.opts.post, Item: call.items[0].Item, Header: r.Header})
	if err != nil {
		return call.locate(err, 0)
	}
	h := c.Writer.Header()
	h.Set(headerTensor, tensorHeader(p))
	h.Set("Server-Timing", serverTiming(p.Timings, s.now().Sub(stateOf(c).started)))
	h.Set("X-Model-Version", p.Version)
	h.Set("X-Route", routeHeader(p.Model, p.Version, p.Reason, p.Routed))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", typePNG)
	h.Set("Content-Length", strconv.Itoa(len(p.PNG)))
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(p.PNG)
	return nil
}

// tensorHeader says what tensor the picture was drawn from: FP32; layout=NCHW; color=RGB; shape=1x3x64x64.
func tensorHeader(p *pipeline.Preview) string {
	sides := make([]string, len(p.Shape))
	for i, d := range p.Shape {
		sides[i] = strconv.FormatInt(d, 10)
	}
	return p.DType + "; layout=" + p.Layout + "; color=" + p.Color + "; shape=" + strings.Join(sides, "x")
}

// describePreview adds the preview to the OpenAPI document. It takes the pictures that infer takes.
func describePreview(doc *huma.OpenAPI, schema func(any) *huma.Schema, problemSchema *huma.Schema) {
	for _, path := range []string{"/v1/models/{model}/preview", "/v1/models/{model}/versions/{version}/preview"} {
		op := inferByPost(path, schema)
		op.OperationID = "preview"
		if strings.Contains(path, "{version}") {
			op.OperationID = "preview-version"
		}
		op.Tags, op.Summary = []string{"models"}, "What a model sees of a picture"
		op.Description = "Takes one picture as infer does, and gives the model's input tensor as a picture: after resize, crop and padding, with the normalisation undone. " +
			"No model runs. Options are checked as infer checks them. Of a model that takes no picture the answer is 422 no_preview."
		body := op.RequestBody.Content[typeJSON]
		body.Examples = map[string]*huma.Example{"picture": body.Examples["picture"]}
		op.Responses = map[string]*huma.Response{"200": {
			Description: "The picture",
			Headers: map[string]*huma.Header{
				headerTensor:      text("The tensor: type, layout, order of the colours and shape", "FP32; layout=NCHW; color=RGB; shape=1x3x64x64"),
				"Server-Timing":   text("Milliseconds of the stages that ran, and in total", "queue;dur=0.002, decode;dur=1.021, preprocess;dur=0.310, encode;dur=0.840, total;dur=2.300"),
				"X-Model-Version": text("The version that was asked for or that the model's policy gives", "2"),
				"X-Route":         text("What would answer an infer, and why", "shapes/2; reason=policy"),
			},
			Content: map[string]*huma.MediaType{typePNG: octets()},
		}}
		add(doc, op, problemSchema, 400, 404, 405, 408, 413, 415, 422, 429, 499, 503, 504)
	}
}
