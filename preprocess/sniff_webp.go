package preprocess

import "encoding/binary"

// webpWalk steps over the chunks of a WebP's RIFF container.
type webpWalk struct {
	data []byte // up to the end that the RIFF header names, or the end of the file
	pos  int
}

func newWebPWalk(data []byte) webpWalk {
	if end := int64(binary.LittleEndian.Uint32(data[4:])) + 8; end < int64(len(data)) {
		data = data[:max(end, 12)]
	}
	return webpWalk{data, 12}
}

// done reports that the container ends here.
func (w *webpWalk) done() bool { return w.pos >= len(w.data) }

// next gives a chunk's type and content. The content is cut where the file is; whole tells.
func (w *webpWalk) next() (kind string, body []byte, whole bool, err error) {
	rest := len(w.data) - w.pos
	if rest < 8 {
		return "", nil, false, invalid("the WebP is cut: it ends at byte %d inside a chunk's header", len(w.data))
	}
	kind = string(w.data[w.pos : w.pos+4])
	size := int64(binary.LittleEndian.Uint32(w.data[w.pos+4:]))
	body = w.data[w.pos+8:]
	whole = size <= int64(len(body))
	if whole {
		body = body[:size]
	}
	w.pos = int(min(int64(w.pos)+8+size+size&1, int64(len(w.data)))) // chunks are padded to an even size
	return kind, body, whole, nil
}

func sniffWebP(data []byte) (Header, error) {
	h := Header{Format: WebP, Orientation: 1}
	walk := newWebPWalk(data)
	canvasWidth, canvasHeight := 0, 0
	for i := 0; i < maxSegments && !walk.done(); i++ {
		kind, body, whole, err := walk.next()
		if err != nil {
			break // a cut file is found when all of it is checked, before it is decoded
		}
		switch kind {
		case "VP8X":
			if i != 0 || len(body) < 10 {
				return h, invalid("the WebP is corrupt: its VP8X chunk is misplaced or has %d bytes", len(body))
			}
			if body[0]&0x02 != 0 {
				return h, unsupported("animated WebP is not served: send a still picture")
			}
			canvasWidth, canvasHeight = 1+uint24(body[4:]), 1+uint24(body[7:])
			h.Width, h.Height = canvasWidth, canvasHeight // for the limits, should the picture itself be missing
		case "ANIM", "ANMF":
			return h, unsupported("animated WebP is not served: send a still picture")
		case "VP8 ", "VP8L":
			if err := h.readVP8(kind, body); err != nil {
				return h, err
			}
			if canvasWidth == 0 {
				return h, nil // the simple layout has no other chunks
			}
			if h.Width != canvasWidth || h.Height != canvasHeight {
				return h, invalid("the WebP is corrupt: its canvas is %d x %d, its picture %d x %d", canvasWidth, canvasHeight, h.Width, h.Height)
			}
		case "EXIF":
			if whole {
				h.Orientation = exifOrientation(body)
			}
		}
	}
	if h.Width == 0 {
		return h, invalid("the WebP is cut or corrupt: it has no picture")
	}
	return h, nil
}

// readVP8 takes the size out of a lossy (RFC 6386 9.1) or lossless (WebP Lossless Bitstream 3) picture.
func (h *Header) readVP8(kind string, body []byte) error {
	if kind == "VP8L" {
		if len(body) < 5 || body[0] != 0x2f {
			return invalid("the WebP is cut or corrupt: its lossless picture has no header")
		}
		bits := binary.LittleEndian.Uint32(body[1:])
		if bits>>29 != 0 {
			return invalid("the WebP is corrupt: lossless version %d", bits>>29)
		}
		h.Width, h.Height = 1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)
		return nil
	}
	if len(body) < 10 || body[0]&1 != 0 || string(body[3:6]) != "\x9d\x01\x2a" {
		return invalid("the WebP is cut or corrupt: its lossy picture has no key frame header")
	}
	width, height := int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
	if width == 0 || height == 0 {
		return invalid("the WebP claims to be %d x %d pixels", width, height)
	}
	h.Width, h.Height = width, height
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
