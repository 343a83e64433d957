//go:build linux && cgo && gocv_specific_modules

package isolate_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/isolate"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
)

// scene draws something like a photograph: smooth, with noise. Its size as a JPEG follows from the noise.
func scene(width, height int, noise float64) image.Image {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			n := noise * random.NormFloat64()
			at := func(f, phase float64) uint8 {
				return uint8(max(0, min(255, 128+90*math.Sin(f*float64(x)/float64(width)*9+phase)*math.Cos(f*float64(y)/float64(height)*7)+n)))
			}
			m.SetRGBA(x, y, color.RGBA{at(1, 0), at(1.7, 1), at(2.3, 2), 255})
		}
	}
	return m
}

func jpegOf(tb testing.TB, m image.Image, quality int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func classifier(resample, decode string) *task.Spec {
	return &task.Spec{Preprocess: &task.Preprocess{
		Decode: decode, Scale: 1. / 255, Mean: task.Numbers{0.485, 0.456, 0.406}, Std: task.Numbers{0.229, 0.224, 0.225},
		Resize: task.Resize{Mode: "shortest-edge", Size: task.Size{Height: 256, Width: 256}, Resample: resample},
		Crop:   &task.Crop{Size: task.Size{Height: 224, Width: 224}},
	}}
}

// BenchmarkImage takes turns between this process and a child, so that both see the same machine. It reports medians, in milliseconds: wall
// and processor time of each way, and what the second takes more; and of the best times, which nothing else disturbed.
func BenchmarkImage(b *testing.B) {
	isolated := engine(b, func(o *isolate.Options) { o.Children = 1 })
	local := opencv.New(1)
	pids := isolate.Pids(isolated)
	camera := jpegOf(b, scene(4000, 3000, 5), 91)
	for _, c := range []struct {
		name, decode string
		data         []byte
	}{
		{"jpeg-80KB", "exact", jpegOf(b, scene(640, 480, 9), 84)},
		{"png-small", "exact", pngOf(b, scene(64, 64, 9))},
		{"jpeg-3MB", "exact", camera},
		{"jpeg-3MB-fast", "fast", camera},
	} {
		h, err := preprocess.Sniff(c.data, preprocess.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			var wall, used [2][]float64
			var ways [2]*preprocess.Preprocessor
			for i, e := range []preprocess.Engine{local, isolated} {
				if ways[i], err = preprocess.New(classifier("pil-bilinear", c.decode), e, preprocess.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				for i, p := range ways {
					const batch = 8 // one picture is too short for the clock of a process
					begin, before := time.Now(), cpu(pids)
					for range batch {
						if _, _, _, err := p.Image(b.Context(), c.data, h); err != nil {
							b.Fatal(err)
						}
					}
					wall[i] = append(wall[i], time.Since(begin).Seconds()*1e3/batch)
					used[i] = append(used[i], (cpu(pids)-before)/batch)
				}
			}
			median := func(list []float64) float64 {
				slices.Sort(list)
				return list[len(list)/2]
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(c.data))/1e3, "KB")
			b.ReportMetric(median(wall[0]), "wall-here-ms")
			b.ReportMetric(median(wall[1])-median(wall[0]), "wall-more-ms")
			b.ReportMetric(median(used[0]), "cpu-here-ms")
			b.ReportMetric(median(used[1])-median(used[0]), "cpu-more-ms")
			b.ReportMetric(slices.Min(wall[1])-slices.Min(wall[0]), "best-wall-more-ms")
			b.ReportMetric(slices.Min(used[1])-slices.Min(used[0]), "best-cpu-more-ms")
			b.ReportMetric(testing.AllocsPerRun(20, func() { _, _, _, _ = ways[0].Image(b.Context(), c.data, h) }), "allocs-here")
			b.ReportMetric(testing.AllocsPerRun(20, func() { _, _, _, _ = ways[1].Image(b.Context(), c.data, h) }), "allocs-child")
		})
	}
}
