package preprocess

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"triton-gateway/internal/fault"
)

// Picturer is an Engine that goes the whole way from bytes to a model's pixels by itself. One that decodes in another process is: the few
// pixels that a model sees cost less to hand over than the many of a picture.
type Picturer interface {
	Engine
	// Picture does what plan, which Plan.Picture understands, makes of data, and fills into.Data, whose size the caller knows before.
	// resampling is the part of the time that was not decoding. Errors are those of Preprocessor.Image.
	Picture(ctx context.Context, plan, data []byte, h Header, into Pixels) (resampling time.Duration, err error)
}

// Plan carries out what a Preprocessor asked of its Picturer. It is safe for concurrent use.
type Plan struct{ p *Preprocessor }

// planned is the form of a plan between the two processes, which are one program.
type planned struct {
	Mode, Method                    string
	Width, Height                   int
	Crop                            *[2]int // width, height
	Pad                             byte
	Padded, Floor, Exif, Fast, Gray bool
	Limits                          Limits
}

// plan writes down what Plan needs.
func plan(t *transform, l Limits) []byte {
	w := planned{Mode: t.mode, Method: t.method, Width: t.size.width, Height: t.size.height, Pad: t.pad,
		Padded: t.padded, Floor: t.cropFloor, Exif: t.exif, Fast: t.fast, Gray: t.gray, Limits: l}
	if t.crop != nil {
		w.Crop = &[2]int{t.crop.width, t.crop.height}
	}
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // strings, numbers and booleans only
	}
	return text
}

// ReadPlan makes a Plan of what a Picturer was given. It trusts the text to be that of a Preprocessor.
func ReadPlan(text []byte, engine Engine) (*Plan, error) {
	var w planned
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("preprocess: no plan: %w", err)
	}
	t := &transform{mode: w.Mode, method: w.Method, size: size{w.Width, w.Height}, pad: w.Pad, padded: w.Padded,
		cropFloor: w.Floor, exif: w.Exif, fast: w.Fast, gray: w.Gray}
	if w.Crop != nil {
		t.crop = &size{w.Crop[0], w.Crop[1]}
	}
	return &Plan{&Preprocessor{engine: engine, limits: w.Limits, transform: t}}, nil
}

// Picture makes the pixels and gives them to sink, whose they are until it returns. It does not walk the file as Image does before native
// code sees it: the Preprocessor has done that.
func (p *Plan) Picture(ctx context.Context, data []byte, h Header, sink func(px Pixels) error) (resampling time.Duration, err error) {
	j := p.p.job(data, h)
	if err := j.measure(); err != nil {
		return 0, err
	}
	px, err := j.pixels(ctx)
	if err != nil {
		return j.resampling, err
	}
	if err := sink(px); err != nil {
		return j.resampling, err
	}
	j.giveBack()
	return j.resampling, nil
}

// elsewhere has a Picturer make the pixels.
func (j *job) elsewhere(ctx context.Context, engine Picturer) (Pixels, error) {
	want := j.geometry.part
	out := Pixels{Width: want.width, Height: want.height, Channels: j.transform.channels()}
	out.Data = j.lend(out.Width * out.Height * out.Channels)
	var err error
	begin := time.Now()
	if j.resampling, err = engine.Picture(ctx, j.p.plan, j.data, j.header, out); err != nil {
		j.resampling = 0
		return Pixels{}, err
	}
	if j.resampling < 0 || j.resampling > time.Since(begin) {
		return Pixels{}, fault.New(fault.Invalid, "invalid_image", "the decoder failed on this picture: it told a time that cannot be")
	}
	return out, nil
}
