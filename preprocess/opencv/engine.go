//go:build cgo && gocv_specific_modules

package opencv

import (
	"context"
	"image"

	"gocv.io/x/gocv"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// Available tells whether this build decodes pictures.
const Available = true

// Engine decodes and resamples. It holds nothing and is safe for concurrent use.
type Engine struct{}

// New sets how many threads of its own OpenCV may use for one call, for the whole process; requests run beside each other already, so
// that 1 is right for a server. 0 and less mean 1.
func New(threads int) *Engine {
	gocv.SetNumThreads(max(threads, 1))
	return &Engine{}
}

// Decode implements preprocess.Engine.
func (e *Engine) Decode(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) (preprocess.Pixels, error) {
	if ctx.Err() != nil {
		return preprocess.Pixels{}, ended(ctx)
	}
	px := preprocess.Pixels{Width: h.Width, Height: h.Height, Channels: channels(o)}
	if h.Format == preprocess.JPEG {
		px.Width, px.Height = scaled(h.Width, o), scaled(h.Height, o)
	}
	px.Data = sized(o.Into, px.Width*px.Height*px.Channels)
	at := 0
	if h.Format == preprocess.JPEG { // straight into the picture
		j, err := startJPEG(ctx, data, px, o, true)
		if err != nil {
			return preprocess.Pixels{}, err
		}
		defer j.close()
		stride := px.Width * px.Channels
		for y := 0; y < px.Height; y += stripRows {
			if err := j.rows(px.Data[y*stride : min(y+stripRows, px.Height)*stride]); err != nil {
				return preprocess.Pixels{}, err
			}
		}
		if err := j.finish(); err != nil {
			return preprocess.Pixels{}, err
		}
	} else if err := decodeMat(ctx, data, h, o, func(rows []byte) error {
		at += copy(px.Data[at:], rows)
		return nil
	}); err != nil {
		return preprocess.Pixels{}, err
	}
	if o.Orientation > 1 {
		px = preprocess.Orient(px, o.Orientation, nil)
	}
	return px, nil
}

// DecodeRows implements preprocess.RowEngine.
func (e *Engine) DecodeRows(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions, sink func(rows []byte) error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if h.Format == preprocess.JPEG {
		return jpegRows(ctx, data, h, o, sink)
	}
	return decodeMat(ctx, data, h, o, sink)
}

func channels(o preprocess.DecodeOptions) int {
	if o.Gray {
		return 1
	}
	return 3
}

// interpolations are OpenCV's names for the methods.
func interpolation(method string) (gocv.InterpolationFlags, bool) {
	switch method {
	case "cv2-nearest":
		return gocv.InterpolationNearestNeighbor, true
	case "cv2-linear":
		return gocv.InterpolationLinear, true
	case "cv2-cubic":
		return gocv.InterpolationCubic, true
	case "cv2-area":
		return gocv.InterpolationArea, true
	case "cv2-lanczos":
		return gocv.InterpolationLanczos4, true
	}
	return 0, false
}

// Resize implements preprocess.Engine.
func (e *Engine) Resize(ctx context.Context, src preprocess.Pixels, width, height int, method string) (preprocess.Pixels, error) {
	flag, ok := interpolation(method)
	if !ok {
		return preprocess.Pixels{}, fault.New(fault.Internal, "internal", "resampler %q is unknown", method)
	}
	if src.Width < 1 || src.Height < 1 || width < 1 || height < 1 || len(src.Data) != src.Width*src.Height*src.Channels {
		return preprocess.Pixels{}, fault.New(fault.Internal, "internal", "no resize of %d x %d x %d (%d bytes) to %d x %d",
			src.Width, src.Height, src.Channels, len(src.Data), width, height)
	}
	if ctx.Err() != nil {
		return preprocess.Pixels{}, ended(ctx)
	}
	kind := gocv.MatTypeCV8UC3
	if src.Channels == 1 {
		kind = gocv.MatTypeCV8UC1
	}
	in, err := gocv.NewMatFromBytes(src.Height, src.Width, kind, src.Data) // a view, which keeps src.Data alive
	if err != nil {
		return preprocess.Pixels{}, native("resize", err)
	}
	defer in.Close()
	out := gocv.NewMat()
	defer out.Close()
	if err := gocv.Resize(in, &out, image.Pt(width, height), 0, 0, flag); err != nil {
		return preprocess.Pixels{}, native("resize", err)
	}
	pixels, err := out.DataPtrUint8()
	if err != nil || len(pixels) != width*height*src.Channels {
		return preprocess.Pixels{}, native("resize", err)
	}
	return preprocess.Pixels{Width: width, Height: height, Channels: src.Channels, Data: append([]byte(nil), pixels...)}, nil
}

// native is a failure of OpenCV that no picture should cause.
func native(what string, err error) error {
	return fault.New(fault.Internal, "internal", "the picture could not be processed: %s failed", what).Wrap(err)
}
