package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// input is what a JSON body holds; one body holds one of them.
const (
	memberImage  = "image"
	memberImages = "images"
	memberRow    = "row"
	memberRows   = "rows"
	memberInputs = "inputs" // KServe v2
)

// jsonReader walks through a JSON body strictly: no name twice, valid UTF-8, nothing after the end. Values are pieces of the body's own buffer.
type jsonReader struct {
	*jsontext.Decoder
	call *call
	have string   // the member with the input
	b64  [][]byte // pictures that wait for decoding, quotes included; decoding overwrites the body
}

// readJSON takes a JSON body apart.
func (c *call) readJSON() error {
	r := &jsonReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(c.body.Bytes)), call: c}
	if r.PeekKind() != '{' {
		if _, err := r.ReadToken(); err != nil {
			return r.syntax(err)
		}
		return badOption("body", "the JSON body is to be an object, such as {\"image\":{\"base64\":\"...\"}} or {\"row\":{...}}")
	}
	if err := r.object("body", r.member); err != nil {
		return err
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		return badOption("body", "there is something after the end of the JSON object")
	}
	for i, text := range r.b64 {
		data, err := decodeBase64(text)
		if err != nil {
			c.items = append(c.items, item{err: badOption(r.place(i), "%s", err)})
			continue
		}
		c.piece(data)
	}
	if len(c.items) == 0 {
		if r.have != "" {
			return badOption("body."+r.have, "%s is empty", r.have)
		}
		return badOption("body", "the JSON body holds no input; give one of image, images, row, rows, or inputs for a raw model")
	}
	c.many = r.have == memberImages || r.have == memberRows
	return nil
}

func (r *jsonReader) place(i int) string {
	if r.have == memberImages {
		return fmt.Sprintf("body.images[%d].base64", i)
	}
	return "body.image.base64"
}

// member reads one member of the body.
func (r *jsonReader) member(name string) error {
	switch name {
	case memberImage, memberImages, memberRow, memberRows, memberInputs:
		if r.have != "" {
			return fault.New(fault.Invalid, "invalid_request", "the body holds both %s and %s; give one of them", r.have, name).
				At("body."+r.have, "contradicts body."+name).At("body."+name, "contradicts body."+r.have)
		}
		r.have = name
	}
	switch name {
	case memberImage:
		return r.image("body.image")
	case memberImages:
		return r.list("body.images", r.image)
	case memberRow:
		return r.row("body.row")
	case memberRows:
		return r.list("body.rows", r.row)
	case memberInputs:
		return r.inputs()
	case "id", "parameters", "outputs": // of a KServe v2 body; outputs are always all, ids are the gateway's
		return r.syntax(r.SkipValue())
	}
	index := optionIndex(name)
	if index < 0 {
		return r.call.opts.unknown("body", name, memberImage, memberImages, memberRow, memberRows, memberInputs)
	}
	return r.option(index)
}

// option reads an option: a number, a text, or for classes also a list of texts.
func (r *jsonReader) option(index int) error {
	place := "body." + optionNames[index]
	if r.PeekKind() == '[' && index == optClasses {
		var all []string
		err := r.list(place, func(place string) error {
			t, err := r.ReadToken()
			if err != nil {
				return r.syntax(err)
			}
			if t.Kind() != '"' || strings.Contains(t.String(), ",") {
				return badOption(place, "classes are texts without commas")
			}
			all = append(all, t.String())
			return nil
		})
		if err != nil {
			return err
		}
		return r.call.opts.set(index, "body", strings.Join(all, ","))
	}
	t, err := r.ReadToken()
	if err != nil {
		return r.syntax(err)
	}
	text := index == optClasses || index == optCache
	if k := t.Kind(); text && k != '"' || !text && k != '0' {
		return badOption(place, "%s is to be %s", optionNames[index], map[bool]string{true: "a text", false: "a number"}[text])
	}
	return r.call.opts.set(index, "body", t.String())
}

// object reads an object and calls do with the name of each member; do reads the value.
func (r *jsonReader) object(place string, do func(name string) error) error {
	t, err := r.ReadToken()
	if err != nil {
		return r.syntax(err)
	}
	if t.Kind() != '{' {
		return badOption(place, "%s is to be an object", place)
	}
	for {
		t, err := r.ReadToken()
		if err != nil {
			return r.syntax(err)
		}
		if t.Kind() == '}' {
			return nil
		}
		if err := do(t.String()); err != nil {
			return err
		}
	}
}

