package preprocess

import (
	"encoding/binary"
)

// pngWalk steps over the chunks of a PNG: PNG specification 5.3.
type pngWalk struct {
	data []byte
	pos  int // of the next chunk's length
}

// next gives a chunk's type and content without looking at its CRC.
func (w *pngWalk) next() (kind string, body []byte, err error) {
	rest := len(w.data) - w.pos
	if rest < 12 {
		return "", nil, invalid("the PNG is cut: it ends at byte %d, before its end chunk", len(w.data))
	}
	size := binary.BigEndian.Uint32(w.data[w.pos:])
	if size > 1<<31-1 || int64(size) > int64(rest-12) {
		return "", nil, invalid("the PNG is cut: the chunk at byte %d claims %d bytes, %d are left", w.pos, size, rest-12)
	}
	kind = string(w.data[w.pos+4 : w.pos+8])
	body = w.data[w.pos+8 : w.pos+8+int(size)]
	w.pos += 12 + int(size)
	return kind, body, nil
}

// sniffPNG gives the number of frames too: that of acTL for an animated PNG, of which the default image is served.
func sniffPNG(data []byte) (h Header, frames uint32, err error) {
	h, frames = Header{Format: PNG, Orientation: 1}, 1
	walk := pngWalk{data, len(pngMagic)}
	kind, body, err := walk.next()
	if err != nil {
		return h, 0, err
	}
	if err := h.readIHDR(kind, body); err != nil {
		return h, 0, err
	}
	for range maxSegments { // eXIf may stand after the pixels
		kind, body, err := walk.next()
		if err != nil || kind == "IEND" {
			break // a cut file is found when all of it is checked, before it is decoded
		}
		switch kind {
		case "acTL":
			if len(body) != 8 {
				return h, 0, invalid("the PNG is corrupt: its acTL chunk has %d bytes", len(body))
			}
			frames = max(frames, binary.BigEndian.Uint32(body))
		case "eXIf":
			h.Orientation = exifOrientation(body)
		}
	}
	return h, frames, nil
}

// readIHDR takes the size out of the first chunk: PNG specification 11.2.1.
func (h *Header) readIHDR(kind string, body []byte) error {
	if kind != "IHDR" || len(body) != 13 {
		return invalid("the PNG is corrupt: it begins with chunk %q of %d bytes, not with IHDR of 13", kind, len(body))
	}
	width, height := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if width == 0 || height == 0 || width > 1<<31-1 || height > 1<<31-1 {
		return invalid("the PNG claims to be %d x %d pixels", width, height)
	}
	depth, colour := body[8], body[9]
	ok := false
	switch colour {
	case 0: // gray
		ok = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16
	case 3: // palette
		ok = depth == 1 || depth == 2 || depth == 4 || depth == 8
	case 2, 4, 6: // RGB, gray+alpha, RGBA
		ok = depth == 8 || depth == 16
	}
	if !ok || body[10] != 0 || body[11] != 0 || body[12] > 1 {
		return invalid("the PNG is corrupt: colour type %d with %d bits, methods %d, %d, %d", colour, depth, body[10], body[11], body[12])
	}
	h.Width, h.Height = int(width), int(height)
	return nil
}
