package gateway

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

const accepted = "image/jpeg, image/png, image/webp, application/octet-stream (a picture), multipart/form-data (field image), application/json"

// call is what one infer asks: its items in order and its options.
type call struct {
	items []item
	many  bool // the answer has results, even of one item
	opts  options
	body  *pipeline.Body // nil for a GET
	most  int            // pictures or rows
	at    string         // where in the body the items are, such as "body.images"; "" for the whole body

	urls    bool                                             // pictures may be named by URL
	remote  bool                                             // some are, and are to be fetched
	setting string                                           // that most comes from; "": limits.items
	foreign func(name, value string) (known bool, err error) // reads what else the query may hold; nil: only version
}

// item is one picture, row or set of tensors; err is set where it is already known to be bad.
type item struct {
	pipeline.Item
	name string // of the file; "" where there is none
	url  string // where the picture is fetched from; "" where it came with the call
	err  error
}

// release lets go of the body and of what was cut out of it.
func (c *call) release() {
	for i := range c.items {
		if b := c.items[i].Image; b != nil && b != c.body {
			b.Release()
		}
	}
	if c.body != nil {
		c.body.Release()
	}
}

// piece makes an item of a part of the body's bytes. The whole buffer stays as long as one piece is held.
func (c *call) piece(name string, data []byte) {
	c.body.Retain()
	c.items = append(c.items, item{Item: pipeline.Item{Image: pipeline.NewBody(data, c.body.Release).Within(c.body.Holds())}, name: name})
}

func (c *call) full() error {
	if len(c.items) < c.most {
		return nil
	}
	return c.tooMany()
}

func (c *call) tooMany() error {
	return fault.New(fault.TooLarge, "body_too_large", "one call takes at most %d pictures or rows; send the rest in another call (the operator raises %s)", c.most, cmp.Or(c.setting, "limits.items")).At("body", "too many items")
}

// readCall reads the body and the query of an infer by POST. On success the caller releases the call.
func (s *server) readCall(w http.ResponseWriter, r *http.Request) (*call, error) {
	c := &call{most: s.limits.Items}
	return c, s.readBody(w, r, c)
}

// readBody reads the body and the query into a call. On success the caller releases the call.
func (s *server) readBody(w http.ResponseWriter, r *http.Request, c *call) error {
	kind, params, err := mediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if err := uncoded(r.Header); err != nil {
		return err
	}
	if err := c.query(r); err != nil {
		return err
	}
	if c.body, err = s.bodies.read(w, r); err != nil {
		return err
	}
	switch kind {
	case multipartBody:
		err = c.readForm(params["boundary"])
	case jsonBody:
		c.urls = s.fetcher != nil
		if err = c.readJSON(); err == nil && c.remote {
			s.fetchAll(r.Context(), c)
		}
	default:
		c.items = append(c.items, item{Item: pipeline.Item{Image: c.body}})
	}
	if err != nil {
		c.release()
		return err
	}
	c.opts.fromHeader(r.Header)
	return nil
}

// uncoded refuses a body in a coding of transport.
func uncoded(h http.Header) error {
	if coding := h.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return fault.New(fault.Unsupported, "unsupported_media_type", "Content-Encoding %q is not taken; send the bytes as they are", clip(coding)).At("header.Content-Encoding", "not taken")
	}
	return nil
}

// query takes options out of the query; version is read by the caller.
func (c *call) query(r *http.Request) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	for _, pair := range q {
		if c.foreign != nil {
			switch known, err := c.foreign(pair.name, pair.value); {
			case err != nil:
				return err
			case known:
				continue
			}
		} else if pair.name == "version" {
			continue
		}
		index := optionIndex(pair.name)
		if index < 0 {
			others := []string{"version"}
			if c.foreign != nil {
				others = slices.Clone(jobParamNames)
			}
			return c.opts.unknown("query", pair.name, others...)
		}
		if err := c.opts.set(index, "query", pair.value); err != nil {
			return err
		}
	}
	return nil
}

// readRow reads an infer by GET: one row in the query. What is neither an option nor version is a column.
func readRow(r *http.Request, columns []string) (*call, error) {
	c := &call{}
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	row := &preprocess.Row{Named: map[string]any{}}
	for _, pair := range q {
		if pair.name == "version" {
			continue
		}
		if index := optionIndex(pair.name); index >= 0 {
			if err := c.opts.set(index, "query", pair.value); err != nil {
				return nil, err
			}
			continue
		}
		if before, twice := row.Named[pair.name]; twice && before != pair.value {
			return nil, badRow("query."+clip(pair.name), "column %q is given twice with different values", clip(pair.name))
		}
		row.Named[pair.name] = pair.value
	}
	if len(row.Named) == 0 {
		return nil, fault.New(fault.Invalid, "invalid_row", "the query holds no row; give each column as a parameter, such as ?%s=1", strings.Join(columns, "=1&")).At("query", "no row")
	}
	c.items = []item{{Item: pipeline.Item{Row: row}}}
	c.opts.fromHeader(r.Header)
	return c, nil
}

func badRow(location, format string, args ...any) *fault.Error {
	e := fault.New(fault.Invalid, "invalid_row", format, args...)
	return e.At(location, e.Detail)
}

const (
	imageBody bodyKind = iota
	multipartBody
	jsonBody
)

// readForm takes a multipart body apart: pictures from the fields image and file, options from the others.
func (c *call) readForm(boundary string) error {
	f, err := newForm(c.body.Bytes, boundary, c.most+otherParts)
	if err != nil {
		return err
	}
	c.at = "body.image"
	var names []string // fields that hold a file but have another name
	for {
		p, more, err := f.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		index := optionIndex(p.Name)
		switch {
		case p.Name == "image" || p.Name == "file":
			if err := c.full(); err != nil {
				return err
			}
			if len(p.Content) == 0 {
				c.items = append(c.items, item{err: fault.New(fault.Invalid, "invalid_request", "the field %s of the form is empty", p.Name)})
				continue
			}
			c.piece(p.FileName, p.Content)
		case p.File:
			names = append(names, clip(p.Name))
		case index < 0:
			return c.opts.unknown("body", p.Name, "image", "file")
		default:
			if err := c.opts.set(index, "body", string(p.Content)); err != nil {
				return err
			}
		}
	}
	switch {
	case len(names) > 0:
		return badOption("body."+names[0], "the form has a file in the field %q; the field is to be named image (or file)", names[0])
	case len(c.items) == 0:
		return badOption("body.image", "the form has no picture; send it in the field image (or file)")
	}
	c.many = len(c.items) > 1
	return nil
}
