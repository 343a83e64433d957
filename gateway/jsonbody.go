package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/internal/fault"
)

// input is what a JSON body holds; one body holds one of them.
const (
	memberImage  = "image"
	memberImages = "images"
	memberRow    = "row"
	memberRows   = "rows"
	memberInputs = "inputs" // KServe v2
)

// maxCells bounds the values of all rows of a call: each takes some 50 bytes of memory, and as few as two of the body.
const maxCells = 1 << 20

// jsonReader walks through a JSON body strictly: no name twice, valid UTF-8, nothing after the end. Values are pieces of the body's own buffer.
type jsonReader struct {
	*jsontext.Decoder
	call  *call
	have  string // the member with the input
	cells int    // of all rows
	wait  []awaited
}

// awaited is a picture that waits until the whole body is known to be right.
type awaited struct {
	b64 []byte // quotes included; decoding it overwrites the body
	url string // where it is to be fetched from; "" for one that is here
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
	if r.have != memberInputs {
		c.at = "body." + r.have
	}
	for i, p := range r.wait {
		if p.url != "" {
			c.items, c.remote = append(c.items, item{url: p.url}), true
			continue
		}
		data, err := decodeBase64(p.b64)
		if err != nil {
			c.items = append(c.items, item{err: badOption(r.place(i), "%s", err)})
			continue
		}
		c.piece("", data)
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
			if len(all) == 1<<16 {
				return badOption(place, "more than %d classes", len(all))
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
		r.call.opts.listed = true
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
