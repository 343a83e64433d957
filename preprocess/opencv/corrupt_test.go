//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

func goldenInput(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "golden", "in", name))
	if err != nil {
		t.Fatalf("run scripts/goldens/make.py: %v", err)
	}
	return data
}

// both decodes by rows and as a whole, and fails where they disagree. It skips what preprocess checks in Go before.
func both(t *testing.T, engine *opencv.Engine, data []byte, h preprocess.Header, o preprocess.DecodeOptions) error {
	t.Helper()
	var rows []byte
	byRows := engine.DecodeRows(t.Context(), data, h, o, func(r []byte) error {
		rows = append(rows, r...)
		return nil
	})
	px, whole := engine.Decode(t.Context(), data, h, o)
	if (byRows == nil) != (whole == nil) || byRows == nil && !bytes.Equal(rows, px.Data) {
		t.Fatalf("by rows: %v (%d bytes), as a whole: %v (%d bytes)", byRows, len(rows), whole, len(px.Data))
	}
	return whole
}

// A file that is cut is never decoded to a part of a picture, not even by the engine alone.
func TestCutFiles(t *testing.T) {
	engine := opencv.New(1)
	files := map[string][]byte{"camera.jpg": photo(t, 1280, 720, 1)}
	for _, name := range []string{"progressive.jpg", "restart.jpg", "gray.jpg", "cmyk.jpg", "rgb-300x225.png", "interlaced.png", "lossless.webp", "alpha-lossy.webp"} {
		files[name] = goldenInput(t, name)
	}
	for name, data := range files {
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := both(t, engine, data, h, preprocess.DecodeOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		step := min(1024, len(data)/40)
		end := len(data)
		if h.Format == preprocess.PNG {
			end -= 16 // without the end chunk all pixels are there; preprocess refuses it by itself
		}
		for n := 0; n < end; n += step {
			err := both(t, engine, data[:n], h, preprocess.DecodeOptions{ScaleNum: 1 + n%8})
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
		if name == "camera.jpg" && fault.KindOf(both(t, engine, data[:len(data)-2], h, preprocess.DecodeOptions{})) != fault.Invalid {
			t.Errorf("%s without its end marker is decoded", name)
		}
	}
}

// A flipped bit may go unnoticed where a format has no checksum; it must never do harm, and the size must stay what it was.
func TestFlippedBits(t *testing.T) {
	engine := opencv.New(1)
	random := rand.New(rand.NewPCG(1, 2))
	refused := map[string]int{}
	for _, name := range []string{"420.jpg", "progressive.jpg", "restart.jpg", "cmyk.jpg", "exif5.jpg", "palette8-trns.png", "rgb16.png", "interlaced.png", "lossless.webp", "lossy.webp", "alpha-lossy.webp"} {
		original := goldenInput(t, name)
		for range 150 {
			data := bytes.Clone(original)
			for range 1 + random.IntN(3) {
				data[random.IntN(len(data))] ^= 1 << random.IntN(8)
			}
			h, err := preprocess.Sniff(data, preprocess.Limits{Pixels: 1 << 20})
			if err == nil {
				err = both(t, engine, data, h, preprocess.DecodeOptions{Gray: random.IntN(2) == 0})
			}
			switch fault.KindOf(err) {
			case fault.Invalid, fault.TooLarge, fault.Unsupported:
				refused[name]++
			default:
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
	}
	t.Logf("refused of 150: %v", refused)
	for name, n := range refused {
		if strings.HasSuffix(name, ".png") && n < 140 { // an unused bit of an ancillary chunk is none of OpenCV's business
			t.Errorf("%s: only %d of 150 are refused", name, n)
		}
	}
}

func TestContextEndsDecoding(t *testing.T) {
	engine := opencv.New(1)
	for _, name := range []string{"progressive.jpg", "420.jpg", "rgb-300x225.png", "lossy.webp"} {
		data := goldenInput(t, name)
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := engine.Decode(gone, data, h, preprocess.DecodeOptions{}); fault.KindOf(err) != fault.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		half, stop := context.WithCancel(t.Context())
		rows := 0
		err = engine.DecodeRows(half, data, h, preprocess.DecodeOptions{}, func(r []byte) error {
			rows += len(r) / (3 * h.Width)
			stop()
			<-half.Done()
			return nil
		})
		if fault.KindOf(err) != fault.Canceled || rows == h.Height {
			t.Errorf("%s: %v after %d of %d rows", name, err, rows, h.Height)
		}
		late, done := context.WithTimeout(t.Context(), 0)
		if _, err := engine.Decode(late, data, h, preprocess.DecodeOptions{}); fault.KindOf(err) != fault.Timeout {
			t.Errorf("%s: %v", name, err)
		}
		done()
	}
}

func TestHeaderThatContradictsTheContent(t *testing.T) {
	engine := opencv.New(1)
	for _, name := range []string{"420.jpg", "rgb16.png", "lossy.webp"} {
		data := goldenInput(t, name)
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		h.Height++
		if err := both(t, engine, data, h, preprocess.DecodeOptions{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tiny.jpg", "narrow.jpg", "exif6.jpg", "gray.jpg", "rgb-3x5.png", "palette1.png", "gray16.png", "exif6-lossless.webp"} {
		f.Add(goldenInput(f, name))
	}
	engine := opencv.New(1)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := preprocess.Sniff(data, preprocess.Limits{Pixels: 1 << 16})
		if err != nil {
			return
		}
		px, err := engine.Decode(t.Context(), data, h, preprocess.DecodeOptions{Orientation: h.Orientation})
		if err == nil && len(px.Data) != 3*h.Width*h.Height {
			t.Fatalf("%+v: %d bytes", h, len(px.Data))
		}
	})
}
