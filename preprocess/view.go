package preprocess

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// View is a part of a decoded picture, as Pillow's Image.crop cuts it: X <= x < X+Width, Y <= y < Y+Height, within the picture. The pixels are RGB, upright, and only read.
type View struct {
	Pixels
	X, Y int
	// W and H are the part's size; the picture has its own.
	W, H int
}

// Upright is the picture's size as people see it, in pixels.
func (h Header) Upright() (width, height int) {
	if transposed(h.Orientation) {
		return h.Height, h.Width
	}
	return h.Width, h.Height
}

// Decode gives a picture as RGB, upright as its EXIF orientation says. h is what Sniff said of the same bytes. Errors are those of Preprocessor.Image.
func Decode(ctx context.Context, engine Engine, data []byte, h Header) (Pixels, error) {
	if err := verify(data, h); err != nil {
		return Pixels{}, err
	}
	px, err := engine.Decode(ctx, data, h, DecodeOptions{})
	if err != nil {
		return Pixels{}, err
	}
	return Orient(px, h.Orientation, nil), nil
}

// View is Image for a part of a picture that is decoded already. What task.yaml says of decoding and of EXIF has no meaning here. Errors are those of Image.
func (p *Preprocessor) View(ctx context.Context, v View) (tensor.Tensor, tensor.Frame, Timing, error) {
	if v.Channels != 3 || v.X < 0 || v.Y < 0 || v.W < 1 || v.H < 1 || v.X+v.W > v.Pixels.Width || v.Y+v.H > v.Pixels.Height || len(v.Data) < 3*v.Pixels.Width*v.Pixels.Height {
		return tensor.Tensor{}, tensor.Frame{}, Timing{}, fault.New(fault.Internal, "internal", "a part of a picture lies outside of it")
	}
	return p.make(ctx, func() *job {
		j := p.job(nil, Header{Width: v.W, Height: v.H, Orientation: 1})
		j.engine, j.held = held{p.engine, v}, true
		return j
	})
}

// held is an engine whose picture is there. It leaves resampling to another one.
type held struct {
	Engine
	view View
}

var _ RowEngine = held{}

// DecodeRows hands out the rows one by one.
func (h held) DecodeRows(ctx context.Context, _ []byte, _ Header, _ DecodeOptions, sink func(rows []byte) error) error {
	for y := range h.view.H {
		if y%64 == 0 && ctx.Err() != nil {
			return fault.Ended(ctx.Err(), "while a picture was resampled")
		}
		if err := sink(h.row(y)); err != nil {
			return err
		}
	}
	return nil
}

// Decode gives the part in memory of its own, unless it is as wide as the picture.
func (h held) Decode(_ context.Context, _ []byte, _ Header, o DecodeOptions) (Pixels, error) {
	v := &h.view
	out := Pixels{Width: v.W, Height: v.H, Channels: 3}
	if v.W == v.Pixels.Width {
		out.Data = v.Data[3*v.W*v.Y:][:3*v.W*v.H]
		return out, nil
	}
	out.Data = sized(o.Into, 3*v.W*v.H)
	for y := range v.H {
		copy(out.Data[3*v.W*y:], h.row(y))
	}
	return out, nil
}

func (h held) row(y int) []byte {
	v := &h.view
	return v.Data[3*((v.Y+y)*v.Pixels.Width+v.X):][:3*v.W]
}

// make carries a job out, and measures it.
func (p *Preprocessor) make(ctx context.Context, prepare func() *job) (tensor.Tensor, tensor.Frame, Timing, error) {
	if p.transform == nil {
		return tensor.Tensor{}, tensor.Frame{}, Timing{}, fault.New(fault.Invalid, "invalid_request", "this model takes no picture: send a row")
	}
	begin := time.Now()
	j := prepare()
	px, err := j.run(ctx)
	decoded := time.Now()
	if err != nil {
		return tensor.Tensor{}, tensor.Frame{}, Timing{Decode: decoded.Sub(begin) - j.resampling, Transform: j.resampling}, err
	}
	t := tensor.Tensor{Name: p.spec.Input.Name, DType: p.layout.dtype, Shape: p.layout.shape(j.geometry.tensor), Data: p.layout.put(px, &j.geometry)}
	j.giveBack()
	transform := j.resampling + time.Since(decoded)
	return t, j.geometry.frame(), Timing{Decode: time.Since(begin) - transform, Transform: transform}, nil
}
