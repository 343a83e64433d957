package preprocess

import "encoding/binary"

// JPEG markers, ITU-T T.81 table B.1.
const (
	markerTEM  = 0x01
	markerSOF0 = 0xC0
	markerSOF2 = 0xC2
	markerDHT  = 0xC4
	markerJPG  = 0xC8
	markerDAC  = 0xCC
	markerRST0 = 0xD0
	markerRST7 = 0xD7
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerAPP1 = 0xE1
)

// jpegWalk steps over the marker segments of a JPEG.
type jpegWalk struct {
	data []byte
	pos  int // of the next marker's 0xFF
}

// next gives a marker and its segment's content; markers without a segment give nil.
func (w *jpegWalk) next() (marker byte, body []byte, err error) {
	if w.pos >= len(w.data) {
		return 0, nil, invalid("the JPEG is cut: it ends at byte %d where a marker should be", len(w.data))
	}
	if w.data[w.pos] != 0xFF {
		return 0, nil, invalid("the JPEG is corrupt: no marker at byte %d", w.pos)
	}
	for w.pos < len(w.data) && w.data[w.pos] == 0xFF { // any number of fill bytes may come before a marker
		w.pos++
	}
	if w.pos >= len(w.data) {
		return 0, nil, invalid("the JPEG is cut: it ends at byte %d inside a marker", len(w.data))
	}
	marker = w.data[w.pos]
	w.pos++
	if marker == markerTEM || marker >= markerRST0 && marker <= markerEOI {
		return marker, nil, nil
	}
	if len(w.data)-w.pos < 2 {
		return 0, nil, invalid("the JPEG is cut: it ends at byte %d inside segment %02X", len(w.data), marker)
	}
	size := int(binary.BigEndian.Uint16(w.data[w.pos:]))
	if size < 2 {
		return 0, nil, invalid("the JPEG is corrupt: segment %02X at byte %d has length %d", marker, w.pos, size)
	}
	if size > len(w.data)-w.pos {
		return 0, nil, invalid("the JPEG is cut: segment %02X at byte %d needs %d bytes, %d are left", marker, w.pos, size, len(w.data)-w.pos)
	}
	body = w.data[w.pos+2 : w.pos+size]
	w.pos += size
	return marker, body, nil
}

func sniffJPEG(data []byte) (Header, error) {
	h := Header{Format: JPEG, Orientation: 1}
	walk := jpegWalk{data, 2}
	exif := false
	for range maxSegments {
		marker, body, err := walk.next()
		if err != nil {
			return h, err
		}
		switch {
		case marker == markerSOI:
			return h, invalid("the JPEG is corrupt: a second start marker before byte %d", walk.pos)
		case marker == markerEOI, marker == markerSOS:
			if h.Width == 0 {
				return h, invalid("the JPEG has no frame header before byte %d", walk.pos)
			}
			return h, nil
		case isFrame(marker):
			if h.Width != 0 {
				return h, invalid("the JPEG is corrupt: a second frame header before byte %d", walk.pos)
			}
			if err := h.readFrame(marker, body); err != nil {
				return h, err
			}
		case marker == markerAPP1 && !exif && starts(body, exifPrefix):
			exif = true
			h.Orientation = exifOrientation(body)
		}
	}
	return h, invalid("the JPEG has more than %d segments before its first scan", maxSegments)
}

func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= 0xCF && marker != markerDHT && marker != markerJPG && marker != markerDAC
}

// readFrame takes the size out of a SOFn segment: T.81 B.2.2.
func (h *Header) readFrame(marker byte, body []byte) error {
	switch marker {
	case markerSOF0, 0xC1, markerSOF2, 0xC9, 0xCA: // baseline, extended, progressive; the same with arithmetic coding
	default:
		return unsupported("lossless and hierarchical JPEG (SOF%d) is not served: send a baseline or progressive JPEG", marker-markerSOF0)
	}
	if len(body) < 6 {
		return invalid("the JPEG is corrupt: its frame header has %d bytes", len(body))
	}
	if body[0] != 8 {
		return unsupported("JPEG with %d bits a channel is not served: send one with 8", body[0])
	}
	height, width := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if width == 0 || height == 0 {
		return invalid("the JPEG claims to be %d x %d pixels", width, height)
	}
	components := int(body[5])
	if components != 1 && components != 3 && components != 4 {
		return unsupported("JPEG with %d channels is not served: send gray, colour or CMYK", components)
	}
	if len(body) != 6+3*components {
		return invalid("the JPEG is corrupt: its frame header has %d bytes for %d channels", len(body), components)
	}
	h.Width, h.Height = width, height
	return nil
}
