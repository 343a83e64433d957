package preprocess_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

func TestSniffReadsHeaders(t *testing.T) {
	big, little := binary.BigEndian, binary.LittleEndian
	long := make([]byte, 60000)
	for name, c := range map[string]struct {
		data []byte
		want preprocess.Header
	}{
		"jpeg":                 {plainJPEG(640, 480), preprocess.Header{Format: "jpeg", Width: 640, Height: 480, Orientation: 1}},
		"jpeg progressive":     {jpegFile(frameHeader(0xC2, 8, 1, 16384, 1), scanHeader), preprocess.Header{Format: "jpeg", Width: 1, Height: 16384, Orientation: 1}},
		"jpeg arithmetic":      {jpegFile(frameHeader(0xC9, 8, 3, 4, 4), scanHeader), preprocess.Header{Format: "jpeg", Width: 3, Height: 4, Orientation: 1}},
		"jpeg exif":            {jpegFile(exifAPP1(tiff(big, 0x112, 3, 1, 6)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 6}},
		"jpeg exif little":     {jpegFile(segment(0xE0, long), exifAPP1(tiff(little, 0x112, 3, 1, 8)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 8}},
		"jpeg exif as long":    {jpegFile(exifAPP1(tiff(little, 0x112, 4, 1, 3)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 3}},
		"jpeg exif out of 1-8": {jpegFile(exifAPP1(tiff(little, 0x112, 3, 1, 9)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 1}},
		"jpeg other tag":       {jpegFile(exifAPP1(tiff(little, 0x111, 3, 1, 6)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 1}},
		"jpeg first exif wins": {jpegFile(segment(0xE1, []byte("http://ns.adobe.com/xap/1.0/\x00")), exifAPP1(tiff(big, 0x112, 3, 1, 2)), exifAPP1(tiff(big, 0x112, 3, 1, 5)), frameHeader(0xC0, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 2}},
		"jpeg fill bytes":      {jpegFile([]byte{0xFF, 0xFF, 0xFF}, frameHeader(0xC1, 8, 5, 4, 3), scanHeader), preprocess.Header{Format: "jpeg", Width: 5, Height: 4, Orientation: 1}},
		"png":                  {plainPNG(7, 9), preprocess.Header{Format: "png", Width: 7, Height: 9, Orientation: 1}},
		"png exif at the end":  {pngFile(ihdr(7, 9, 8, 2), pngChunk("IDAT", []byte{1}), pngChunk("eXIf", tiff(big, 0x112, 3, 1, 7)), pngChunk("IEND", nil)), preprocess.Header{Format: "png", Width: 7, Height: 9, Orientation: 7}},
		"apng":                 {pngFile(ihdr(100, 100, 8, 6), actl(5000), pngChunk("IDAT", nil), pngChunk("IEND", nil)), preprocess.Header{Format: "png", Width: 100, Height: 100, Orientation: 1}},
		"webp lossless":        {webpFile(vp8l(16384, 2)), preprocess.Header{Format: "webp", Width: 16384, Height: 2, Orientation: 1}},
		"webp lossy":           {webpFile(vp8(33, 44)), preprocess.Header{Format: "webp", Width: 33, Height: 44, Orientation: 1}},
		"webp extended":        {webpFile(vp8x(8, 33, 44), vp8(33, 44), riffChunk("EXIF", tiff(little, 0x112, 3, 1, 6))), preprocess.Header{Format: "webp", Width: 33, Height: 44, Orientation: 6}},
		"webp exif prefix":     {webpFile(vp8x(8, 33, 44), vp8(33, 44), riffChunk("EXIF", append([]byte("Exif\x00\x00"), tiff(big, 0x112, 3, 1, 6)...))), preprocess.Header{Format: "webp", Width: 33, Height: 44, Orientation: 6}},
	} {
		got, err := preprocess.Sniff(c.data, preprocess.Limits{})
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestSniffNamesWhatItDoesNotServe(t *testing.T) {
	pad := strings.Repeat("\x00", 32)
	for data, name := range map[string]string{
		"GIF89a" + pad: "GIF", "GIF87a": "GIF", "II*\x00" + pad: "TIFF", "MM\x00*" + pad: "TIFF", "BM" + pad: "BMP", "%PDF-1.7": "PDF",
		"\x00\x00\x00\x18ftypheic" + pad: "HEIC", "\x00\x00\x00\x18ftypmif1" + pad: "HEIC", "\x00\x00\x00\x18ftypavif" + pad: "AVIF",
		"\x00\x00\x00\x18ftypisom" + pad: "video", "<svg xmlns=''/>": "SVG", "<?xml version='1.0'?>\n<svg>": "SVG", "\xef\xbb\xbf <SVG>": "SVG",
		"<!DOCTYPE html><html>": "HTML", "<?xml?>": "XML", `{"image":1}`: "JSON", "data:image/png;base64,AAAA": "data: URL", "P6 3 3 255\n": "PNM",
		"\x00\x00\x00\x0cJXL " + pad: "JPEG XL", "\xff\x0a" + pad: "JPEG XL", "\x00\x00\x00\x0cjP  " + pad: "JPEG 2000", "8BPS": "Photoshop",
		"\x00\x00\x01\x00" + pad: "ICO", "v/1\x01": "OpenEXR", "#?RADIANCE": "Radiance", "qoif": "QOI", "PK\x03\x04": "ZIP", "\x1f\x8b\x08": "gzip",
		"RIFF\x00\x00\x00\x00WAVE" + pad: "RIFF", "\x7fELF": "program", "\x1aE\xdf\xa3": "WebM", "hello world": "this is text, not a picture", strings.Repeat("x", 1023) + "\u00e9": "this is text", "# Titel\r\n\tGr\u00fc\u00dfe": "this is text", "h\x00llo": "68 00 6c 6c 6f", "h\xe9llo": "68 e9 6c 6c 6f", "\x00": "00",
	} {
		_, err := preprocess.Sniff([]byte(data), preprocess.Limits{})
		wantFault(t, name, err, fault.Unsupported, "unsupported_media_type", name)
	}
}

func TestSniffRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		kind fault.Kind
		text string
	}{
		"empty":                {nil, fault.Invalid, "empty"},
		"cut magic":            {[]byte("\x89PN"), fault.Invalid, "cut"},
		"cut jpeg magic":       {[]byte("\xff\xd8"), fault.Invalid, "cut"},
		"jpeg cut marker":      {[]byte("\xff\xd8\xff"), fault.Invalid, "cut"},
		"jpeg cut segment":     {[]byte("\xff\xd8\xff\xe0\x00\x10abc"), fault.Invalid, "cut"},
		"jpeg length 1":        {[]byte("\xff\xd8\xff\xe0\x00\x01abc"), fault.Invalid, "length 1"},
		"jpeg garbage":         {append([]byte("\xff\xd8\xff\xe0\x00\x02"), "garbage"...), fault.Invalid, "no marker"},
		"jpeg no frame":        {jpegFile(scanHeader), fault.Invalid, "no frame header"},
		"jpeg no frame at all": {jpegFile(segment(0xFE, []byte("hi"))), fault.Invalid, "no frame header"},
		"jpeg two frames":      {jpegFile(frameHeader(0xC0, 8, 5, 5, 3), frameHeader(0xC0, 8, 5, 5, 3), scanHeader), fault.Invalid, "second frame"},
		"jpeg two starts":      {jpegFile([]byte{0xFF, 0xD8}), fault.Invalid, "second start"},
		"jpeg height 0":        {plainJPEG(5, 0), fault.Invalid, "5 x 0"},
		"jpeg width 0":         {plainJPEG(0, 5), fault.Invalid, "0 x 5"},
		"jpeg short frame":     {jpegFile(segment(0xC0, []byte{8, 0, 1})), fault.Invalid, "3 bytes"},
		"jpeg long frame":      {jpegFile(segment(0xC0, make([]byte, 40))), fault.Unsupported, "0 bits"},
		"jpeg 12 bits":         {jpegFile(frameHeader(0xC1, 12, 5, 5, 3), scanHeader), fault.Unsupported, "12 bits"},
		"jpeg lossless":        {jpegFile(frameHeader(0xC3, 8, 5, 5, 3), scanHeader), fault.Unsupported, "SOF3"},
		"jpeg two channels":    {jpegFile(frameHeader(0xC0, 8, 5, 5, 2), scanHeader), fault.Unsupported, "2 channels"},
		"png cut":              {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00"), fault.Invalid, "cut"},
		"png no IHDR":          {pngFile(pngChunk("IDAT", make([]byte, 13))), fault.Invalid, "IHDR"},
		"png width 0":          {plainPNG(0, 5), fault.Invalid, "0 x 5"},
		"png width 2^31":       {plainPNG(1<<31, 5), fault.Invalid, "2147483648 x 5"},
		"png depth 3":          {pngFile(ihdr(5, 5, 3, 2)), fault.Invalid, "3 bits"},
		"png colour 5":         {pngFile(ihdr(5, 5, 8, 5)), fault.Invalid, "type 5"},
		"png acTL":             {pngFile(ihdr(5, 5, 8, 2), pngChunk("acTL", nil)), fault.Invalid, "acTL"},
		"webp empty":           {webpFile(), fault.Invalid, "no picture"},
		"webp cut":             {webpFile(vp8(5, 5))[:20], fault.Invalid, "cut"},
		"webp width 0":         {webpFile(vp8(0, 5)), fault.Invalid, "0 x 5"},
		"webp no key frame":    {webpFile(riffChunk("VP8 ", []byte("\x01\x00\x00\x9d\x01\x2a\x05\x00\x05\x00"))), fault.Invalid, "key frame"},
		"webp lossless magic":  {webpFile(riffChunk("VP8L", make([]byte, 5))), fault.Invalid, "lossless"},
		"webp version":         {webpFile(riffChunk("VP8L", []byte{0x2f, 0, 0, 0, 0xe0})), fault.Invalid, "version"},
		"webp animated":        {webpFile(vp8x(2, 5, 5)), fault.Unsupported, "animated"},
		"webp animated frames": {webpFile(vp8x(0, 5, 5), riffChunk("ANMF", nil)), fault.Unsupported, "animated"},
		"webp canvas":          {webpFile(vp8x(0, 5, 6), vp8(5, 5)), fault.Invalid, "canvas"},
		"webp late VP8X":       {webpFile(riffChunk("ICCP", nil), vp8x(0, 5, 6)), fault.Invalid, "VP8X"},
		"webp short VP8X":      {webpFile(riffChunk("VP8X", []byte{0})), fault.Invalid, "VP8X"},
		"riff cut":             {[]byte("RIFF\x00\x00"), fault.Invalid, "cut"},
	} {
		_, err := preprocess.Sniff(c.data, preprocess.Limits{})
		code := "invalid_image"
		if c.kind == fault.Unsupported {
			code = "unsupported_media_type"
		}
		wantFault(t, name, err, c.kind, code, c.text)
	}
}

func wantFault(t *testing.T, name string, err error, kind fault.Kind, code, text string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || !strings.Contains(e.Detail, text) {
		t.Errorf("%s: %v; want kind %d, code %s and %q in the text", name, err, kind, code, text)
	}
}

func TestSniffLimits(t *testing.T) {
	for _, c := range []struct {
		w, h   int
		limits preprocess.Limits
		over   string // the setting that is named
	}{
		{16384, 3051, preprocess.Limits{}, ""}, {16384, 3052, preprocess.Limits{}, "limits.pixels"}, // 50 megapixels
		{16385, 1, preprocess.Limits{}, "limits.side"}, {1, 16385, preprocess.Limits{}, "limits.side"}, {65535, 65535, preprocess.Limits{}, "limits.side"},
		{100, 100, preprocess.Limits{Pixels: 10000}, ""}, {100, 101, preprocess.Limits{Pixels: 10000}, "limits.pixels"},
		{101, 1, preprocess.Limits{Side: 100}, "limits.side"}, {20000, 100, preprocess.Limits{Side: 20000}, ""},
	} {
		_, err := preprocess.Sniff(plainJPEG(c.w, c.h), c.limits)
		if (c.over == "") != (err == nil) {
			t.Errorf("%d x %d with %+v: %v", c.w, c.h, c.limits, err)
		}
		if c.over != "" {
			wantFault(t, "limit", err, fault.TooLarge, "image_too_large", c.over)
		}
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(plainJPEG(640, 480))
	f.Add(jpegFile(exifAPP1(tiff(binary.LittleEndian, 0x112, 3, 1, 6)), frameHeader(0xC2, 8, 5, 4, 3), scanHeader))
	f.Add(plainPNG(7, 9))
	f.Add(pngFile(ihdr(7, 9, 8, 2), actl(3), pngChunk("eXIf", tiff(binary.BigEndian, 0x112, 4, 1, 7)), pngChunk("IDAT", nil), pngChunk("IEND", nil)))
	f.Add(webpFile(vp8l(5, 6)))
	f.Add(webpFile(vp8x(8, 33, 44), vp8(33, 44), riffChunk("EXIF", tiff(binary.LittleEndian, 0x112, 3, 1, 6))))
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			if k := fault.KindOf(err); h != (preprocess.Header{}) || k != fault.Invalid && k != fault.TooLarge && k != fault.Unsupported {
				t.Fatalf("%+v with %v", h, err)
			}
			return
		}
		if h.Width < 1 || h.Height < 1 || h.Width > 16384 || h.Height > 16384 || h.Width*h.Height > 50_000_000 || h.Orientation < 1 || h.Orientation > 8 {
			t.Fatalf("%+v", h)
		}
		preprocess.VerifyForTest(data, h) // must not panic on what Sniff lets through
	})
}
