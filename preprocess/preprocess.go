// Package preprocess turns what people send - the bytes of a picture, a row of a table - into tensors exactly as the model was
// trained to see them. Headers and limits are checked in Go before any native code sees a byte.
package preprocess

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// Limits bound what is decoded.
type Limits struct {
	Pixels int // width*height*frames, at most; 0 means 50,000,000
	Side   int // width and height, each at most; 0 means 16384
}

// Format is an image format that is served.
type Format string

// The formats.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
)

// Header is what a picture's header says. Width and Height are as stored, before EXIF.
type Header struct {
	Format        Format
	Width, Height int
	Orientation   int // EXIF 1..8; 1 where there is none
}

// Pixels is a decoded picture or an intermediate of it: 8 bits a channel, interleaved, row-major, without row padding.
type Pixels struct {
	Width, Height, Channels int
	Data                    []byte // Width*Height*Channels bytes, owned by the holder of Pixels
}

// DecodeOptions steer an Engine's decoding.
type DecodeOptions struct {
	Gray        bool // 1 channel instead of 3 (RGB)
	ScaleNum    int  // JPEG only: decode at ScaleNum/8 of the size (1..8); 0 means 8
	Orientation int  // EXIF orientation to apply, 1..8; 0 and 1 do nothing
}

// Engine is the native part: decoding, and OpenCV's resamplers. Package opencv has the real one and, built without OpenCV,
// one that answers every call with a fault of kind Unsupported.
type Engine interface {
	// Decode gives the picture as RGB or gray. A truncated or corrupt picture is a fault of kind Invalid, never a part of a picture.
	Decode(ctx context.Context, data []byte, h Header, o DecodeOptions) (Pixels, error)
	// Resize resamples with one of OpenCV's methods: cv2-nearest, cv2-linear, cv2-cubic, cv2-area, cv2-lanczos.
	Resize(ctx context.Context, src Pixels, width, height int, method string) (Pixels, error)
}

// Timing is how long the two halves of Image took.
type Timing struct {
	Decode, Transform time.Duration
}

// Row is one row of a table as it was sent: values by column name, or values in the order of the columns.
type Row struct {
	Named      map[string]any // float64, string or nil as JSON or a query gave them
	Positional []any
}

// Preprocessor does one model's preprocessing. It is safe for concurrent use.
type Preprocessor struct {
	spec   *task.Spec
	engine Engine
	limits Limits
}

// New compiles a completed spec (see task.Complete). It fails where the spec cannot be carried out.
func New(spec *task.Spec, engine Engine, limits Limits) (*Preprocessor, error) {
	return &Preprocessor{spec, engine, limits}, nil
}

// Sniff reads the header of a picture and checks it against the limits, in pure Go and without decoding.
// Errors: Unsupported unsupported_media_type (not an image, or GIF, SVG, HEIC, TIFF, ...), TooLarge image_too_large, Invalid invalid_image.
func Sniff(data []byte, limits Limits) (Header, error) {
	return Header{}, fault.New(fault.Unsupported, "unsupported_media_type", "not an image")
}

// Image turns the bytes of a picture into the model's input tensor of batch size 1, with the Frame that leads back to the picture.
func (p *Preprocessor) Image(ctx context.Context, data []byte, h Header) (tensor.Tensor, tensor.Frame, Timing, error) {
	panic("not written yet")
}

// Row turns one row into the model's input tensor of batch size 1. Errors: Invalid invalid_row, naming the column.
func (p *Preprocessor) Row(r Row) (tensor.Tensor, error) { panic("not written yet") }

// Digest names everything that decides which tensor comes out of given bytes: it is part of the tensor cache's key.
func (p *Preprocessor) Digest() [32]byte { return [32]byte{} }
