package gateway

import (
	"errors"
	"fmt"
	"strings"

	"triton-gateway/internal/fault"
)

// locate turns the places that the pipeline knows, such as top_k or petal_width, into places of the request, such as query.top_k or body.rows[3].petal_width.
func (c *call) locate(err error, item int) error {
	var f *fault.Error
	if err == nil || !errors.As(err, &f) {
		return err
	}
	switch f.Kind {
	case fault.Invalid, fault.Unsupported, fault.TooLarge: // of the item's bytes
	default:
		if len(f.Fields) == 0 {
			return err
		}
	}
	moved := *f
	moved.Fields = nil
	for _, field := range f.Fields {
		at := c.place(field.Location, item)
		if rest, ok := strings.CutPrefix(moved.Detail, field.Location+": "); ok { // a detail that begins with the place
			moved.Detail = at + ": " + rest
		}
		field.Location = at
		moved.Fields = append(moved.Fields, field)
	}
	if len(moved.Fields) == 0 {
		moved.Fields = []fault.Field{{Location: c.place("", item), Message: f.Detail}}
	}
	moved.Err = err
	return &moved
}

func (c *call) place(location string, item int) string {
	if strings.HasPrefix(location, "query.") || strings.HasPrefix(location, "body.") || strings.HasPrefix(location, "header.") {
		return location
	}
	name, entry := location, "" // classes[1]
	if i := strings.IndexByte(location, '['); i > 0 {
		name, entry = location[:i], location[i:]
	}
	if index := optionIndex(name); index >= 0 && c.opts.place[index] != "" {
		if !c.opts.listed || c.opts.place[index] != "body.classes" {
			entry = "" // entries of a text have no place of their own
		}
		return c.opts.place[index] + entry
	}
	base := c.at
	switch {
	case c.body == nil:
		base = "query"
	case base == "":
		base = "body"
	case c.many:
		base = fmt.Sprintf("%s[%d]", base, item)
	}
	if location == "" || location == "body" {
		return base
	}
	if location = strings.TrimPrefix(location, "row."); strings.HasPrefix(location, "[") {
		return base + location
	}
	return base + "." + location
}
