package preprocess

import (
	"bytes"
	"fmt"

	"triton-gateway/internal/fault"
)

// maxSegments bounds how many segments or chunks of a file are walked for its header; real files have at most some hundreds.
const maxSegments = 4096

const (
	defaultPixels = 50_000_000
	defaultSide   = 16384
)

const (
	jpegMagic = "\xff\xd8\xff"
	pngMagic  = "\x89PNG\r\n\x1a\n"
)

// Sniff reads the header of a picture and checks it against the limits, in pure Go and without decoding.
// Errors: Unsupported unsupported_media_type (not an image, or GIF, SVG, HEIC, TIFF, ..., or animated WebP), TooLarge
// image_too_large (naming the setting: limits.pixels or limits.side), Invalid invalid_image (empty, cut or contradictory header).
// It looks at no more than maxSegments segments, and never past the first scan of a JPEG.
func Sniff(data []byte, limits Limits) (Header, error) {
	h, frames, err := sniff(data)
	if err != nil {
		return Header{}, err
	}
	if err := limits.check(h.Width, h.Height, frames); err != nil {
		return Header{}, err
	}
	return h, nil
}

func sniff(data []byte) (h Header, frames uint32, err error) {
	switch {
	case len(data) == 0:
		return h, 0, invalid("the picture is empty: 0 bytes were sent")
	case starts(data, jpegMagic):
		h, err = sniffJPEG(data)
		return h, 1, err
	case starts(data, pngMagic):
		return sniffPNG(data)
	case starts(data, "RIFF") && len(data) >= 12 && string(data[8:12]) == "WEBP":
		h, err = sniffWebP(data)
		return h, 1, err
	case cutMagic(data, jpegMagic), cutMagic(data, pngMagic), len(data) < 12 && starts(data, "RIFF"):
		return h, 0, invalid("the picture is cut: only %d bytes were sent", len(data))
	}
	return h, 0, unsupported("%s is not served: send a JPEG, PNG or WebP picture", lookalike(data))
}

// check compares without overflow: both sides are below 2^31 in every format.
func (l Limits) check(width, height int, frames uint32) error {
	pixels, side := l.Pixels, l.Side
	if pixels <= 0 {
		pixels = defaultPixels
	}
	if side <= 0 {
		side = defaultSide
	}
	if width <= 0 || height <= 0 {
		return invalid("the picture claims to be %d x %d pixels", width, height)
	}
	if width > side || height > side {
		return tooLarge("the picture is %d x %d pixels, and limits.side allows %d on a side: make it smaller or raise the setting", width, height, side)
	}
	if area := int64(width) * int64(height); area > int64(pixels) || (frames > 1 && area > int64(pixels)/int64(frames)) {
		all := ""
		if frames > 1 {
			all = fmt.Sprintf(" in each of %d frames", frames)
		}
		return tooLarge("the picture is %d x %d pixels%s, and limits.pixels allows %d in all: make it smaller or raise the setting", width, height, all, pixels)
	}
	return nil
}

func starts(data []byte, magic string) bool {
	return len(data) >= len(magic) && string(data[:len(magic)]) == magic
}

// cutMagic reports that all there is is the beginning of magic.
func cutMagic(data []byte, magic string) bool {
	return len(data) < len(magic) && bytes.HasPrefix([]byte(magic), data)
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_image", format, args...)
}

func tooLarge(format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, "image_too_large", format, args...)
}

func unsupported(format string, args ...any) *fault.Error {
	return fault.New(fault.Unsupported, "unsupported_media_type", format, args...)
}
