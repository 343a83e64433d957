// Package preprocess turns what people send - the bytes of a picture, a row of a table - into tensors exactly as the model was
// trained to see them. Headers and limits are checked in Go before any native code sees a byte.
package preprocess

import (
	"context"
	"time"
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
	Gray        bool   // 1 channel instead of 3 (RGB)
	ScaleNum    int    // JPEG only: decode at ScaleNum/8 of the size (1..8), rounded up; 0 means 8
	Orientation int    // EXIF orientation to apply, 1..8; 0 and 1 do nothing
	From, To    int    // DecodeRows only: the columns that are needed, From <= x < To; the others may hold anything. To 0 means all
	Into        []byte // Decode only: memory for the pixels where its capacity suffices; the caller keeps owning it
}

// Engine is the native part: decoding, and OpenCV's resamplers. Package opencv has the real one and, built without OpenCV,
// one that answers every call with a fault of kind Unsupported. An Engine may also be a RowEngine.
//
// All engines read colours the same way: alpha is dropped, not blended, as Pillow's convert("RGB") does it; a palette becomes
// its colours; gray becomes R=G=B; of 16 bits the high 8 stay, as OpenCV does it; CMYK is taken as inverted (Adobe's habit) and
// becomes RGB by Pillow's formula; colour profiles and gamma are ignored. Gray is the luma that a JPEG stores, and Pillow's "L"
// of anything else.
type Engine interface {
	// Decode gives the picture as RGB or gray. A truncated or corrupt picture is a fault of kind Invalid, never a part of a picture.
	Decode(ctx context.Context, data []byte, h Header, o DecodeOptions) (Pixels, error)
	// Resize resamples with one of OpenCV's methods: cv2-nearest, cv2-linear, cv2-cubic, cv2-area, cv2-lanczos.
	Resize(ctx context.Context, src Pixels, width, height int, method string) (Pixels, error)
}

// RowEngine is an Engine that can hand a picture out in strips as it is decoded, so that a big picture is never in memory as a whole.
type RowEngine interface {
	Engine
	// DecodeRows calls sink with one or more whole rows at a time, from the top as stored (o.Orientation and o.Into are ignored).
	// The rows are the sink's until it returns. What came before an error must be thrown away.
	DecodeRows(ctx context.Context, data []byte, h Header, o DecodeOptions, sink func(rows []byte) error) error
}

// Timing is how long the two halves of Image took.
type Timing struct {
	Decode, Transform time.Duration
}

// Row is one row of a table as it was sent: values by column name, or values in the order of the columns.
type Row struct {
	Named      map[string]any // float64, json.Number, string or nil as JSON or a query gave them
	Positional []any
}
