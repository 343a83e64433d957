package e2e

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// bomb is a request that costs its sender little and its receiver much, if that lets it.
type bomb struct {
	name, path, content, coding string
	body                        []byte
}

func chunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// pngOf makes a PNG; methods are bits, colour type, compression, filter and interlace of IHDR.
func pngOf(width, height uint32, methods [5]byte, chunks ...[]byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, methods[:]...))...)
	for _, c := range chunks {
		out = append(out, c...)
	}
	return append(out, chunk("IEND", nil)...)
}

// sameBlock is how many bytes deflated takes at a time.
const sameBlock = 1 << 16

// deflated is n times the same byte, raw, rounded up to whole blocks, of which it gives the number of bytes. Once the compressor has seen nothing else, the same block becomes
// the same bytes; so only the first ones are compressed, which saves minutes of work under the race detector.
func deflated(n int, of byte) (raw []byte, size int) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression)
	var ends []int
	for range 4 {
		_, _ = w.Write(bytes.Repeat([]byte{of}, sameBlock))
		_ = w.Flush() // to a whole byte
		ends = append(ends, b.Len())
	}
	_ = w.Close()
	count := (n + sameBlock - 1) / sameBlock
	again, end := b.Bytes()[ends[2]:ends[3]], b.Bytes()[ends[3]:]
	return slices.Concat(b.Bytes()[:ends[2]], bytes.Repeat(again, max(count-3, 0)), end), max(count, 3) * sameBlock
}

// zeros is n zero bytes, or some more, as zlib deflates them.
func zeros(n int) []byte {
	raw, size := deflated(n, 0)
	return binary.BigEndian.AppendUint32(slices.Concat([]byte{0x78, 0x9c}, raw), uint32(size%65521)<<16|1) // Adler-32 of zeros
}

func jpegSegment(marker byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

// jpegOf makes the header of a JPEG, with what is to come after its frame.
func jpegOf(sof byte, bits byte, width, height uint16, parts int, more ...[]byte) []byte {
	frame := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{bits}, height), width)
	frame = append(frame, byte(parts))
	for i := range parts {
		frame = append(frame, byte(i+1), 0x11, 0)
	}
	out := append([]byte{0xff, 0xd8}, jpegSegment(sof, frame)...)
	for _, m := range more {
		out = append(out, m...)
	}
	return append(out, 0xff, 0xd9)
}

func webpOf(kind string, body []byte) []byte {
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	inner := append([]byte("WEBP"+kind), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	inner = append(inner, body...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(inner))), inner...)
}

