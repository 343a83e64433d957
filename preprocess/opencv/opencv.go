// Package opencv is the native part of preprocess, and the only image cgo of the gateway: JPEG by libjpeg-turbo, PNG and WebP by OpenCV
// through GoCV, and OpenCV's resamplers. Bytes come in and pixels in Go memory go out; no Mat leaves the package, and no C++ exception
// or longjmp crosses into Go. Built without OpenCV (cgo off, or without the tag gocv_specific_modules) it answers every call with a
// fault of kind Unsupported, so that everything else builds and can be tested anywhere.
//
// See docs/decisions/0002-jpeg-by-libjpeg-turbo.md for why JPEG does not go through OpenCV.
package opencv

import (
	"context"
	"errors"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

var _ preprocess.RowEngine = (*Engine)(nil)

// stripRows is how many rows DecodeRows hands over at a time: enough to make a call into C cheap, few enough for the processor's cache.
const stripRows = 16

// invalid is the fault of a picture that cannot be decoded.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "invalid_image", format, args...)
}

// ended gives the fault of a context that is done.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "deadline_exceeded", "the deadline passed while the picture was decoded").Wrap(context.Cause(ctx))
	}
	return fault.New(fault.Canceled, "client_closed", "the caller went away while the picture was decoded").Wrap(context.Cause(ctx))
}

// sized gives n bytes, of buf where it is large enough.
func sized(buf []byte, n int) []byte {
	if cap(buf) >= n {
		return buf[:n]
	}
	return make([]byte, n)
}
