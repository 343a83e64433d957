package preprocess_test

import (
	"slices"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// small are files of the goldens that are small enough to try everything on.
var small = []string{"rgb-3x5.png", "palette1.png", "gray1.png", "animated.png", "exif6.png", "exif6.jpg", "tiny.jpg", "narrow.jpg", "exif6-lossless.webp", "lossy.webp"}

func check(data []byte) error {
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		return err
	}
	return preprocess.VerifyForTest(data, h)
}

func TestEveryCutIsFoundWithoutDecoding(t *testing.T) {
	for _, name := range append(slices.Clone(small), "progressive.jpg", "restart.jpg", "cmyk.jpg", "alpha-lossy.webp", "rgb16.png") {
		data := golden(t, "in", name)
		if err := check(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := check(append(slices.Clone(data), "something behind the end"...)); err != nil {
			t.Errorf("%s with something behind: %v", name, err)
		}
		for n := range data {
			if k := fault.KindOf(check(data[:n])); k != fault.Invalid && !(k == fault.Unsupported && n < 12) {
				t.Fatalf("%s cut to %d of %d bytes: kind %d", name, n, len(data), k)
			}
		}
	}
}

func TestEveryFlippedBitOfAPNGIsFound(t *testing.T) {
	for _, name := range small[:5] {
		data := golden(t, "in", name)
		for i := range 8 * len(data) {
			data[i/8] ^= 1 << (i % 8)
			if check(data) == nil {
				t.Fatalf("%s with bit %d flipped passes", name, i)
			}
			data[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestVerifyRefusals(t *testing.T) {
	scan := slices.Concat(scanHeader, []byte{1, 0xFF, 0, 2, 0xFF, 0xD0, 3, 0xFF, 0xFF, 0xD7, 4})
	frame := frameHeader(0xC2, 8, 5, 5, 3)
	crc := plainPNG(5, 5)
	crc[len(crc)-1] ^= 1
	cutChunk := webpFile(vp8x(0, 5, 5), vp8(5, 5), []byte("EXIF\x09\x00\x00\x00ab"))
	for name, c := range map[string]struct {
		data []byte
		text string
	}{
		"stuffing, restarts and fill": {jpegFile(frame, scan, scan), ""},
		"100 scans":                   {jpegFile(frame, slices.Repeat(scan, 100)), ""},
		"101 scans":                   {jpegFile(frame, slices.Repeat(scan, 101)), "more than 100 scans"},
		"no scan":                     {jpegFile(frame), "no pixels"},
		"second start":                {jpegFile(frame, scan, []byte{0xFF, 0xD8}), "second start"},
		"png":                         {plainPNG(5, 5), ""},
		"png crc of IEND":             {crc, "checksum"},
		"png no IDAT":                 {pngFile(ihdr(5, 5, 8, 2), pngChunk("IEND", nil)), "without pixels"},
		"png IEND with content":       {pngFile(ihdr(5, 5, 8, 2), pngChunk("IDAT", nil), pngChunk("IEND", []byte{1})), "without pixels"},
		"png name":                    {pngFile(ihdr(5, 5, 8, 2), pngChunk("I[AT", nil)), "name"},
		"webp":                        {webpFile(vp8(5, 5)), ""},
		"webp longer than it is":      {webpFile(vp8(5, 5))[:32], "claims"},
		"webp chunk past the end":     {cutChunk, "longer than the file"},
		"webp half a chunk header":    {webpFile(vp8x(0, 5, 5), vp8(5, 5), []byte("EXIF")), "inside a chunk"},
		"webp two":                    {webpFile(vp8x(0, 5, 5), vp8(5, 5), vp8(5, 5)), "2 pictures"},
		"webp none":                   {webpFile(vp8x(0, 5, 5)), "0 pictures"},
	} {
		h, err := preprocess.Sniff(c.data, preprocess.Limits{})
		if err == nil {
			err = preprocess.VerifyForTest(c.data, h)
		}
		if c.text == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.text != "" {
			wantFault(t, name, err, fault.Invalid, "invalid_image", c.text)
		}
	}
	wantFault(t, "other format", preprocess.VerifyForTest(nil, preprocess.Header{Format: "gif"}), fault.Unsupported, "unsupported_media_type", "gif")
}

func FuzzVerify(f *testing.F) {
	f.Add(plainPNG(5, 5), byte(0))
	f.Add(jpegFile(frameHeader(0xC2, 8, 5, 5, 3), scanHeader, []byte{1, 0xFF, 0, 2, 0xFF, 0xD0}), byte(1))
	f.Add(webpFile(vp8x(0, 5, 5), vp8(5, 5)), byte(2))
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		if _, err := preprocess.Sniff(data, preprocess.Limits{}); err != nil {
			return
		}
		h, _ := preprocess.Sniff(data, preprocess.Limits{})
		if err := preprocess.VerifyForTest(data, h); err == nil && h.Format == preprocess.PNG && len(data) > 40 {
			data[int(kind)%20+12] ^= 0x10 // inside IHDR
			if check(data) == nil {
				t.Fatal("a changed header passes")
			}
		}
	})
}
