//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

// compare decodes at 1/8 with the library and without, and fails where the verdicts or the pixels differ. It tells whether the
// library was not needed.
func compare(t testing.TB, data []byte, gray bool) (short bool, err error) {
	t.Helper()
	h, err := preprocess.Sniff(data, preprocess.Limits{Pixels: 1 << 24})
	if err != nil || h.Format != preprocess.JPEG {
		return false, err
	}
	o := preprocess.DecodeOptions{ScaleNum: 1, Gray: gray}
	want, _, wrong := opencv.DecodeJPEG(context.Background(), data, h, o, false)
	got, short, err := opencv.DecodeJPEG(context.Background(), data, h, o, true)
	if fmt.Sprint(wrong) != fmt.Sprint(err) {
		t.Fatalf("%d x %d, gray %v: the library says %v, with the short cut it is %v", h.Width, h.Height, gray, wrong, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%d x %d, gray %v: byte %d is %d, the library's is %d", h.Width, h.Height, gray, i, got[i], want[i])
		}
	}
	return short, err
}

func bothColours(t testing.TB, name string, data []byte) {
	t.Helper()
	for _, gray := range []bool{false, true} {
		if short, err := compare(t, data, gray); err != nil || !short {
			t.Errorf("%s, gray %v: without the library %v, %v", name, gray, short, err)
		}
	}
}

// samplings are those that need no library; the factors of a single component say nothing.
var samplings = []drawn{{components: 1, h: 1, v: 1}, {components: 1, h: 2, v: 2}, {components: 3, h: 1, v: 1}, {components: 3, h: 2, v: 1}, {components: 3, h: 2, v: 2}}

func TestEighthIsTheLibrarys(t *testing.T) {
	for i, s := range samplings {
		for _, size := range [][3]int{{640, 480, 0}, {640, 480, 1}, {640, 480, 60}, {1001, 751, 0}, {1001, 751, 7}, {1920, 1080, 0}} {
			s.width, s.height, s.restart, s.step, s.loud, s.seed = size[0], size[1], size[2], 1+size[2], 300, uint64(i)
			bothColours(t, fmt.Sprintf("%+v", s), s.encode())
		}
		for width := 1; width <= 70; width++ {
			for height := 1; height <= 70; height += 1 + width%5 {
				s.width, s.height, s.restart, s.seed = width, height, (width+height)%4, uint64(width*height)
				s.step, s.loud = 1+(width*height)%60, 100+(width*height)%900
				bothColours(t, fmt.Sprintf("%+v", s), s.encode())
			}
		}
	}
}

func TestEighthOfEncodersPictures(t *testing.T) {
	for _, name := range []string{"420.jpg", "422.jpg", "444.jpg", "gray.jpg", "restart.jpg", "q30.jpg", "exif3.jpg", "narrow.jpg", "tiny.jpg", "vga.jpg"} {
		bothColours(t, name, goldenInput(t, name))
	}
	for _, size := range [][2]int{{33, 65}, {1280, 720}} {
		bothColours(t, "camera", photo(t, size[0], size[1], 1))
	}
	picture, err := jpeg.Decode(bytes.NewReader(photo(t, 641, 483, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, quality := range []int{1, 30, 50, 75, 90, 100} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		bothColours(t, fmt.Sprintf("quality %d", quality), b.Bytes())
	}
	for _, name := range []string{"progressive.jpg", "cmyk.jpg"} {
		if short, err := compare(t, goldenInput(t, name), false); err != nil || short {
			t.Errorf("%s: without the library %v, %v", name, short, err)
		}
	}
	strange := drawn{width: 40, height: 40, components: 3, h: 1, v: 2, step: 3, loud: 99}
	if short, err := compare(t, strange.encode(), false); err != nil || short {
		t.Errorf("4:4:0: without the library %v, %v", short, err)
	}
}

// Coefficients that no encoder makes of pixels overflow in the library, each inverse DCT in its own way.
func TestEighthOfAbsurdCoefficients(t *testing.T) {
	taken := 0
	for seed := range uint64(60) {
		d := samplings[seed%5]
		d.width, d.height, d.step, d.loud, d.seed = 24, 24, 255, 1<<(9+seed%6), seed
		for _, gray := range []bool{false, true} {
			short, err := compare(t, d.encode(), gray)
			if err != nil {
				t.Fatal(err)
			}
			if short {
				taken++
			}
		}
	}
	t.Logf("%d of 120 without the library", taken)
	if taken == 120 {
		t.Error("no coefficient is too large")
	}
}

// The library refuses a table with a code of ones only, so nothing else may take it.
func TestEighthOfForbiddenTable(t *testing.T) {
	d := drawn{width: 50, height: 40, components: 3, h: 2, v: 1, step: 9, loud: 200, ones: true}
	if _, err := compare(t, d.encode(), false); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// small are the files that are damaged in every way.
func small(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"tiny.jpg":    goldenInput(t, "tiny.jpg"),
		"420":         drawn{width: 50, height: 40, components: 3, h: 2, v: 2, step: 9, loud: 300}.encode(),
		"restart":     drawn{width: 50, height: 40, components: 3, h: 2, v: 1, restart: 3, step: 9, loud: 200}.encode(),
		"444":         drawn{width: 20, height: 30, components: 3, h: 1, v: 1, step: 9, loud: 200}.encode(),
		"gray":        drawn{width: 30, height: 30, components: 1, h: 1, v: 1, restart: 9, step: 9, loud: 200}.encode(),
		"large steps": drawn{width: 30, height: 30, components: 3, h: 2, v: 2, step: 200, loud: 900}.encode(),
	}
}

func TestEighthOfDamagedFiles(t *testing.T) {
	for name, data := range small(t) {
		bothColours(t, name, data)
		for n := range data {
			if _, err := compare(t, data[:n:n], false); fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
			if n%3 != 0 {
				continue
			}
			for _, more := range [][]byte{{0}, {0xFF}, {0xFF, 0}, {0xFF, 0xD0}, {0xFF, 0xD9}, {0x55, 0xAA}} {
				damaged := append(append(bytes.Clone(data[:n]), more...), data[n:]...)
				_, _ = compare(t, damaged, n%2 == 0)
			}
		}
		taken, step := 0, max(1, len(data)/200)
		for bit := 0; bit < 8*len(data); bit += step {
			damaged := bytes.Clone(data)
			damaged[bit/8] ^= 1 << (bit % 8)
			if short, _ := compare(t, damaged, bit%3 == 0); short {
				taken++
			}
		}
		t.Logf("%s: %d of %d flipped bits are decoded without the library", name, taken, 8*len(data)/step)
	}
}

func TestEighthEndsWithItsContext(t *testing.T) {
	data := photo(t, 1280, 720, 1)
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, whole, err := opencv.DecodeJPEG(gone, data, h, preprocess.DecodeOptions{ScaleNum: 1}, true)
	if fault.KindOf(err) != fault.Canceled || whole {
		t.Errorf("%v, all of it decoded: %v", err, whole)
	}
}

func FuzzEighth(f *testing.F) {
	for _, data := range small(f) {
		f.Add(data, uint64(0))
		f.Add(data, uint64(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		data = bytes.Clone(data)
		for range min(seed%8, uint64(len(data))) {
			data[random.IntN(len(data))] = byte(random.Uint32())
		}
		_, _ = compare(t, data, seed%2 == 1)
	})
}
