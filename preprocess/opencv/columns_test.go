//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

// Rows of which only some columns are asked for have exactly those columns that whole rows have, whatever the sampling and the scale.
func TestNeededColumnsAreThoseOfWholeRows(t *testing.T) {
	files, err := filepath.Glob("../golden/in/*.jpg")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	pictures := map[string][]byte{}
	for _, f := range files {
		if pictures[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	pictures["texture"] = textured(t, 501, 67)
	random := rand.New(rand.NewPCG(1, 2))
	cropped := 0
	for name, data := range pictures {
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			continue // some goldens are of sizes or kinds that are refused
		}
		for _, scale := range []int{8, 4, 2, 1} {
			for _, gray := range []bool{false, true} {
				o := preprocess.DecodeOptions{ScaleNum: scale, Gray: gray}
				whole := rows(t, data, h, o)
				width, ch := (h.Width*scale+7)/8, 3
				if gray {
					ch = 1
				}
				for range 6 {
					o.From = random.IntN(width)
					o.To = o.From + 1 + random.IntN(width-o.From)
					some := rows(t, data, h, o)
					if len(some) != len(whole) {
						t.Fatalf("%s at %d/8: %d bytes, want %d", name, scale, len(some), len(whole))
					}
					if !bytes.Equal(some, whole) {
						cropped++
					}
					for at := 0; at < len(whole); at += width * ch {
						if !bytes.Equal(some[at+o.From*ch:at+o.To*ch], whole[at+o.From*ch:at+o.To*ch]) {
							t.Fatalf("%s at %d/8, gray %v: columns %d to %d of %d differ in row %d", name, scale, gray, o.From, o.To, width, at/(width*ch))
						}
					}
				}
			}
		}
	}
	if cropped == 0 {
		t.Error("nothing was ever left out: the test shows nothing")
	}
}

func rows(t *testing.T, data []byte, h preprocess.Header, o preprocess.DecodeOptions) (all []byte) {
	t.Helper()
	if err := opencv.New(1).DecodeRows(t.Context(), data, h, o, func(strip []byte) error {
		all = append(all, strip...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// textured is noise, so that every pixel depends on its neighbours' samples.
func textured(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	random := rand.New(rand.NewPCG(3, 4))
	for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
		for i := range plane {
			plane[i] = byte(random.IntN(256))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
