//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"fmt"
	"image"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
)

// threadCPU is what this thread has used, in milliseconds: on a busy machine it says more than the clock.
func threadCPU() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return math.NaN()
	}
	return float64(t.Nano()) / 1e6
}

// measure runs work, and reports its CPU time: the median, and the best, which is what it takes when nothing disturbs.
func measure(b *testing.B, work func() error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	var took []float64
	for b.Loop() {
		begin := threadCPU()
		if err := work(); err != nil {
			b.Fatal(err)
		}
		took = append(took, threadCPU()-begin)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-cpu-ms")
	b.ReportMetric(took[0], "best-cpu-ms")
}

// benchSizes are the pictures of the goals: VGA, 1080p, 12 megapixels; the last one lies on its side, as phones store it.
var benchSizes = []struct {
	name          string
	width, height int
	orientation   int
}{{"640x480", 640, 480, 1}, {"1920x1080", 1920, 1080, 1}, {"4000x3000", 4000, 3000, 1}, {"4000x3000-exif6", 4000, 3000, 6}}

func classifier(resample, decode string) *task.Spec {
	return &task.Spec{Preprocess: &task.Preprocess{
		Decode: decode, Scale: 1. / 255, Mean: task.Numbers{0.485, 0.456, 0.406}, Std: task.Numbers{0.229, 0.224, 0.225},
		Resize: task.Resize{Mode: "shortest-edge", Size: task.Size{Height: 256, Width: 256}, Resample: resample},
		Crop:   &task.Crop{Size: task.Size{Height: 224, Width: 224}},
	}}
}

// BenchmarkImage compares the whole way from bytes to tensor with GoCV's usual IMDecode and Resize.
func BenchmarkImage(b *testing.B) {
	engine := opencv.New(1)
	for _, s := range benchSizes {
		data := photo(b, s.width, s.height, s.orientation)
		if name := os.Getenv("BENCH_FILES"); name != "" { // real photos: BENCH_FILES=dir with 640x480.jpg, ...
			read, err := os.ReadFile(name + "/" + strings.TrimSuffix(s.name, "-exif6") + ".jpg")
			if err != nil {
				b.Fatal(err)
			}
			data = read
		}
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s.name+"/gocv-imdecode-resize", func(b *testing.B) {
			measure(b, func() error { return baseline(data) })
		})
		for _, resample := range []string{"pil-bilinear", "pil-bicubic", "pil-lanczos", "cv2-linear"} {
			for _, decode := range []string{"exact", "fast"} {
				p, err := preprocess.New(classifier(resample, decode), engine, preprocess.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("%s/%s/%s", s.name, resample, decode), func(b *testing.B) {
					measure(b, func() error {
						_, _, _, err := p.Image(b.Context(), data, h)
						return err
					})
				})
			}
		}
	}
}

func baseline(data []byte) error {
	mat, err := gocv.IMDecode(data, gocv.IMReadColor)
	if err != nil {
		return err
	}
	defer mat.Close()
	out := gocv.NewMat()
	defer out.Close()
	return gocv.Resize(mat, &out, image.Pt(224, 224), 0, 0, gocv.InterpolationLinear)
}

func BenchmarkSniff(b *testing.B) {
	data := photo(b, 640, 480, 6)
	measure(b, func() error {
		_, err := preprocess.Sniff(data, preprocess.Limits{})
		return err
	})
}

// BenchmarkEighth compares the library with the decoder of eighths: the same pixels from the same file.
func BenchmarkEighth(b *testing.B) {
	for _, s := range benchSizes[:3] {
		data := photo(b, s.width, s.height, s.orientation)
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for _, shortcut := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/library=%v", s.name, !shortcut), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				measure(b, func() error {
					_, _, err := opencv.DecodeJPEG(b.Context(), data, h, preprocess.DecodeOptions{ScaleNum: 1}, shortcut)
					return err
				})
			})
		}
	}
}
