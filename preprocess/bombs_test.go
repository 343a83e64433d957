package preprocess_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
)

// tripwire is an Engine that no bomb may reach.
type tripwire struct{ calls int }

func (e *tripwire) Decode(context.Context, []byte, preprocess.Header, preprocess.DecodeOptions) (preprocess.Pixels, error) {
	e.calls++
	return preprocess.Pixels{}, fault.New(fault.Internal, "internal", "reached")
}

func (e *tripwire) Resize(context.Context, preprocess.Pixels, int, int, string) (preprocess.Pixels, error) {
	e.calls++
	return preprocess.Pixels{}, fault.New(fault.Internal, "internal", "reached")
}

func stretchSpec(resample string) *task.Spec {
	return &task.Spec{Preprocess: &task.Preprocess{Resize: task.Resize{Mode: "stretch", Size: task.Size{Height: 8, Width: 8}, Resample: resample}}}
}

// bombs are small files that ask for a lot: of memory, of time, or of code that nobody looks after.
func bombs() map[string][]byte {
	scan := slices.Concat(scanHeader, []byte{1, 2, 3})
	many := func(n int, part []byte) []byte { return bytes.Repeat(part, n) }
	frame := frameHeader(0xC2, 8, 1000, 1000, 3)
	end := pngChunk("IEND", nil)
	loop := tiff(binary.LittleEndian, 0x8769, 4, 1, 8) // an IFD that points at itself
	list := map[string][]byte{
		"png 40000x40000":      plainPNG(40000, 40000),
		"png 2^31-1 squared":   plainPNG(1<<31-1, 1<<31-1),
		"png 2^32-1 wide":      plainPNG(1<<32-1, 1),
		"png 1 x 2^31-1":       plainPNG(1, 1<<31-1),
		"png 7072x7072":        plainPNG(7072, 7072),
		"png 16-bit":           pngFile(ihdr(30000, 30000, 16, 6), end),
		"png 1-bit":            pngFile(ihdr(100000, 100000, 1, 0), end),
		"png interlaced":       pngFile(pngChunk("IHDR", []byte{0, 0, 200, 0, 0, 0, 200, 0, 8, 6, 0, 0, 1}), end),
		"apng 4 billion":       pngFile(ihdr(100, 100, 8, 6), actl(1<<32-1), pngChunk("IDAT", nil), end),
		"apng late":            pngFile(ihdr(7000, 7000, 8, 6), pngChunk("IDAT", nil), actl(2), end),
		"png chunk 2^32-1":     append(pngFile(ihdr(5, 5, 8, 2)), "\xff\xff\xff\xffIDAT"...),
		"png chunk too long":   append(pngFile(ihdr(5, 5, 8, 2)), "\x7f\xff\xff\xffIDATxxxxxxxxxxxx"...),
		"png million chunks":   pngFile(ihdr(5, 5, 8, 2), many(1_000_000, pngChunk("tEXt", nil))),
		"png no end":           pngFile(ihdr(5, 5, 8, 2), pngChunk("IDAT", []byte{1})),
		"png no pixels":        pngFile(ihdr(5, 5, 8, 2), end),
		"png odd name":         pngFile(ihdr(5, 5, 8, 2), pngChunk("ID\x00T", nil), pngChunk("IDAT", nil), end),
		"jpeg 65500x65500":     plainJPEG(65500, 65500),
		"jpeg 65535x1":         plainJPEG(65535, 1),
		"jpeg 10000x10000":     jpegFile(frameHeader(0xC2, 8, 10000, 10000, 3), scan),
		"jpeg height later":    jpegFile(frameHeader(0xC0, 8, 60000, 0, 3), scan, segment(0xDC, []byte{0xff, 0xff})),
		"jpeg 101 scans":       jpegFile(frame, many(101, scan)),
		"jpeg 100000 scans":    jpegFile(frame, many(100_000, scan)),
		"jpeg million segs":    jpegFile(many(1_000_000, segment(0xFE, nil)), frame, scan),
		"jpeg segment length":  append([]byte{0xFF, 0xD8}, 0xFF, 0xE1, 0, 0),
		"jpeg two frames":      jpegFile(frameHeader(0xC0, 8, 5, 5, 3), frameHeader(0xC2, 8, 60000, 60000, 3), scan),
		"jpeg frame, cut":      jpegFile(frame)[:15],
		"jpeg no end":          jpegFile(frame, scan)[:len(jpegFile(frame, scan))-2],
		"jpeg inside":          jpegFile(frame, scan, []byte{0xFF, 0xD8}, frame, scan),
		"jpeg 255 channels":    jpegFile(frameHeader(0xC0, 8, 50, 50, 255), scan),
		"jpeg lossless":        jpegFile(frameHeader(0xC3, 8, 50, 50, 3), scan),
		"jpeg fill bytes":      slices.Concat([]byte{0xFF, 0xD8}, many(1_000_000, []byte{0xFF})),
		"jpeg exif loop":       jpegFile(exifAPP1(loop), frameHeader(0xC0, 8, 60000, 60000, 3), scan),
		"webp 16384x16384":     webpFile(vp8l(16384, 16384)),
		"webp lossy 16383":     webpFile(vp8(16383, 16383)),
		"webp canvas 2^24":     webpFile(vp8x(0, 1<<24, 1<<24), vp8(5, 5)),
		"webp canvas alone":    webpFile(vp8x(0, 1<<24, 1)),
		"webp animated":        webpFile(vp8x(2, 100, 100), riffChunk("ANIM", make([]byte, 6)), many(10_000, riffChunk("ANMF", make([]byte, 16)))),
		"webp chunk 2^32-1":    append(webpFile(vp8x(0, 5, 5)), "JUNK\xff\xff\xff\xff"...),
		"webp million chunks":  webpFile(vp8x(0, 5, 5), many(1_000_000, riffChunk("JUNK", nil))),
		"webp two pictures":    webpFile(vp8x(0, 5, 5), vp8(5, 5), vp8(5, 5)),
		"webp size 2^32-1":     append([]byte("RIFF\xff\xff\xff\xffWEBP"), vp8(5, 5)...),
		"webp size 0":          append([]byte("RIFF\x00\x00\x00\x00WEBP"), vp8(5, 5)...),
		"svg billion laughs":   []byte("<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY a \"" + strings.Repeat("&b;", 1000) + "\">]><svg>&a;</svg>"),
		"gif 65535x65535":      []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"),
		"tiff 2^32-1":          append([]byte("II*\x00\x08\x00\x00\x00"), 0xff, 0xff),
		"bmp 2^31-1":           append([]byte("BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f"), make([]byte, 30)...),
		"zip":                  append([]byte("PK\x03\x04"), make([]byte, 100)...),
		"gzip":                 []byte("\x1f\x8b\x08\x00"),
		"exr":                  []byte("v/1\x01\x02\x00\x00\x00"),
		"jp2":                  []byte("\x00\x00\x00\x0cjP  \r\n\x87\n"),
		"pnm 10^9":             []byte("P6 1000000000 1000000000 255\n"),
		"hdr":                  []byte("#?RADIANCE\n\n-Y 1000000 +X 1000000\n"),
		"heic":                 []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
		"pdf":                  []byte("%PDF-1.7"),
		"one byte of each":     {0xFF},
		"only a start":         {0xFF, 0xD8, 0xFF},
		"zeros":                make([]byte, 1<<20),
		"ones":                 bytes.Repeat([]byte{0xFF}, 1<<20),
		"html":                 []byte("<!doctype html>"),
		"jpeg in png's clothe": append([]byte("\x89PNG\r\n\x1a\n"), plainJPEG(5, 5)...),
	}
	return list
}

