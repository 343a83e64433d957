//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decode gives the picture, upright.
func decode(t testing.TB, engine *opencv.Engine, name string, o preprocess.DecodeOptions) preprocess.Pixels {
	t.Helper()
	data := goldenInput(t, name)
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o.Orientation = h.Orientation
	px, err := engine.Decode(t.Context(), data, h, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(px.Data) != px.Width*px.Height*px.Channels {
		t.Fatalf("%s: %d bytes for %d x %d x %d", name, len(px.Data), px.Width, px.Height, px.Channels)
	}
	return px
}

func TestDecodeOptions(t *testing.T) {
	engine := opencv.New(1)
	for _, name := range []string{"420.jpg", "cmyk.jpg", "gray.jpg", "rgb16.png", "lossy.webp"} {
		full := decode(t, engine, name, preprocess.DecodeOptions{})
		into := make([]byte, 1<<20)
		same := decode(t, engine, name, preprocess.DecodeOptions{Into: into})
		if !bytes.Equal(full.Data, same.Data) || &same.Data[0] != &into[0] {
			t.Errorf("%s: Into was not used, or changed the picture", name)
		}
		gray := decode(t, engine, name, preprocess.DecodeOptions{Gray: true})
		if gray.Channels != 1 || gray.Width != full.Width {
			t.Fatalf("%s: gray has %d channels", name, gray.Channels)
		}
		luma := make([]byte, len(full.Data)/3)
		preprocess.Luma(luma, full.Data)
		for i := range luma { // a JPEG's own luma has not been rounded to RGB and back
			if d := int(luma[i]) - int(gray.Data[i]); d > 2 && name != "420.jpg" || d > 40 {
				t.Fatalf("%s: gray pixel %d is %d, luma of RGB %d", name, i, gray.Data[i], luma[i])
			}
		}
		if strings.HasSuffix(name, ".jpg") {
			for n := 1; n <= 8; n++ {
				small := decode(t, engine, name, preprocess.DecodeOptions{ScaleNum: n})
				if small.Width != (full.Width*n+7)/8 || small.Height != (full.Height*n+7)/8 {
					t.Errorf("%s at %d/8: %d x %d", name, n, small.Width, small.Height)
				}
			}
		}
	}
}

func TestOrientationIsApplied(t *testing.T) {
	engine := opencv.New(1)
	upright := decode(t, engine, "exif1.png", preprocess.DecodeOptions{})
	if lying := decode(t, engine, "exif6.png", preprocess.DecodeOptions{}); lying.Width != upright.Height || lying.Height != upright.Width {
		t.Errorf("%d x %d", lying.Width, lying.Height)
	}
}

func TestResizeRefusesNonsense(t *testing.T) {
	engine := opencv.New(1)
	px := preprocess.Pixels{Width: 2, Height: 2, Channels: 3, Data: make([]byte, 12)}
	for name, call := range map[string]func() error{
		"method": func() error { _, err := engine.Resize(t.Context(), px, 2, 2, "cv2-magic"); return err },
		"size":   func() error { _, err := engine.Resize(t.Context(), px, 0, 2, "cv2-linear"); return err },
		"short": func() error {
			_, err := engine.Resize(t.Context(), preprocess.Pixels{Width: 2, Height: 3, Channels: 3, Data: px.Data}, 2, 2, "cv2-linear")
			return err
		},
		"empty": func() error {
			_, err := engine.Resize(t.Context(), preprocess.Pixels{}, 2, 2, "cv2-linear")
			return err
		},
	} {
		if err := call(); err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Decoders of several requests share nothing.
func TestDecodeBesideEachOther(t *testing.T) {
	engine := opencv.New(1)
	names := []string{"420.jpg", "progressive.jpg", "cmyk.jpg", "rgb16.png", "lossy.webp", "444.jpg"}
	want := make([]preprocess.Pixels, len(names))
	for i, name := range names {
		want[i] = decode(t, engine, name, preprocess.DecodeOptions{})
	}
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			for range 10 {
				if got := decode(t, engine, name, preprocess.DecodeOptions{}); !bytes.Equal(got.Data, want[i].Data) {
					t.Errorf("%s: another picture", name)
				}
			}
		})
	}
	wait.Wait()
}

// Neither good nor bad pictures leave native memory behind: resident memory must not grow with the number of pictures.
func TestMemoryDoesNotGrow(t *testing.T) {
	engine := opencv.New(1)
	round := func(n int) {
		for range n {
			for _, name := range []string{"vga.jpg", "progressive.jpg", "cmyk.jpg", "rgb-300x225.png", "lossy.webp"} {
				data := goldenInput(t, name)
				h, err := preprocess.Sniff(data, preprocess.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range [][]byte{data, data[:len(data)/2]} {
					px, err := engine.Decode(t.Context(), part, h, preprocess.DecodeOptions{})
					if (err == nil) != (len(part) == len(data)) {
						t.Fatalf("%s: %v", name, err)
					}
					if err == nil {
						if _, err := engine.Resize(t.Context(), px, 64, 64, "cv2-area"); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	}
	round(20)
	before := resident(t)
	round(60)
	if grown := resident(t) - before; grown > 24<<20 { // one leaked picture of each kind a round would be 120 MB
		t.Errorf("%d MB more after 600 decodings", grown>>20)
	}
}

func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
