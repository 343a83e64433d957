package kserve

import (
	"strings"

	"triton-gateway/internal/fault"
)

// parameters reads the request's parameters, with the types that Triton gives them: whole numbers are int64, others float64.
func (q *jsonRequest) parameters() error {
	count := 0
	return q.object("the parameters", func(key []byte) error {
		if count++; count > maxParams {
			return q.fail("the request has more than %d parameters", maxParams)
		}
		name := string(key)
		if len(name) > maxName {
			return q.fail("a parameter's name is longer than %d bytes", maxName)
		}
		if _, again := q.params[name]; again {
			return q.skip()
		}
		return q.addParameter(name)
	})
}

// addParameter reads the value of a parameter that has not come yet, and keeps it.
func (q *jsonRequest) addParameter(name string) error {
	value, err := q.parameter(name)
	if err != nil || value == nil {
		return err
	}
	if q.params == nil {
		q.params = map[string]any{}
	}
	q.params[name] = value
	return nil
}

// parameter reads one value. It is nil where the parameter was for this transport alone.
func (q *jsonRequest) parameter(name string) (any, error) {
	c := q.peek()
	switch {
	case name == "binary_data_output":
		v, err := q.boolean()
		q.binary = v
		return nil, about(name, err)
	case name == "sequence_start", name == "sequence_end":
		v, err := q.boolean()
		return v, about(name, err)
	case name == "sequence_id" && c == '"':
		s, err := q.text("'sequence_id'")
		return s, err
	case name == "sequence_id", name == "priority", name == "timeout":
		v, err := q.whole()
		if err != nil {
			return nil, about(name, err)
		}
		if v>>63 != 0 {
			return v, nil
		}
		return int64(v), nil
	case strings.HasPrefix(name, "triton_"):
		return nil, fault.New(fault.Invalid, "invalid_request", "parameter %s: parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.", clipped([]byte(name))).
			At("parameters", "reserved")
	case c == '"':
		s, err := q.str()
		return string(s), err
	case c == 't' || c == 'f':
		return q.boolean()
	case c == '[' || c == '{' || c == 'n':
		return nil, fault.New(fault.Invalid, "invalid_request", "parameter %s has invalid type. It should be either 'int', 'bool', or 'string'.", clipped([]byte(name))).
			At("parameters", "invalid type")
	}
	return q.numeric()
}

func (q *jsonRequest) numeric() (any, error) {
	text, err := q.number()
	if err != nil {
		return nil, err
	}
	var n jsonNumber
	(&jsonReader{b: text}).scan(&n)
	if v, ok := n.signed(-1<<63, 1<<63-1); ok {
		return v, nil
	}
	v, ok := n.double(text)
	if !ok {
		return nil, q.fail("the number %s is too large", clipped(text))
	}
	return v, nil
}

func about(name string, err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Invalid, "invalid_request", "Unable to parse '%s': %v", name, detail(err)).At("parameters."+name, "wrong type")
}

func detail(err error) string {
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // made here, never wrapped
		return f.Detail
	}
	return err.Error()
}
