package kserve

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"triton-gateway/internal/fault"
)

// repositoryIndex lists the models; {"ready":true} in the body asks for those alone that can be asked.
func (h *httpSide) repositoryIndex(ctx context.Context, c *httpCall) error {
	ready := false
	err := h.document(ctx, c, func(r *jsonReader, key []byte) (err error) {
		if string(key) != "ready" {
			return r.skip()
		}
		ready, err = r.boolean()
		return err
	})
	if err != nil {
		return err
	}
	b := []byte{'['}
	for i, m := range h.index(ready) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), []byte(m.Name))
		if m.Version != "" {
			b = appendString(append(b, `,"version":`...), []byte(m.Version))
		}
		b = appendString(append(b, `,"state":`...), []byte(m.State))
		if m.Reason != "" {
			b = appendString(append(b, `,"reason":`...), []byte(m.Reason))
		}
		b = append(b, '}')
	}
	c.send(http.StatusOK, append(b, ']'))
	return nil
}

// document reads a small JSON body: an object, or nothing. member has to read each value.
func (h *httpSide) document(ctx context.Context, c *httpCall, member func(r *jsonReader, key []byte) error) error {
	if c.r.ContentLength == 0 {
		return nil
	}
	c.early = true
	memory, room, err := h.body(ctx, c.ResponseWriter, c.r)
	if err != nil {
		return err
	}
	c.early = false
	defer memory.Release()
	if len(room) == rawRoom {
		return nil
	}
	r := &jsonReader{b: room[rawRoom:]}
	if err := r.object("the request", func(key []byte) error { return member(r, key) }); err != nil {
		return err
	}
	return r.end()
}

// load loads a model on every server behind the gateway; what failed on some is told server by server.
func (h *httpSide) load(ctx context.Context, c *httpCall) error {
	c.early = true
	controller, err := h.controller(operator(ctx, h.admin))
	if err != nil {
		return err
	}
	var params map[string]any
	err = h.document(ctx, c, func(r *jsonReader, key []byte) error {
		if string(key) != "parameters" || params != nil {
			return r.skip()
		}
		params = map[string]any{}
		return r.object("the parameters", func(key []byte) error { return loadParameter(r, params, string(key)) })
	})
	if err == nil {
		err = perServer(controller.Load(ctx, c.model, params))
	}
	if err != nil {
		return err
	}
	c.early, c.known = false, true
	c.send(http.StatusOK, nil)
	return nil
}

// loadParameter reads one parameter of a load: config, JSON in a string, or file:VERSION/NAME, base64.
func loadParameter(r *jsonReader, params map[string]any, name string) error {
	if len(params) >= maxParams {
		return r.fail("the request has more than %d parameters", maxParams)
	}
	s, err := r.str()
	switch {
	case err != nil:
		return err
	case name == "config":
		params[name] = string(s)
	case strings.HasPrefix(name, "file:"):
		file, err := base64.StdEncoding.AppendDecode(nil, s)
		if err != nil {
			return invalid("parameters."+clip(name), "Unable to parse '%s': it is not base64", clip(name))
		}
		params[name] = file
	default:
		return invalid("parameters."+clip(name), "unknown parameter '%s'; load takes config, and file:VERSION/NAME", clip(name))
	}
	return nil
}

func (h *httpSide) unload(ctx context.Context, c *httpCall) error {
	c.early = true
	controller, err := h.controller(operator(ctx, h.admin))
	if err != nil {
		return err
	}
	dependents := false
	err = h.document(ctx, c, func(r *jsonReader, key []byte) error {
		if string(key) != "parameters" {
			return r.skip()
		}
		return r.object("the parameters", func(key []byte) (err error) {
			if string(key) != "unload_dependents" {
				return r.skip()
			}
			dependents, err = r.boolean()
			return about("unload_dependents", err)
		})
	})
	if err == nil {
		err = perServer(controller.Unload(ctx, c.model, dependents))
	}
	if err != nil {
		return err
	}
	c.early = false
	c.send(http.StatusOK, nil)
	return nil
}

// perServer puts what each server said into the text, the one thing that {"error":"..."} has room for.
func perServer(err error) error {
	f, ok := err.(*fault.Error) //nolint:errorlint // a wrapped one is no answer of a Controller
	if !ok || f.Code != "replica_failed" {
		return err
	}
	var text strings.Builder
	text.WriteString(f.Detail)
	for i, field := range f.Fields {
		text.WriteString(map[bool]string{true: ": ", false: "; "}[i == 0])
		text.WriteString(field.Location + ": " + field.Message)
	}
	clone := *f
	clone.Detail = text.String()
	return &clone
}
