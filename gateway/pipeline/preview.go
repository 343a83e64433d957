package pipeline

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// Preview is what a model would see of a picture.
type Preview struct {
	// PNG is a picture of the input tensor, in RGB or gray: after resize, crop and padding, and with the normalisation undone.
	PNG []byte
	// DType, Layout, Color and Shape are those of the tensor, such as FP32, NCHW, BGR and [1 3 64 64].
	DType, Layout, Color string
	Shape                []int64

	Model   string
	Version string
	Reason  string   // why this one; see Answer
	Routed  *Routed  // how a route came to it; nil where a model was named
	Timings []Timing // queue, decode, preprocess, encode
}

// Preview makes the input tensor of one picture by the stages of Run up to preprocess, and draws it. No model runs, and nothing is kept.
//
// Errors are those of Run for a picture; Invalid invalid_request for an item that is none.
func (p *Pipeline) Preview(ctx context.Context, r *Request) (*Preview, error) {
	if r.Item.Image == nil {
		return nil, fault.New(fault.Invalid, "invalid_request", "a preview is of a picture; send one as the body, as multipart field image, or as {\"image\":{\"base64\":...}}").
			At("body", "no picture")
	}
	j := &job{Request: r, unseen: true}
	if err := p.run(ctx, j, p.seeing); err != nil {
		return nil, err
	}
	drawn := &Preview{
		PNG:    j.body,
		Layout: j.model.Spec.Input.Layout, Color: j.model.Spec.Input.Color,
		DType: j.input[0].DType.String(), Shape: j.input[0].Shape,
		Model: j.model.Name, Version: j.version.Number, Reason: j.reason, Routed: j.routed, Timings: j.timings,
	}
	return drawn, nil
}

// draw makes a PNG of the input tensor. Like preprocess it works on the processor alone, and holds a slot for that.
func (p *Pipeline) draw(ctx context.Context, j *job) error {
	release, _, err := p.CPU.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	start := time.Now()
	px, err := j.model.pre.Pixels(&j.input[0])
	if err != nil {
		return err
	}
	file := file{ctx: ctx}
	if err := png.Encode(&file, asImage(px)); err != nil {
		return ended(err)
	}
	j.body = file.Bytes()
	j.timings = append(j.timings, Timing{"encode", time.Since(start)})
	return nil
}

// file ends the work on a picture that nobody waits for any more.
type file struct {
	bytes.Buffer
	ctx context.Context
}

func (f *file) Write(b []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.Buffer.Write(b)
}

// asImage hands pixels to the encoder, which is quickest with four bytes a pixel.
func asImage(px preprocess.Pixels) image.Image {
	bounds := image.Rect(0, 0, px.Width, px.Height)
	if px.Channels == 1 {
		return &image.Gray{Pix: px.Data, Stride: px.Width, Rect: bounds}
	}
	m := image.NewRGBA(bounds)
	for from, to := 0, 0; from < len(px.Data); from, to = from+3, to+4 {
		copy(m.Pix[to:], px.Data[from:from+3])
		m.Pix[to+3] = 255
	}
	return m
}
