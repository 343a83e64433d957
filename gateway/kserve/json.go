package kserve

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"triton-gateway/internal/fault"
)

// jsonDepth is how deep arrays and objects may lie in each other.
const jsonDepth = 32

// jsonReader reads JSON (RFC 8259) in place, front to back: nothing is built that is not asked for. Beyond the RFC it takes NaN, Infinity and
// Inf as numbers, as Triton does.
type jsonReader struct {
	b     []byte
	i     int
	depth int
}

func (r *jsonReader) fail(format string, args ...any) *fault.Error {
	return r.failAt(r.i, format, args...)
}

func (r *jsonReader) failAt(at int, format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, "invalid_request", format, args...)
	f.Detail = "failed to parse the request JSON: " + f.Detail + " at byte " + strconv.Itoa(at)
	return f
}

// peek gives the next byte that is not white space, or 0 at the end.
func (r *jsonReader) peek() byte {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// take reads one byte that has to come next.
func (r *jsonReader) take(c byte) error {
	if r.peek() != c || r.i >= len(r.b) {
		return r.expected("'" + string(c) + "'")
	}
	r.i++
	return nil
}

func (r *jsonReader) expected(what string) error {
	if r.i >= len(r.b) {
		return r.fail("it ends where %s should come", what)
	}
	return r.fail("%s should come, not %s", what, strconv.QuoteToASCII(string(r.b[r.i])))
}

func (r *jsonReader) enter() error {
	if r.depth++; r.depth > jsonDepth {
		return r.fail("arrays and objects may lie %d deep in each other, not deeper", jsonDepth)
	}
	r.i++
	return nil
}

// object reads an object; member has to read the value of each key. A key may be used until member returns.
func (r *jsonReader) object(what string, member func(key []byte) error) error {
	if r.peek() != '{' {
		return r.expected("an object, " + what + ",")
	}
	if err := r.enter(); err != nil {
		return err
	}
	if r.peek() != '}' {
		for {
			if r.peek() != '"' {
				return r.expected("a member's name")
			}
			key, err := r.str()
			if err != nil {
				return err
			}
			if err := r.take(':'); err != nil {
				return err
			}
			if err := member(key); err != nil {
				return err
			}
			if r.peek() != ',' {
				break
			}
			r.i++
		}
	}
	r.depth--
	return r.take('}')
}

// array reads an array; element has to read each element.
func (r *jsonReader) array(what string, element func(i int) error) error {
	if r.peek() != '[' {
		return r.expected("an array, " + what + ",")
	}
	if err := r.enter(); err != nil {
		return err
	}
	if r.peek() != ']' {
		for i := 0; ; i++ {
			if err := element(i); err != nil {
				return err
			}
			if r.peek() != ',' {
				break
			}
			r.i++
		}
	}
	r.depth--
	return r.take(']')
}

// end is nil if nothing but white space is left.
func (r *jsonReader) end() error {
	if r.peek(); r.i < len(r.b) {
		return r.fail("there is more after its end, from %s", strconv.QuoteToASCII(string(r.b[r.i])))
	}
	return nil
}

// skip reads any value and checks that it is one.
func (r *jsonReader) skip() error {
	switch c := r.peek(); c {
	case '{':
		return r.object("any", func([]byte) error { return r.skip() })
	case '[':
		return r.array("any", func(int) error { return r.skip() })
	case '"':
		_, err := r.str()
		return err
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	default:
		_, err := r.number()
		return err
	}
}

func (r *jsonReader) word(w string) error {
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return r.expected(w)
	}
	r.i += len(w)
	return nil
}

// boolean reads true or false.
func (r *jsonReader) boolean() (bool, error) {
	switch r.peek() {
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	}
	return false, r.expected("true or false")
}

