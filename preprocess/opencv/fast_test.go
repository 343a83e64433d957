//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
)

// What decode: fast may differ from decode: exact by, of 255 (goal A10). It holds for resamplers that smooth when they reduce; the
// others (cv2-linear, cv2-cubic, cv2-lanczos, cv2-nearest, pil-nearest) pick single pixels out of the exact picture, and a scaled
// picture, which is smooth, cannot be near that.
const (
	fastMean = 0.6
	fastMost = 5
)

func TestFastIsNearExact(t *testing.T) {
	engine := opencv.New(1)
	for _, size := range [][2]int{{640, 480}, {1920, 1080}, {1001, 751}} {
		data := photo(t, size[0], size[1], 1+size[0]%2*5)
		for _, resample := range []string{"pil-box", "pil-bilinear", "pil-hamming", "pil-bicubic", "pil-lanczos", "cv2-area", "cv2-linear"} {
			for _, edge := range []int{72, 224} {
				t.Run(fmt.Sprintf("%dx%d/%s/%d", size[0], size[1], resample, edge), func(t *testing.T) {
					exact, fast := levels(t, engine, data, resample, "exact", edge), levels(t, engine, data, resample, "fast", edge)
					sum, most := 0.0, 0.0
					for i := range exact {
						d := math.Abs(float64(exact[i] - fast[i]))
						sum += d
						most = max(most, d)
					}
					mean := sum / float64(len(exact))
					t.Logf("mean %.3f, most %.1f", mean, most)
					if resample != "cv2-linear" && (mean > fastMean || most > fastMost) {
						t.Errorf("mean difference %.3f, most %.1f of 255; allowed are %g and %d", mean, most, fastMean, fastMost)
					}
				})
			}
		}
	}
}

func levels(t *testing.T, engine preprocess.Engine, data []byte, resample, decode string, edge int) []float32 {
	t.Helper()
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := preprocess.New(&task.Spec{Preprocess: &task.Preprocess{Decode: decode, Resize: task.Resize{
		Mode: "shortest-edge", Size: task.Size{Height: edge, Width: edge}, Resample: resample}}}, engine, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, _, _, err := p.Image(t.Context(), data, h)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, len(out.Data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(out.Data[4*i:]))
	}
	return values
}
