package preprocess_test

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// Builders of files: only what a test needs of each format.

func segment(marker byte, body []byte) []byte {
	return append([]byte{0xFF, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

func frameHeader(marker byte, precision byte, width, height, components int) []byte {
	body := []byte{precision, byte(height >> 8), byte(height), byte(width >> 8), byte(width), byte(components)}
	for i := range components {
		body = append(body, byte(i+1), 0x11, 0)
	}
	return segment(marker, body)
}

var scanHeader = segment(0xDA, []byte{1, 1, 0, 0, 63, 0})

// jpegFile is a start marker, the parts, and an end marker.
func jpegFile(parts ...[]byte) []byte {
	return slices.Concat([]byte{0xFF, 0xD8}, slices.Concat(parts...), []byte{0xFF, 0xD9})
}

// plainJPEG has a header and one scan of nonsense.
func plainJPEG(width, height int) []byte {
	return jpegFile(frameHeader(0xC0, 8, width, height, 3), scanHeader, []byte{1, 2, 3})
}

func pngChunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func ihdr(width, height uint32, depth, colour byte) []byte {
	body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return pngChunk("IHDR", append(body, depth, colour, 0, 0, 0))
}

func pngFile(chunks ...[]byte) []byte {
	return append([]byte("\x89PNG\r\n\x1a\n"), slices.Concat(chunks...)...)
}

func plainPNG(width, height uint32) []byte {
	return pngFile(ihdr(width, height, 8, 2), pngChunk("IDAT", []byte{1}), pngChunk("IEND", nil))
}

func actl(frames uint32) []byte {
	return pngChunk("acTL", append(binary.BigEndian.AppendUint32(nil, frames), 0, 0, 0, 0))
}

func riffChunk(kind string, body []byte) []byte {
	out := append([]byte(kind), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func webpFile(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), slices.Concat(chunks...)...)
	return append(append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...), body...)
}

func vp8l(width, height uint32) []byte {
	return riffChunk("VP8L", append([]byte{0x2f}, binary.LittleEndian.AppendUint32(nil, (width-1)|(height-1)<<14)...))
}

func vp8(width, height uint16) []byte {
	body := []byte{0, 0, 0, 0x9d, 0x01, 0x2a}
	body = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(body, width), height)
	return riffChunk("VP8 ", append(body, 1, 2, 3, 4))
}

func vp8x(flags byte, width, height uint32) []byte {
	w, h := width-1, height-1
	return riffChunk("VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
}

// tiff is an EXIF block with one tag.
func tiff(order binary.AppendByteOrder, tag, kind uint16, count, value uint32) []byte {
	mark := "II"
	if order == binary.AppendByteOrder(binary.BigEndian) {
		mark = "MM"
	}
	out := order.AppendUint16([]byte(mark), 42)
	out = order.AppendUint16(order.AppendUint32(out, 8), 1)
	out = order.AppendUint32(order.AppendUint16(order.AppendUint16(out, tag), kind), count)
	if kind == 3 {
		out = append(order.AppendUint16(out, uint16(value)), 0, 0)
	} else {
		out = order.AppendUint32(out, value)
	}
	return order.AppendUint32(out, 0)
}

func exifAPP1(block []byte) []byte { return segment(0xE1, append([]byte("Exif\x00\x00"), block...)) }
