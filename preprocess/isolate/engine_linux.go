package isolate

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// Available tells whether there can be isolation on this system.
const Available = true

var (
	_ preprocess.RowEngine = (*Engine)(nil)
	_ preprocess.Picturer  = (*Engine)(nil)
)

// Engine decodes in child processes. It is safe for concurrent use.
//
// Besides the errors of package opencv it gives: Invalid invalid_image for a picture on which a child failed, Timeout deadline_exceeded where
// a child that had hardly any processor took too long, and Unavailable backend_unavailable, with a RetryAfter, where a child was killed from
// outside or none is there.
type Engine struct {
	options Options
	pool    *pool
}

// New starts the children, and returns when one of them is ready. It fails where none becomes ready.
func New(ctx context.Context, o Options) (*Engine, error) {
	o.Children = max(o.Children, 1)
	p := newPool(o)
	if err := p.start(ctx); err != nil {
		p.close()
		return nil, err
	}
	return &Engine{options: o, pool: p}, nil
}

// Close ends all children, and returns when they are gone. Pictures under way fail.
func (e *Engine) Close() error {
	e.pool.close()
	return nil
}

// Report tells what is in force in the children.
func (e *Engine) Report() Report { return e.pool.reported() }

// Stats counts.
func (e *Engine) Stats() Stats {
	s := e.pool.counts.stats()
	s.Ready = e.pool.ready()
	return s
}

// Decode implements preprocess.Engine.
func (e *Engine) Decode(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) (preprocess.Pixels, error) {
	px := preprocess.Pixels{Width: h.Width, Height: h.Height, Channels: channels(o)}
	if h.Format == preprocess.JPEG {
		px.Width, px.Height = scaled(h.Width, o), scaled(h.Height, o)
	}
	if o.Orientation >= 5 && o.Orientation <= 8 {
		px.Width, px.Height = px.Height, px.Width
	}
	size := px.Width * px.Height * px.Channels
	if px.Data = o.Into; cap(px.Data) < size {
		px.Data = make([]byte, size)
	}
	px.Data = px.Data[:size]
	at := 0
	_, err := e.pool.ask(ctx, ask{request: asked(opDecode, h, o), data: data, format: h.Format, total: size, unit: 1, take: func(part []byte) error {
		at += copy(px.Data[at:], part)
		return nil
	}})
	if err != nil {
		return preprocess.Pixels{}, err
	}
	return px, nil
}

// DecodeRows implements preprocess.RowEngine. The sink's rows lie in memory that the child can change: they are pixels, and nothing else may
// depend on them.
func (e *Engine) DecodeRows(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions, sink func(rows []byte) error) error {
	width, height := h.Width, h.Height
	if h.Format == preprocess.JPEG {
		width, height = scaled(width, o), scaled(height, o)
	}
	stride := width * channels(o)
	if stride > outputSize {
		return fault.New(fault.TooLarge, "image_too_large", "the picture is %d pixels wide, and a decoder in a process of its own takes %d", width, outputSize/channels(o))
	}
	_, err := e.pool.ask(ctx, ask{request: asked(opRows, h, o), data: data, format: h.Format, total: stride * height, unit: stride, take: sink})
	return err
}

// Picture implements preprocess.Picturer.
func (e *Engine) Picture(ctx context.Context, plan, data []byte, h preprocess.Header, into preprocess.Pixels) (time.Duration, error) {
	at := 0
	return e.pool.ask(ctx, ask{request: asked(opPicture, h, preprocess.DecodeOptions{}), plan: plan, data: data, format: h.Format, total: len(into.Data), unit: 1,
		take: func(part []byte) error {
			at += copy(into.Data[at:], part)
			return nil
		}})
}

// Resize implements preprocess.Engine, in this process.
func (e *Engine) Resize(ctx context.Context, src preprocess.Pixels, width, height int, method string) (preprocess.Pixels, error) {
	return e.options.Local.Resize(ctx, src, width, height, method)
}

func asked(op uint32, h preprocess.Header, o preprocess.DecodeOptions) request {
	r := request{op: op, width: uint32(h.Width), height: uint32(h.Height), orientation: uint32(h.Orientation),
		scale: uint32(o.ScaleNum), from: uint32(o.From), to: uint32(o.To), upright: uint32(o.Orientation)}
	if o.Gray {
		r.gray = 1
	}
	return r
}

func channels(o preprocess.DecodeOptions) int {
	if o.Gray {
		return 1
	}
	return 3
}

// scaled is a JPEG's side at o.ScaleNum/8, rounded up.
func scaled(n int, o preprocess.DecodeOptions) int {
	if o.ScaleNum < 1 || o.ScaleNum > 8 {
		return n
	}
	return (n*o.ScaleNum + 7) / 8
}