// number reads a number and gives its text. Not-a-number and the infinities are numbers here.
func (r *jsonReader) number() ([]byte, error) {
	r.peek()
	from := r.i
	var n jsonNumber
	r.scan(&n)
	if n.end == from {
		return nil, r.expected("a value")
	}
	r.i = n.end
	if n.bad {
		return nil, r.failAt(from, "%s is no number", clipped(r.b[from:min(len(r.b), n.end+1)]))
	}
	return r.b[from:n.end], nil
}

// str reads a string. Where nothing is escaped in it, it is part of the text itself.
func (r *jsonReader) str() ([]byte, error) {
	if r.peek() != '"' {
		return nil, r.expected("a string")
	}
	from := r.i + 1
	ascii := byte(0)
	for i := from; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			r.i = i + 1
			s := r.b[from:i:i]
			if ascii >= utf8.RuneSelf && !utf8.Valid(s) {
				return nil, r.failAt(from, "the string is not UTF-8 (bytes of any kind can be sent as binary data)")
			}
			return s, nil
		case c == '\\':
			return r.escaped(from, i)
		case c < ' ':
			return nil, r.failAt(i, "a string holds the control character 0x%02x, which has to be escaped", c)
		default:
			ascii |= c
		}
	}
	return nil, r.failAt(len(r.b), "it ends within a string")
}

// escaped reads the rest of a string from its first backslash on, into memory of its own.
func (r *jsonReader) escaped(from, at int) ([]byte, error) {
	out := append(make([]byte, 0, 2*(at-from)+16), r.b[from:at]...)
	for i := at; i < len(r.b); {
		switch c := r.b[i]; {
		case c == '"':
			r.i = i + 1
			if !utf8.Valid(out) {
				return nil, r.failAt(from, "the string is not UTF-8 (bytes of any kind can be sent as binary data)")
			}
			return out, nil
		case c < ' ':
			return nil, r.failAt(i, "a string holds the control character 0x%02x, which has to be escaped", c)
		case c != '\\':
			out = append(out, c)
			i++
			continue
		case i+1 >= len(r.b):
			return nil, r.failAt(i, "it ends within a string")
		}
		switch c := r.b[i+1]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			c, n := r.unicode(i)
			if n == 0 {
				return nil, r.failAt(i, "a string has an escape that names no character")
			}
			out = utf8.AppendRune(out, c)
			i += n
			continue
		default:
			return nil, r.failAt(i, "a string has the unknown escape %s", strconv.QuoteToASCII(`\`+string(c)))
		}
		i += 2
	}
	return nil, r.failAt(len(r.b), "it ends within a string")
}

// unicode decodes \uXXXX, or a pair of them, at i. n is how long it is; 0 for one that is wrong.
func (r *jsonReader) unicode(i int) (c rune, n int) {
	first := r.hex(i)
	switch {
	case first < 0:
		return 0, 0
	case !utf16.IsSurrogate(first):
		return first, 6
	}
	if c = utf16.DecodeRune(first, r.hex(i+6)); c == utf8.RuneError {
		return 0, 0
	}
	return c, 12
}

// hex reads \uXXXX at i; -1 if something else is there.
func (r *jsonReader) hex(i int) rune {
	if i+6 > len(r.b) || r.b[i] != '\\' || r.b[i+1] != 'u' {
		return -1
	}
	v := rune(0)
	for _, c := range r.b[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		v = v<<4 | rune(c)
	}
	return v
}

// whole reads a number that is a whole one from 0 to the largest uint64.
func (r *jsonReader) whole() (uint64, error) {
	r.peek()
	from := r.i
	var n jsonNumber
	r.scan(&n)
	if n.end == from {
		return 0, r.expected("a whole number")
	}
	v, ok := n.unsigned(r.b[from:n.end], math.MaxUint64)
	if !ok {
		return 0, r.failAt(from, "a whole number of 0 or more should come, not %s", clipped(r.b[from:n.end]))
	}
	r.i = n.end
	return v, nil
}

// clipped quotes what a caller sent, so much of it as an error can hold.
func clipped(b []byte) string {
	const most = 40
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "..."
	}
	return strconv.QuoteToASCII(string(b))
}