// list reads an array and calls do with the place of each entry; do reads it.
func (r *jsonReader) list(place string, do func(place string) error) error {
	t, err := r.ReadToken()
	if err != nil {
		return r.syntax(err)
	}
	if t.Kind() != '[' {
		return badOption(place, "%s is to be a list", place)
	}
	for i := 0; r.PeekKind() != ']'; i++ {
		if r.PeekKind() == 0 { // not JSON; reading tells why
			_, err := r.ReadToken()
			return r.syntax(err)
		}
		if i >= maxItems && place != "body.inputs" {
			return r.call.full()
		}
		if err := do(place + "[" + strconv.Itoa(i) + "]"); err != nil {
			return err
		}
	}
	_, err = r.ReadToken()
	return r.syntax(err)
}

// image reads {"base64":"..."}.
func (r *jsonReader) image(place string) error {
	found := false
	err := r.object(place, func(name string) error {
		if name != "base64" {
			return badOption(place+"."+clip(name), "a picture is {\"base64\":\"...\"}; %q is not known here", clip(name))
		}
		found = true
		v, err := r.ReadValue()
		if err != nil {
			return r.syntax(err)
		}
		if v.Kind() != '"' || len(v) == 2 {
			return badOption(place+".base64", "base64 is to be a text that is not empty")
		}
		r.b64 = append(r.b64, v)
		return nil
	})
	if err == nil && !found {
		return badOption(place, "a picture is {\"base64\":\"...\"}; base64 is missing")
	}
	return err
}

// row reads one row: an object by column name, or a list in the order of the columns.
func (r *jsonReader) row(place string) error {
	row := &preprocess.Row{}
	var err error
	switch r.PeekKind() {
	case '{':
		row.Named = map[string]any{}
		err = r.object(place, func(name string) (err error) {
			row.Named[name], err = r.cell()
			return err
		})
	case '[':
		row.Positional = []any{}
		err = r.list(place, func(string) error {
			v, err := r.cell()
			row.Positional = append(row.Positional, v)
			return err
		})
	case 0:
		_, err := r.ReadToken()
		return r.syntax(err)
	default:
		r.call.items = append(r.call.items, item{err: badRow(place, "a row is an object by column name, or a list in the order of the columns")})
		return r.syntax(r.SkipValue())
	}
	r.call.items = append(r.call.items, item{Item: pipeline.Item{Row: row}})
	return err
}

// cell reads one value of a row. Whether it fits its column is not decided here, so that one bad row fails alone. Numbers stay
// text: an INT64 column keeps all its digits.
func (r *jsonReader) cell() (any, error) {
	if k := r.PeekKind(); k == '{' || k == '[' {
		return []any{}, r.syntax(r.SkipValue())
	}
	t, err := r.ReadToken()
	if err != nil {
		return nil, r.syntax(err)
	}
	switch t.Kind() {
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil
}

// syntax explains an error of the reader; nil stays nil.
func (r *jsonReader) syntax(err error) error {
	if err == nil {
		return nil
	}
	at, why := "body", err.Error()
	var bad *jsontext.SyntacticError
	if errors.As(err, &bad) {
		at, why = "body"+strings.ReplaceAll(string(bad.JSONPointer), "/", "."), "near byte "+strconv.FormatInt(bad.ByteOffset, 10)
		if bad.Err != nil {
			why = bad.Err.Error() + " " + why
		}
	} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		why = "it ends too early"
	}
	return fault.New(fault.Invalid, "invalid_request", "the body is not valid JSON: %s", strings.ToValidUTF8(why, "?")).At(clip(at), "not valid JSON").Wrap(err)
}

// decodeBase64 decodes a JSON string of base64 in place: the result lies in text's own memory, which it overwrites. Both alphabets,
// missing padding, line breaks, and a data: URL's head are taken.
func decodeBase64(text []byte) ([]byte, error) {
	text = text[1 : len(text)-1]
	if bytes.HasPrefix(text, []byte("data:")) {
		_, after, ok := bytes.Cut(text, []byte(";base64,"))
		if !ok {
			return nil, errors.New("a data: URL is to say ;base64,")
		}
		text = after
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		var err error
		if text, err = unescapeBase64(text); err != nil {
			return nil, err
		}
	}
	text = bytes.TrimRight(text, "=\r\n")
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	// The decoder writes at most 8 bytes for the 8 characters that it has just read, and never gets ahead of them.
	n, err := encoding.Decode(text, text)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	if n == 0 {
		return nil, errors.New("base64 of nothing")
	}
	return text[:n:n], nil
}

// unescapeBase64 resolves in place the only escapes that occur in base64: a slash, and line breaks, which are dropped.
func unescapeBase64(text []byte) ([]byte, error) {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case '/':
			out = append(out, '/')
		case 'n', 'r':
		default:
			return nil, errors.New("not base64: it has escapes")
		}
	}
	return out, nil
}
