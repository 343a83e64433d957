//go:build !(cgo && gocv_specific_modules)

package opencv_test

import (
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

func TestWithoutOpenCVEveryCallIsRefused(t *testing.T) {
	e := opencv.New(1)
	_, decode := e.Decode(t.Context(), nil, preprocess.Header{}, preprocess.DecodeOptions{})
	_, resize := e.Resize(t.Context(), preprocess.Pixels{}, 1, 1, "cv2-linear")
	rows := e.DecodeRows(t.Context(), nil, preprocess.Header{}, preprocess.DecodeOptions{}, nil)
	for _, err := range []error{decode, resize, rows} {
		if fault.KindOf(err) != fault.Unsupported {
			t.Error(err)
		}
	}
	if opencv.Available {
		t.Error("this build says that it decodes")
	}
}
