//go:build cgo && gocv_specific_modules && matprofile

package opencv_test

import (
	"testing"

	"gocv.io/x/gocv"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

// Every Mat is closed on every way out.
func TestNoMatIsLeftOpen(t *testing.T) {
	engine := opencv.New(1)
	before := gocv.MatProfile.Count()
	for _, name := range []string{"rgb16.png", "lossy.webp", "420.jpg"} {
		data := goldenInput(t, name)
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		wrong := h
		wrong.Width++
		for _, c := range []struct {
			data []byte
			h    preprocess.Header
		}{{data, h}, {data[:len(data)/2], h}, {data, wrong}, {nil, h}} {
			px, err := engine.Decode(t.Context(), c.data, c.h, preprocess.DecodeOptions{Gray: true})
			if err == nil {
				_, err = engine.Resize(t.Context(), px, 9, 9, "cv2-linear")
			}
			if (err == nil) != (len(c.data) == len(data) && c.h == h) {
				t.Errorf("%s: %v", name, err)
			}
			_ = engine.DecodeRows(t.Context(), c.data, c.h, preprocess.DecodeOptions{}, func([]byte) error { return errSink })
		}
	}
	if n := gocv.MatProfile.Count() - before; n != 0 {
		t.Errorf("%d Mats are open", n)
	}
}

var errSink = invalidSink{}

type invalidSink struct{}

func (invalidSink) Error() string { return "the sink has enough" }
