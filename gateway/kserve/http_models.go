package kserve

import (
	"context"
	"net/http"
	"strconv"

	"triton-gateway/internal/fault"
)

// live answers as long as there is anybody to answer.
func (h *httpSide) live(_ context.Context, c *httpCall) error {
	c.empty(http.StatusOK)
	return nil
}

// serverReady answers 200 or, as Triton does, 400, both without a body.
func (h *httpSide) serverReady(_ context.Context, c *httpCall) error {
	if h.ready() != nil {
		c.empty(http.StatusBadRequest)
	} else {
		c.empty(http.StatusOK)
	}
	return nil
}

// isReady answers 200 or, whatever the reason, 400.
func (h *httpSide) isReady(_ context.Context, c *httpCall) error {
	err := h.modelReady(c.model, c.version)
	c.known = err == nil
	switch k := fault.KindOf(err); {
	case err == nil:
		c.empty(http.StatusOK)
	case k == fault.NotFound || k == fault.Unavailable || k == fault.Invalid:
		_, text, _ := h.failure(err)
		c.send(http.StatusBadRequest, appendMember([]byte(`{"error":`), "Model version not ready: "+text))
	default:
		return err
	}
	return nil
}

// empty answers without a body.
func (c *httpCall) empty(status int) {
	c.Header()["Content-Length"] = []string{"0"}
	c.WriteHeader(status)
}

// serverName is what the server's metadata say.
const serverName = "triton-gateway"

func (h *httpSide) serverMetadata(_ context.Context, c *httpCall) error {
	b := appendString([]byte(`{"name":`), []byte(serverName))
	b = appendString(append(b, `,"version":`...), []byte(h.Version))
	b = appendStrings(append(b, `,"extensions":`...), extensions())
	c.send(http.StatusOK, append(b, '}'))
	return nil
}

func (h *httpSide) modelMetadata(_ context.Context, c *httpCall) error {
	info, err := h.metadata(c.model, c.version)
	if err != nil {
		return err
	}
	c.known = true
	b := appendString([]byte(`{"name":`), []byte(info.Name))
	b = appendStrings(append(b, `,"versions":`...), info.Versions)
	b = appendString(append(b, `,"platform":`...), []byte(info.Platform))
	b = appendTensors(append(b, `,"inputs":`...), info.Inputs)
	b = appendTensors(append(b, `,"outputs":`...), info.Outputs)
	c.send(http.StatusOK, append(b, '}'))
	return nil
}

func appendTensors(b []byte, list []tensorInfo) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), []byte(list[i].Name))
		b = appendString(append(b, `,"datatype":`...), []byte(list[i].Datatype))
		b = append(appendInts(append(b, `,"shape":`...), list[i].Shape), '}')
	}
	return append(b, ']')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, []byte(s))
	}
	return append(b, ']')
}

func appendInts(b []byte, list []int64) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return append(b, ']')
}

func (h *httpSide) modelConfig(_ context.Context, c *httpCall) error {
	config, err := h.configuration(c.model, c.version)
	if err != nil {
		return err
	}
	c.known = true
	c.send(http.StatusOK, config.JSON())
	return nil
}
