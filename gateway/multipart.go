package gateway

import (
	"bytes"
	"mime"
	"strings"

	"triton-gateway/internal/fault"
)

const (
	otherParts     = 64       // that a form may have besides its pictures: its options
	maxPartHeaders = 16 << 10 // bytes of one part's header lines
)

// part is one part of a form. Content is a piece of the body's own buffer, not a copy.
type part struct {
	Name     string
	File     bool // it came with a file name
	FileName string
	Content  []byte
}

// form takes a multipart body apart in place, by the rules of mime/multipart: a preamble and an epilogue are skipped, a body
// that uses bare line feeds throughout is taken, and a boundary counts only at the start of a line.
type form struct {
	rest     []byte
	boundary []byte // "--" and the boundary
	newline  []byte // "\r\n", or "\n" in a body that uses it
	seen     int    // parts so far
	most     int    // parts that are taken
	crossed  bool   // an end of line after the last part has been read
}

// newForm starts on a body. boundary is the parameter of the media type, most the number of parts that are taken.
func newForm(body []byte, boundary string, most int) (*form, error) {
	if boundary == "" {
		return nil, fault.New(fault.Invalid, "invalid_request", "the Content-Type multipart/form-data has no boundary; let the HTTP client set this header itself").
			At("header.Content-Type", "no boundary")
	}
	return &form{rest: body, boundary: []byte("--" + boundary), newline: []byte("\r\n"), most: most}, nil
}

// next gives the next part; false after the last one.
func (f *form) next() (part, bool, error) {
	f.crossed = false
	for {
		line, whole := f.line()
		switch {
		case f.final(line):
			return part{}, false, nil
		case !whole:
			return part{}, false, f.broken("the form ends before its closing boundary; the upload was cut off, or the boundary in Content-Type is another one than in the body")
		case f.delimiter(line):
			f.seen++
			if f.seen > f.most {
				return part{}, false, fault.New(fault.TooLarge, "body_too_large", "the form has more than %d parts", f.most).At("body", "too many parts")
			}
			p, err := f.part()
			return p, err == nil, err
		case f.seen == 0: // preamble
		case !f.crossed && bytes.Equal(line, f.newline):
			f.crossed = true
		default:
			return part{}, false, f.broken("the form is malformed after part %d: a boundary line was expected", f.seen)
		}
	}
}

func (f *form) broken(format string, args ...any) error {
	return fault.New(fault.Invalid, "invalid_request", format, args...).At("body", "malformed multipart/form-data")
}

// line cuts the next line off, its end included. whole is false for a last line without an end.
func (f *form) line() (line []byte, whole bool) {
	i := bytes.IndexByte(f.rest, '\n')
	if i < 0 {
		line, f.rest = f.rest, nil
		return line, false
	}
	line, f.rest = f.rest[:i+1], f.rest[i+1:]
	return line, true
}

// delimiter reports whether line opens a part. The first one decides which end of line the body uses.
func (f *form) delimiter(line []byte) bool {
	if !bytes.HasPrefix(line, f.boundary) {
		return false
	}
	rest := bytes.TrimLeft(line[len(f.boundary):], " \t")
	if f.seen == 0 && string(rest) == "\n" {
		f.newline = f.newline[1:]
	}
	return bytes.Equal(rest, f.newline)
}

// final reports whether line is the closing boundary.
func (f *form) final(line []byte) bool {
	if !bytes.HasPrefix(line, f.boundary) {
		return false
	}
	rest, ok := bytes.CutPrefix(line[len(f.boundary):], []byte("--"))
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t")
	return len(rest) == 0 || bytes.Equal(rest, f.newline)
}

// part reads one part's header lines and finds its end.
func (f *form) part() (part, error) {
	disposition, err := f.headers()
	if err != nil {
		return part{}, err
	}
	kind, params, err := mime.ParseMediaType(disposition)
	if err != nil || kind != "form-data" || params["name"] == "" {
		return part{}, f.broken("part %d of the form has no name; each part needs a header such as Content-Disposition: form-data; name=\"image\"", f.seen)
	}
	name, file := params["filename"]
	content, err := f.content()
	return part{Name: params["name"], File: file, FileName: name, Content: content}, err
}

// headers reads the header lines of a part and gives its Content-Disposition.
func (f *form) headers() (disposition string, err error) {
	size, name, value := 0, "", ""
	keep := func() error {
		switch {
		case strings.EqualFold(name, "Content-Disposition") && disposition == "":
			disposition = value
		case strings.EqualFold(name, "Content-Transfer-Encoding"):
			switch strings.ToLower(value) {
			case "", "binary", "8bit", "7bit":
			default:
				return fault.New(fault.Unsupported, "unsupported_media_type", "part %d of the form uses Content-Transfer-Encoding %q; send the bytes as they are", f.seen, value).
					At("body", "Content-Transfer-Encoding")
			}
		}
		name = ""
		return nil
	}
	for {
		line, whole := f.line()
		size += len(line)
		if !whole || size > maxPartHeaders {
			return "", f.broken("the header lines of part %d of the form do not end", f.seen)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if name != "" && text != "" && (text[0] == ' ' || text[0] == '\t') { // a folded line
			value += " " + strings.TrimSpace(text)
			continue
		}
		if err = keep(); err != nil || text == "" {
			return disposition, err
		}
		var ok bool
		if name, value, ok = strings.Cut(text, ":"); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return "", f.broken("part %d of the form has a header line without a name", f.seen)
		}
		value = strings.TrimSpace(value)
	}
}

// content cuts the bytes of a part off, up to the line end before the next boundary.
func (f *form) content() ([]byte, error) {
	if f.ends(f.rest) {
		return f.rest[:0:0], nil
	}
	for at := 0; ; {
		i := bytes.Index(f.rest[at:], f.boundary)
		if i < 0 {
			return nil, f.broken("the form ends inside part %d; the upload was cut off", f.seen)
		}
		i += at
		at = i + 1
		start := i - len(f.newline)
		if start < 0 || !bytes.Equal(f.rest[start:i], f.newline) || !f.ends(f.rest[i:]) {
			continue
		}
		content := f.rest[:start:start]
		f.rest = f.rest[start:]
		return content, nil
	}
}

// ends reports whether b starts with a boundary and not merely with a longer word that starts like it.
func (f *form) ends(b []byte) bool {
	if !bytes.HasPrefix(b, f.boundary) {
		return false
	}
	b = b[len(f.boundary):]
	if len(b) == 0 {
		return true
	}
	switch b[0] {
	case ' ', '\t', '\r', '\n':
		return true
	case '-':
		return len(b) > 1 && b[1] == '-'
	}
	return false
}
