package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/fault"
)

// mostParams bounds the parameters of one request, and the outputs that it names.
const mostParams = 64

// aggregateOf reads whether all responses are wanted in one answer.
func aggregateOf(r *http.Request) (bool, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return false, err
	}
	aggregate := false
	for _, pair := range q {
		switch pair.name {
		case "version", paramPriority: // they are read elsewhere
		case "aggregate":
			if aggregate, err = strconv.ParseBool(pair.value); err != nil {
				return false, badOption("query.aggregate", "aggregate is %q; write true or false", clip(pair.value))
			}
		default:
			return false, badOption("query."+clip(pair.name), "the query has no parameter %q; known are aggregate, priority and version", clip(pair.name))
		}
	}
	return aggregate, nil
}

// receiveTensors asks for a place, reads a body with tensors and checks it against the model's config. On success the caller calls release at the end of the work.
func (s *server) receiveTensors(c *gin.Context, model, version string) (_ *backend.Request, release func(), err error) {
	kind, _, err := mediaType(c.Request.Header.Get("Content-Type"))
	if err == nil && kind != jsonBody || err != nil && faultOf(err).Kind == fault.Unsupported {
		err = fault.New(fault.Unsupported, "unsupported_media_type", "a stream is asked for with tensors; send application/json with inputs, as KServe v2 has them").At("header.Content-Type", "not taken")
	}
	if err == nil {
		err = uncoded(c.Request.Header)
	}
	if err != nil {
		return nil, nil, err
	}
	r := &backend.Request{Model: model, Version: version, ID: requestID(c)}
	release, err = s.places.Receive(c.Request.ContentLength,
		func(bytes int64) (func(), error) {
			return s.runner.Admit(c.Request.Context(), model, version, min(bytes, s.limits.Body))
		},
		func() (int64, error) {
			body, err := s.bodies.read(c.Writer, c.Request)
			if err != nil {
				return 0, err
			}
			defer body.Release() // the tensors have memory of their own
			return int64(len(body.Bytes)), readTensors(body.Bytes, r)
		})
	if err != nil {
		return nil, nil, err
	}
	if err = s.suits(r); err != nil {
		release()
		return nil, nil, err
	}
	return r, release, nil
}

// suits refuses what the model would refuse, while the answer can still have a status.
func (s *server) suits(r *backend.Request) error {
	m, err := s.models.Lookup(r.Model)
	if err != nil {
		return err
	}
	if err := kserve.CheckParams(r.Params); err != nil {
		return err
	}
	return backend.Check(m.Config, r)
}

// readTensors reads the JSON body of KServe v2.
func readTensors(body []byte, into *backend.Request) error {
	t := tensorReader{jsonReader: jsonReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body)), call: &call{}}, into: into}
	if err := t.object("body", t.member); err != nil {
		return err
	}
	if _, err := t.ReadToken(); !errors.Is(err, io.EOF) {
		return badOption("body", "there is something after the end of the JSON object")
	}
	if !t.given {
		return badOption("body.inputs", "the body has no inputs; give the tensors of the model, as KServe v2 has them")
	}
	if len(t.call.items) > 0 {
		into.Inputs = t.call.items[0].Tensors
	}
	return nil
}

// tensorReader reads the members of a body that holds tensors.
type tensorReader struct {
	jsonReader
	into  *backend.Request
	given bool // inputs
}

func (t *tensorReader) member(name string) error {
	switch name {
	case memberInputs:
		t.given = true
		return t.inputs()
	case "parameters":
		return t.object("body.parameters", t.parameter)
	case "outputs":
		return t.list("body.outputs", t.output)
	case "id": // the gateway's own is in the answer
		return t.syntax(t.SkipValue())
	}
	return badOption("body."+clip(name), "the body has inputs, outputs, parameters and id; %q is not known", clip(name))
}

// parameter reads one parameter of the request.
func (t *tensorReader) parameter(name string) error {
	place := "body.parameters." + clip(name)
	token, err := t.ReadToken()
	if err != nil {
		return t.syntax(err)
	}
	if len(t.into.Params) >= mostParams {
		return badOption("body.parameters", "more than %d parameters", mostParams)
	}
	var value any
	switch token.Kind() {
	case '"':
		value = token.String()
	case 't', 'f':
		value = token.Bool()
	case '0':
		if n, err := strconv.ParseInt(token.String(), 10, 64); err == nil {
			value = n
		} else if v, err := strconv.ParseFloat(token.String(), 64); err == nil {
			value = v
		} else {
			return badOption(place, "the number %s is too large", clip(token.String()))
		}
	default:
		return badOption(place, "a parameter is a text, a number, true or false")
	}
	if t.into.Params == nil {
		t.into.Params = map[string]any{}
	}
	t.into.Params[name] = value
	return nil
}

// output reads one output that is asked for.
func (t *tensorReader) output(place string) error {
	if len(t.into.Outputs) >= mostParams {
		return badOption("body.outputs", "more than %d outputs", mostParams)
	}
	var o backend.Output
	err := t.object(place, func(name string) (err error) {
		here := place + "." + clip(name)
		switch name {
		case "name":
			o.Name, err = t.text(here)
		case "parameters":
			err = t.syntax(t.SkipValue())
		default:
			err = badOption(here, "an output has a name; %q is not known", clip(name))
		}
		return err
	})
	if err == nil && o.Name == "" {
		return badOption(place, "an output needs its name")
	}
	t.into.Outputs = append(t.into.Outputs, o)
	return err
}