// bombs makes all kinds, from shapes's picture where one is to look sound.
func bombs(t *testing.T, random *rand.Rand) (out []bomb) {
	const infer = "/v1/models/shapes/infer"
	image := func(name string, body []byte) {
		out = append(out, bomb{name, infer, "application/octet-stream", "", body})
	}
	rgb, scan := [5]byte{8, 2}, jpegSegment(0xda, []byte{3, 1, 0, 2, 0, 3, 0, 0, 63, 0})
	solid := zeros(8000 * (1 + 3*8000))
	image("PNG, pixels", pngOf(40000, 40000, rgb))
	image("PNG, width", pngOf(1<<31-1, 1, rgb))
	image("PNG, height", pngOf(1, 1<<31-1, rgb))
	image("PNG, above 2^31", pngOf(1<<32-1, 1<<32-1, rgb))
	image("PNG, solid", pngOf(8000, 8000, rgb, chunk("IDAT", solid)))
	image("PNG, 16 bits", pngOf(16000, 16000, [5]byte{16, 6}))
	image("PNG, interlaced", pngOf(16384, 16384, [5]byte{8, 2, 0, 0, 1}))
	image("PNG, no width", pngOf(0, 10, rgb))
	image("PNG, no height", pngOf(10, 0, rgb))
	image("PNG, frames", pngOf(4000, 4000, rgb, chunk("acTL", []byte{0, 0, 255, 255, 0, 0, 0, 0})))
	image("PNG, frames for ever", pngOf(100, 100, rgb, chunk("acTL", []byte{255, 255, 255, 255, 0, 0, 0, 0})))
	image("PNG, less than its size", pngOf(4000, 4000, rgb, chunk("IDAT", zeros(100))))
	image("PNG, zTXt", pngOf(4000, 4000, rgb, chunk("zTXt", append([]byte("a\x00\x00"), zeros(64<<20)...)), chunk("IDAT", zeros(100))))
	image("PNG, iCCP", pngOf(4000, 4000, rgb, chunk("iCCP", append([]byte("a\x00\x00"), zeros(64<<20)...)), chunk("IDAT", zeros(100))))
	image("PNG, iTXt", pngOf(4000, 4000, rgb, chunk("iTXt", append([]byte("a\x00\x01\x00\x00\x00"), zeros(64<<20)...)), chunk("IDAT", zeros(100))))
	image("PNG, a chunk without end", append(pngOf(100, 100, rgb)[:33], 0x7f, 0xff, 0xff, 0xff, 'I', 'D', 'A', 'T'))
	image("PNG, chunks", pngOf(100, 100, rgb, bytes.Repeat(chunk("tEXt", []byte("a\x00b")), 20000)))
	image("PNG, compression", pngOf(100, 100, [5]byte{8, 2, 7, 0, 0}))
	image("JPEG, pixels", jpegOf(0xc0, 8, 65535, 65535, 3, scan))
	image("JPEG, width", jpegOf(0xc0, 8, 65535, 1, 3, scan))
	image("JPEG, for DCT scaling", jpegOf(0xc0, 8, 16384, 16384, 3, scan))
	image("JPEG, CMYK", jpegOf(0xc0, 8, 16384, 16384, 4, scan))
	image("JPEG, progressive", jpegOf(0xc2, 8, 7000, 7000, 3, bytes.Repeat(scan, 2000)))
	image("JPEG, scans of a small one", jpegOf(0xc2, 8, 64, 64, 3, bytes.Repeat(scan, 5000)))
	image("JPEG, 12 bits", jpegOf(0xc1, 12, 4000, 4000, 3, scan))
	image("JPEG, lossless", jpegOf(0xc3, 8, 4000, 4000, 3, scan))
	image("JPEG, arithmetic", jpegOf(0xc9, 8, 7000, 7000, 3, scan))
	image("JPEG, no width", jpegOf(0xc0, 8, 0, 100, 3, scan))
	image("JPEG, no height", jpegOf(0xc0, 8, 100, 0, 3, scan))
	image("JPEG, two frames", jpegOf(0xc0, 8, 100, 100, 3, jpegOf(0xc0, 8, 65535, 65535, 3)[2:]))
	loop := append([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00"), 8, 0, 0, 0)
	image("JPEG, EXIF that points to itself", jpegOf(0xc0, 8, 7000, 7000, 3, jpegSegment(0xe1, loop), scan))
	profile := jpegSegment(0xe2, append([]byte("ICC_PROFILE\x00\x01\xff"), make([]byte, 65000)...))
	image("JPEG, ICC", jpegOf(0xc0, 8, 7000, 7000, 3, bytes.Repeat(profile, 255), scan))
	image("JPEG, segments", jpegOf(0xc0, 8, 100, 100, 3, bytes.Repeat(jpegSegment(0xfe, nil), 10000)))
	image("JPEG, no scan", jpegOf(0xc0, 8, 7000, 7000, 3))
	image("WebP, lossy", webpOf("VP8 ", []byte{0x10, 0, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f}))
	image("WebP, lossless", webpOf("VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f}))
	image("WebP, canvas", webpOf("VP8X", []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
	image("WebP, animated", webpOf("VP8X", []byte{2, 0, 0, 0, 0xff, 0x0f, 0, 0xff, 0x0f, 0}))
	image("WebP, cut", webpOf("VP8L", []byte{0x2f, 0xff, 0x0f, 0xff, 0x03})[:22])
	image("GIF", []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00"))
	image("BMP", append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f"), make([]byte, 28)...))
	image("TIFF, a directory that points to itself", []byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"))
	image("BigTIFF", []byte("II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"))
	image("PNM", []byte("P6 99999 99999 255\n"))
	image("SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="99999999" height="99999999"/>`))
	image("AVIF", []byte("\x00\x00\x00\x20ftypavif\x00\x00\x00\x00avifmif1"))
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	image("noise", noise)
	picture := picture(t, "circle-2.jpg")
	image("a sound JPEG, cut", picture[:len(picture)*(1+random.IntN(8))/10])
	image("a sound PNG, cut", readFile(t, "model_repository/shapes/golden/circle-1.png")[:200+random.IntN(400)])
	deep := bytes.Repeat([]byte("["), 100000)
	out = append(out,
		bomb{"JSON, deep", infer, "application/json", "", append([]byte(`{"image":`), deep...)},
		bomb{"JSON, base64 of a bomb", infer, "application/json", "", []byte(`{"image":{"base64":"` + base64Of(pngOf(40000, 40000, rgb)) + `"}}`)},
		bomb{"JSON of /v2, deep", "/v2/models/iris/infer", "application/json", "", append([]byte(`{"inputs":`), deep...)},
		bomb{"JSON of /v2, shape", "/v2/models/iris/infer", "application/json", "", []byte(`{"inputs":[{"name":"input","datatype":"FP32","shape":[9223372036854775807,4],"data":[1]}]}`)},
		bomb{"gzip on /v2", "/v2/models/iris/infer", "application/json", "gzip", gzipOf(96<<20, 0)},
		bomb{"deflate on /v2", "/v2/models/iris/infer", "application/json", "deflate", zeros(96 << 20)},
		bomb{"gzip on /v1", infer, "image/png", "gzip", gzipOf(96<<20, 0)},
		bomb{"form, parts", infer, "multipart/form-data; boundary=x", "", append(bytes.Repeat([]byte("--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n\r\n"), 20000), "--x--\r\n"...)},
		bomb{"zip, ratio", "/v1/jobs?model=shapes", "application/zip", "", zipOf(t, 1, 60<<20)},
		bomb{"zip, files", "/v1/jobs?model=shapes", "application/zip", "", zipOf(t, 20000, 1)},
		bomb{"zip, no directory", "/v1/jobs?model=shapes", "application/zip", "", zipOf(t, 1, 100)[:60]},
	)
	return out
}

// gzipOf is n times the same byte, or some more, as a gzip file.
func gzipOf(n int, of byte) []byte {
	raw, size := deflated(n, of)
	out := slices.Concat([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, raw)
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(bytes.Repeat([]byte{of}, size))), uint32(size))
}

func TestBombsUnpackToTheSame(t *testing.T) {
	for _, n := range []int{1, 200_000, 3 << 20} {
		z, err := zlib.NewReader(bytes.NewReader(zeros(n)))
		if err != nil {
			t.Fatal(err)
		}
		g, err := gzip.NewReader(bytes.NewReader(gzipOf(n, ' ')))
		if err != nil {
			t.Fatal(err)
		}
		for of, r := range map[string]io.Reader{"\x00": z, " ": g} {
			got, err := io.ReadAll(r) // with its sum
			if err != nil || len(got) < n || len(got) > n+4*sameBlock || len(bytes.Trim(got, of)) > 0 {
				t.Errorf("%d of %q: %d bytes, %v", n, of, len(got), err)
			}
		}
	}
}

func zipOf(t *testing.T, files, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	method, raw := zip.Store, make([]byte, size)
	if size > sameBlock {
		method = zip.Deflate
		raw, size = deflated(size, 0)
	}
	sum := crc32.ChecksumIEEE(make([]byte, size))
	for i := range files {
		name := string(rune('a'+i%26)) + string(rune('0'+i/26%10)) + string(rune('0'+i/260%10)) + string(rune('0'+i/2600%10)) + ".png"
		f, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: method, CRC32: sum, CompressedSize64: uint64(len(raw)), UncompressedSize64: uint64(size)})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(raw)
	}
	_ = z.Close()
	return b.Bytes()
}
