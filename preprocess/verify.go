package preprocess

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// maxScans bounds the scans of a progressive JPEG. Each one costs a pass over all pixels, in a few bytes of file; encoders make about ten.
const maxScans = 100

// verify walks the whole file in Go before native code sees it: a file that is cut at any byte is refused here, and so is a PNG with
// a flipped bit. It trusts the header of Sniff.
func verify(data []byte, h Header) error {
	switch h.Format {
	case JPEG:
		return verifyJPEG(data)
	case PNG:
		return verifyPNG(data)
	case WebP:
		return verifyWebP(data)
	}
	return unsupported("format %q is not served", h.Format)
}

// verifyJPEG counts the scans and looks for the end marker. What follows the end marker is ignored, as decoders do it.
func verifyJPEG(data []byte) error {
	walk := jpegWalk{data, 2}
	scans := 0
	for {
		marker, _, err := walk.next()
		if err != nil {
			return err
		}
		switch marker {
		case markerEOI:
			if scans == 0 {
				return invalid("the JPEG has no pixels")
			}
			return nil
		case markerSOI:
			return invalid("the JPEG is corrupt: a second start marker before byte %d", walk.pos)
		case markerSOS:
			if scans++; scans > maxScans {
				return invalid("the JPEG has more than %d scans", maxScans)
			}
			if err := walk.skipScan(); err != nil {
				return err
			}
		}
	}
}

// skipScan leaves pos at the marker that ends the entropy-coded data: 0xFF that no 0x00 (stuffing), 0xFF (fill) or restart follows.
func (w *jpegWalk) skipScan() error {
	for {
		i := bytes.IndexByte(w.data[w.pos:], 0xFF)
		if i < 0 || w.pos+i+1 >= len(w.data) {
			return invalid("the JPEG is cut: it ends at byte %d inside the pixels", len(w.data))
		}
		w.pos += i
		switch next := w.data[w.pos+1]; {
		case next == 0, next >= markerRST0 && next <= markerRST7:
			w.pos += 2
		case next == 0xFF:
			w.pos++
		default:
			return nil
		}
	}
}

func verifyPNG(data []byte) error {
	walk := pngWalk{data, len(pngMagic)}
	pixels := false
	for {
		at := walk.pos
		kind, body, err := walk.next()
		if err != nil {
			return err
		}
		for _, letter := range []byte(kind) {
			if letter|0x20 < 'a' || letter|0x20 > 'z' {
				return invalid("the PNG is corrupt: the chunk at byte %d has the name %q", at, kind)
			}
		}
		want := binary.BigEndian.Uint32(data[walk.pos-4:])
		if got := crc32.ChecksumIEEE(data[at+4 : walk.pos-4]); got != want {
			return invalid("the PNG is corrupt: chunk %s at byte %d has checksum %08x instead of %08x", kind, at, got, want)
		}
		switch kind {
		case "IDAT":
			pixels = true
		case "IEND":
			if !pixels || len(body) != 0 {
				return invalid("the PNG is corrupt: it ends at byte %d without pixels", at)
			}
			return nil
		}
	}
}

// verifyWebP checks that the container is as long as it says and that its chunks fill it. WebP has no checksums.
func verifyWebP(data []byte) error {
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if size > int64(len(data)) {
		return invalid("the WebP is cut: it claims %d bytes, %d were sent", size, len(data))
	}
	walk := newWebPWalk(data)
	pixels := 0
	for !walk.done() {
		at := walk.pos
		kind, _, whole, err := walk.next()
		if err != nil {
			return err
		}
		if !whole {
			return invalid("the WebP is corrupt: chunk %q at byte %d is longer than the file", kind, at)
		}
		if kind == "VP8 " || kind == "VP8L" {
			pixels++
		}
	}
	if pixels != 1 {
		return invalid("the WebP is corrupt: it has %d pictures instead of one", pixels)
	}
	return nil
}
