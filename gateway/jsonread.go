package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

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
		if i >= r.call.most && (place == "body.images" || place == "body.rows") {
			return r.call.tooMany()
		}
		if err := do(place + "[" + strconv.Itoa(i) + "]"); err != nil {
			return err
		}
	}
	_, err = r.ReadToken()
	return r.syntax(err)
}

// image reads {"base64":"..."} or {"url":"..."}.
func (r *jsonReader) image(place string) error {
	found := false
	err := r.object(place, func(name string) error {
		here := place + "." + clip(name)
		if name != "base64" && name != "url" {
			return badOption(here, "a picture is {\"base64\":\"...\"} or {\"url\":\"...\"}; %q is not known here", clip(name))
		}
		if name == "url" && !r.call.urls {
			return badOption(here, "pictures are not fetched by URL here; send base64, or have the operator set fetch.enabled")
		}
		if found {
			return badOption(place, "a picture has either base64 or url, not both")
		}
		found = true
		v, err := r.ReadValue()
		if err != nil {
			return r.syntax(err)
		}
		if v.Kind() != '"' || len(v) == 2 {
			return badOption(here, "%s is to be a text that is not empty", name)
		}
		if name == "base64" {
			r.wait = append(r.wait, awaited{b64: v})
			return nil
		}
		text, err := jsontext.AppendUnquote(nil, v)
		r.wait = append(r.wait, awaited{url: string(text)})
		return r.syntax(err)
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
	if r.cells++; r.cells > maxCells {
		return nil, fault.New(fault.TooLarge, "body_too_large", "the rows of one call hold at most %d values; send the rest in another call", maxCells).At("body", "too many values")
	}
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
