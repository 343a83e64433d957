//go:build !(cgo && gocv_specific_modules)

package opencv

import (
	"context"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// Available tells whether this build decodes pictures.
const Available = false

// Engine answers every call with a fault of kind Unsupported: this build has no OpenCV.
type Engine struct{}

// New gives the engine of a build without OpenCV; threads means nothing to it.
func New(threads int) *Engine { return &Engine{} }

// Decode answers with a fault of kind Unsupported.
func (*Engine) Decode(context.Context, []byte, preprocess.Header, preprocess.DecodeOptions) (preprocess.Pixels, error) {
	return preprocess.Pixels{}, absent()
}

// DecodeRows answers with a fault of kind Unsupported.
func (*Engine) DecodeRows(context.Context, []byte, preprocess.Header, preprocess.DecodeOptions, func([]byte) error) error {
	return absent()
}

// Resize answers with a fault of kind Unsupported.
func (*Engine) Resize(context.Context, preprocess.Pixels, int, int, string) (preprocess.Pixels, error) {
	return preprocess.Pixels{}, absent()
}

func absent() error {
	return fault.New(fault.Unsupported, "unsupported_media_type", "this build takes no pictures: build it with cgo and -tags gocv_specific_modules")
}
