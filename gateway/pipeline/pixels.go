package pipeline

import (
	"context"
	"encoding/binary"
	"image"
	"sync"
	"time"

	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// wholePicture is one that several models look at. It is decoded once, when the first of them needs its pixels, and its parts are cut out of those.
type wholePicture struct {
	body          *Body
	header        preprocess.Header
	content       [32]byte // SHA-256 of the file
	width, height int      // as a person sees it

	mu     sync.Mutex
	pixels *preprocess.Pixels
}

func newPicture(j *job) *wholePicture {
	v := &wholePicture{body: j.Item.Image, header: j.header, content: j.content}
	v.width, v.height = j.header.Upright()
	return v
}

// part is what one model sees of a picture.
type part struct {
	*wholePicture
	image.Rectangle
	decodes bool // it was the one that needed the pixels first
}

// sum names the part's pixels. The whole picture's name is not that of its file, because the file is read as each model's task.yaml says, and a part is upright.
func (v *part) sum() [32]byte {
	var at [32]byte
	for i, n := range [...]int{v.Min.X, v.Min.Y, v.Max.X, v.Max.Y} {
		binary.LittleEndian.PutUint64(at[8*i:], uint64(n))
	}
	return sum("triton-gateway/part/1", v.content[:], at[:])
}

// view gives the pixels. The caller holds a CPU slot; who comes while another one decodes waits for it.
func (v *part) view(ctx context.Context, engine preprocess.Engine) (preprocess.View, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pixels == nil {
		v.decodes = true
		px, err := preprocess.Decode(ctx, engine, v.body.Bytes, v.header)
		if err != nil {
			return preprocess.View{}, err
		}
		v.pixels = &px
	}
	return preprocess.View{Pixels: *v.pixels, X: v.Min.X, Y: v.Min.Y, W: v.Dx(), H: v.Dy()}, nil
}

// see makes the input tensor of a picture, or of a part of one that is decoded already.
func (p *Pipeline) see(ctx context.Context, j *job) (tensor.Tensor, tensor.Frame, preprocess.Timing, error) {
	v := j.Item.part
	if v == nil {
		return j.model.pre.Image(ctx, j.Item.Image.Bytes, j.header)
	}
	start := time.Now()
	view, err := v.view(ctx, p.Engine)
	decoding := time.Since(start)
	if err != nil {
		return tensor.Tensor{}, tensor.Frame{}, preprocess.Timing{Decode: decoding}, err
	}
	t, frame, timing, err := j.model.pre.View(ctx, view)
	timing.Decode += decoding
	return t, frame, timing, err
}
