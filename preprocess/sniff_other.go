package preprocess

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// lookalike names what bytes that are no JPEG, PNG or WebP seem to be, for the error text alone.
func lookalike(data []byte) string {
	for _, known := range [...]struct{ magic, name string }{
		{"GIF87a", "GIF"}, {"GIF89a", "GIF"},
		{"II*\x00", "TIFF"}, {"MM\x00*", "TIFF"}, {"II+\x00", "BigTIFF"}, {"MM\x00+", "BigTIFF"},
		{"II\xbc\x01", "JPEG XR"}, {"\xff\x0a", "JPEG XL"}, {"\x00\x00\x00\x0cJXL ", "JPEG XL"},
		{"\x00\x00\x00\x0cjP  ", "JPEG 2000"}, {"\xff\x4f\xff\x51", "JPEG 2000"},
		{"%PDF", "PDF"}, {"%!PS", "PostScript"}, {"8BPS", "Photoshop (PSD)"}, {"gimp xcf", "GIMP (XCF)"},
		{"\x00\x00\x01\x00", "ICO"}, {"\x00\x00\x02\x00", "CUR"}, {"icns", "ICNS"},
		{"v/1\x01", "OpenEXR"}, {"#?RADIANCE", "Radiance HDR"}, {"#?RGBE", "Radiance HDR"}, {"qoif", "QOI"}, {"BPG\xfb", "BPG"},
		{"DDS ", "DDS"}, {"\x8aMNG", "MNG"}, {"\x8bJNG", "JNG"}, {"FLIF", "FLIF"}, {"\x59\xa6\x6a\x95", "Sun raster"},
		{"PK\x03\x04", "ZIP"}, {"\x1f\x8b", "gzip"}, {"\x7fELF", "a program"}, {"MZ", "a program"}, {"\x1aE\xdf\xa3", "Matroska or WebM video"},
		{"OggS", "Ogg"}, {"\x00\x00\x01\xba", "MPEG video"},
	} {
		if starts(data, known.magic) {
			return known.name
		}
	}
	switch {
	case starts(data, "BM") && len(data) >= 14 && bytes.Equal(data[6:10], make([]byte, 4)):
		return "BMP"
	case starts(data, "RIFF") && len(data) >= 12:
		return fmt.Sprintf("RIFF of kind %q", data[8:12])
	case len(data) >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' && bytes.IndexByte([]byte(" \t\r\n#"), data[2]) >= 0:
		return "PNM"
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return isoBrand(data)
	}
	return textual(data)
}

// isoBrand tells the users of the ISO base media container apart by their major brand.
func isoBrand(data []byte) string {
	switch brand := string(data[8:12]); brand {
	case "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1":
		return "HEIC"
	case "avif", "avis":
		return "AVIF"
	case "crx ":
		return "Canon raw (CR3)"
	default:
		return fmt.Sprintf("MP4 or QuickTime video (%q)", brand)
	}
}

// textual looks at the first kilobyte.
func textual(data []byte) string {
	head := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 1024)], []byte("\xef\xbb\xbf")), " \t\r\n"))
	switch {
	case bytes.Contains(head, []byte("<svg")):
		return "SVG"
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")):
		return "HTML"
	case bytes.HasPrefix(head, []byte("<?xml")):
		return "XML"
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte("[")):
		return "JSON"
	case bytes.HasPrefix(head, []byte("data:image/")):
		return "a data: URL"
	}
	if readable(data[:min(len(data), 1024)]) {
		return "this is text, not a picture; text"
	}
	return fmt.Sprintf("what begins with % x", data[:min(len(data), 8)])
}

// readable reports UTF-8 without control characters other than white space. The last character may be cut.
func readable(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		switch {
		case r == utf8.RuneError && n == 1:
			return len(head) < utf8.UTFMax && !utf8.FullRune(head)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f', r == 0x7f:
			return false
		}
		head = head[n:]
	}
	return true
}
