package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/tensor"
)

// inputs reads the tensors of a KServe v2 JSON body: [{"name","shape","datatype","data"}].
func (r *jsonReader) inputs() error {
	var tensors []tensor.Tensor
	err := r.list("body.inputs", func(place string) error {
		if len(tensors) == 64 {
			return badOption(place, "more than 64 inputs")
		}
		t, err := r.input(place)
		tensors = append(tensors, t)
		return err
	})
	if err == nil && len(tensors) > 0 {
		r.call.items = append(r.call.items, item{Item: pipeline.Item{Tensors: tensors}})
	}
	return err
}

// input reads one tensor.
func (r *jsonReader) input(place string) (t tensor.Tensor, err error) {
	var data jsontext.Value
	shaped := false
	err = r.object(place, func(name string) (err error) {
		here := place + "." + clip(name)
		switch name {
		case "name":
			t.Name, err = r.text(here)
		case "datatype":
			var text string
			var ok bool
			if text, err = r.text(here); err == nil {
				if t.DType, ok = tensor.ParseDType(text); !ok {
					err = badOption(here, "no datatype %q; known are BOOL, UINT8 to UINT64, INT8 to INT64, FP32, FP64 and BYTES", clip(text))
				}
			}
		case "shape":
			shaped = true
			t.Shape, err = r.shape(here)
		case "data":
			data, err = r.ReadValue()
			err = r.syntax(err)
		case "parameters":
			err = r.syntax(r.SkipValue())
		default:
			err = badOption(here, "an input has name, shape, datatype and data; %q is not known", clip(name))
		}
		return err
	})
	switch {
	case err != nil:
		return t, err
	case t.Name == "" || t.DType == tensor.Invalid || !shaped || data == nil:
		return t, badOption(place, "an input needs name, shape, datatype and data")
	case t.DType == tensor.FP16 || t.DType == tensor.BF16:
		return t, badOption(place+".datatype", "JSON cannot carry %s", t.DType)
	}
	t.Data, err = encodeData(t, data)
	if err != nil {
		return t, badOption(place+".data", "%s", err)
	}
	return t, nil
}

func (r *jsonReader) text(place string) (string, error) {
	t, err := r.ReadToken()
	if err != nil {
		return "", r.syntax(err)
	}
	if t.Kind() != '"' {
		return "", badOption(place, "%s is to be a text", place)
	}
	return t.String(), nil
}

func (r *jsonReader) shape(place string) ([]int64, error) {
	shape := []int64{}
	err := r.list(place, func(place string) error {
		t, err := r.ReadToken()
		if err != nil {
			return r.syntax(err)
		}
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if t.Kind() != '0' || err != nil || n < 0 || len(shape) == 16 {
			return badOption(place, "a shape has up to 16 whole numbers of at least 0")
		}
		shape = append(shape, n)
		return nil
	})
	return shape, err
}

// encodeData turns the numbers of data, flat or nested, into a tensor's bytes.
func encodeData(t tensor.Tensor, data jsontext.Value) ([]byte, error) {
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	if n > int64(len(data)) { // each element takes at least one character
		return nil, fmt.Errorf("the shape %v needs %d elements, data has fewer", t.Shape, n)
	}
	out := make([]byte, 0, n*int64(max(t.DType.Size(), 4)))
	count, depth := int64(0), 0
	in := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		token, err := in.ReadToken()
		if err != nil {
			return nil, errors.New("not valid JSON")
		}
		switch token.Kind() {
		case '[':
			depth++
			if depth > 32 {
				return nil, errors.New("data is nested deeper than 32 lists")
			}
		case ']':
			depth--
		default:
			if depth == 0 {
				return nil, errors.New("data is to be a list")
			}
			if out, err = appendElement(out, t.DType, token); err != nil {
				return nil, fmt.Errorf("element %d: %w", count, err)
			}
			if count++; count > n {
				return nil, fmt.Errorf("the shape %v needs %d elements, data has more", t.Shape, n)
			}
		}
		if depth == 0 {
			break
		}
	}
	if count != n {
		return nil, fmt.Errorf("the shape %v needs %d elements, data has %d", t.Shape, n, count)
	}
	return out, nil
}

// appendElement appends one element in the byte order of tensors.
func appendElement(out []byte, d tensor.DType, token jsontext.Token) ([]byte, error) {
	kind, text := token.Kind(), ""
	if kind == '"' || kind == '0' {
		text = token.String()
	}
	switch d {
	case tensor.Bool:
		switch kind {
		case 't':
			return append(out, 1), nil
		case 'f':
			return append(out, 0), nil
		}
		return nil, errors.New("BOOL takes true or false")
	case tensor.Bytes:
		if kind != '"' {
			return nil, errors.New("BYTES takes texts")
		}
		return append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...), nil
	}
	if kind != '0' {
		return nil, fmt.Errorf("%s takes numbers", d)
	}
	width := d.Size()
	switch d {
	case tensor.FP32, tensor.FP64:
		x, err := strconv.ParseFloat(text, 8*width)
		if err != nil {
			return nil, fmt.Errorf("%s is too large for %s", clip(text), d)
		}
		if d == tensor.FP32 {
			return binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(x))), nil
		}
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(x)), nil
	case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		u, err := strconv.ParseUint(text, 10, 8*width)
		if err != nil {
			return nil, fmt.Errorf("%s is no %s", clip(text), d)
		}
		return appendLittle(out, u, width), nil
	}
	i, err := strconv.ParseInt(text, 10, 8*width)
	if err != nil {
		return nil, fmt.Errorf("%s is no %s", clip(text), d)
	}
	return appendLittle(out, uint64(i), width), nil
}

// appendLittle appends the width low bytes of u.
func appendLittle(out []byte, u uint64, width int) []byte {
	for range width {
		out = append(out, byte(u))
		u >>= 8
	}
	return out
}
