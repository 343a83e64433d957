package preprocess

import (
	"context"
	"time"

	"triton-gateway/tensor"
)

// Image turns the bytes of a picture into the model's input tensor of batch size 1, with the Frame that leads back to the picture.
// h is what Sniff said of the same bytes. Errors: Invalid invalid_image (cut, corrupt, wrong size for the model), TooLarge
// image_too_large (what the resize would make), Unsupported, Canceled and Timeout by ctx, Invalid invalid_request where the model
// takes no picture. The tensor's data is new and the caller's.
func (p *Preprocessor) Image(ctx context.Context, data []byte, h Header) (tensor.Tensor, tensor.Frame, Timing, error) {
	return p.make(ctx, func() *job { return p.job(data, h) })
}

// job is the work on one picture.
type job struct {
	p           *Preprocessor
	engine      Engine
	held        bool // the picture is decoded already, by no file
	transform   *transform
	data        []byte
	header      Header
	orientation int // to apply
	geometry    geometry
	scaleNum    int
	lent        []*[]byte
	resampling  time.Duration
}

// job begins the work on one picture.
func (p *Preprocessor) job(data []byte, h Header) *job {
	j := &job{p: p, engine: p.engine, transform: p.transform, data: data, header: h, orientation: 1}
	if p.transform.exif && h.Orientation >= 1 && h.Orientation <= 8 {
		j.orientation = h.Orientation
	}
	return j
}

// run gives the pixels that fill geometry.part, upright, with the tensor's number of channels.
func (j *job) run(ctx context.Context) (Pixels, error) {
	if err := j.measure(); err != nil {
		return Pixels{}, err
	}
	if j.held {
		return j.pixels(ctx)
	}
	if err := verify(j.data, j.header); err != nil {
		return Pixels{}, err
	}
	if engine, ok := j.engine.(Picturer); ok {
		return j.elsewhere(ctx, engine)
	}
	return j.pixels(ctx)
}

// measure works out the sizes, and refuses those that are over the limits.
func (j *job) measure() error {
	width, height := j.upright()
	var err error
	if j.geometry, err = j.transform.geometry(width, height); err != nil {
		return err
	}
	g := &j.geometry
	if err := j.p.limits.fits("the tensor", g.tensor); err != nil {
		return err
	}
	if j.transform.pil() {
		return nil
	}
	return j.p.limits.fits("the resized picture", g.resized)
}

// upright is the picture's size as people see it.
func (j *job) upright() (width, height int) {
	if transposed(j.orientation) {
		return j.header.Height, j.header.Width
	}
	return j.header.Width, j.header.Height
}

// pixels does run's work in this process; the sizes are known.
func (j *job) pixels(ctx context.Context) (Pixels, error) {
	j.scaleNum = 8
	if j.transform.fast && j.header.Format == JPEG {
		width, height := j.upright()
		j.scaleNum = fastScale(width, height, j.geometry.resized, fastMargin(j.transform.method), !j.transform.pil())
	}
	if j.transform.pil() {
		return j.pil(ctx)
	}
	return j.cv2(ctx)
}

// fits refuses to make more pixels out of a picture than one may send.
func (l Limits) fits(what string, s size) error {
	pixels := l.Pixels
	if pixels <= 0 {
		pixels = defaultPixels
	}
	if int64(s.width)*int64(s.height) > int64(pixels) {
		return tooLarge("%s would be %d x %d pixels, and limits.pixels allows %d: send a picture that is less narrow", what, s.width, s.height, pixels)
	}
	return nil
}

// lend gives n bytes that go back when the tensor is made.
func (j *job) lend(n int) []byte {
	b := j.p.buffer(n)
	j.lent = append(j.lent, b)
	return *b
}

func (j *job) giveBack() {
	for _, b := range j.lent {
		j.p.give(b)
	}
	j.lent = nil
}