func TestBombsReachNoNativeCode(t *testing.T) {
	list := bombs()
	if len(list) < 40 {
		t.Fatalf("only %d kinds", len(list))
	}
	engine := &tripwire{}
	for name, data := range list {
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err == nil {
			for _, resample := range []string{"pil-bilinear", "cv2-linear"} {
				p, broken := preprocess.New(stretchSpec(resample), engine, preprocess.Limits{})
				if broken != nil {
					t.Fatal(broken)
				}
				_, _, _, err = p.Image(t.Context(), data, h)
			}
		}
		switch fault.KindOf(err) {
		case fault.Invalid, fault.TooLarge, fault.Unsupported:
		default:
			t.Errorf("%s: %v", name, err)
		}
		if engine.calls > 0 {
			t.Fatalf("%s reached native code", name)
		}
	}
}

// A narrow picture asks for little and would become huge.
func TestResizeIsBounded(t *testing.T) {
	engine := &tripwire{}
	data := plainPNG(1, 16384)
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, resample := range []string{"pil-bilinear", "cv2-linear"} {
		spec := stretchSpec(resample)
		spec.Preprocess.Resize.Mode, spec.Preprocess.Resize.Size = "shortest-edge", task.Size{Height: 256, Width: 256}
		for _, crop := range []*task.Crop{nil, {Size: task.Size{Height: 224, Width: 224}}} {
			spec.Preprocess.Crop = crop
			p, err := preprocess.New(spec, engine, preprocess.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			_, _, _, err = p.Image(t.Context(), data, h)
			if crop != nil && resample == "pil-bilinear" { // only the cropped part is made
				if engine.calls != 1 {
					t.Errorf("%d calls, %v", engine.calls, err)
				}
				engine.calls = 0
				continue
			}
			wantFault(t, fmt.Sprint(resample, crop), err, fault.TooLarge, "image_too_large", "4194304")
		}
	}
	if engine.calls > 0 {
		t.Error("reached native code")
	}
}
