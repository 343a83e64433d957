package kserve

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/h2"
	"triton-gateway/tensor"
)

// The field numbers of ModelInferRequest, ModelInferResponse and the messages in them, from grpc_service.proto.
const (
	fieldModel   protowire.Number = 1
	fieldVersion protowire.Number = 2
	fieldID      protowire.Number = 3
	fieldParams  protowire.Number = 4

	requestInputs  protowire.Number = 5
	requestOutputs protowire.Number = 6
	requestRaw     protowire.Number = 7

	tensorName     protowire.Number = 1
	tensorDType    protowire.Number = 2
	tensorShape    protowire.Number = 3
	tensorParams   protowire.Number = 4
	tensorContents protowire.Number = 5

	wantedName   protowire.Number = 1
	wantedParams protowire.Number = 2
)

// maxDims bounds the dimensions of one tensor.
const maxDims = 32

var errWire = errors.New("this is not a ModelInferRequest: its bytes cannot be read as one")

// inferMessage is a ModelInferRequest on its way from the wire to a backend.Request. It holds room for what most requests have, so that it is one
// allocation; it is not pooled, as a backend may hold the Request longer than its bytes.
type inferMessage struct {
	memory *buffer // nil before it was received; the raw tensors are slices of it
	err    error   // why it cannot be read

	model, version, id string
	params             map[string]any
	inputs             []wireInput
	outputs            []backend.Output
	raw                [][]byte
	dims               []int64        // of all inputs
	most               int            // inputs, and outputs
	call               *h2.ServerCall // that it came with; nil where the context knows its metadata
	tell               teller         // hears what the caller is to be told of its quota; may be nil

	request struct {
		backend.Request
		tensors [2]tensor.Tensor
	}
	roomInputs [2]wireInput
	roomRaw    [2][]byte
	roomDims   [8]int64
}

// wireInput is an InferInputTensor.
type wireInput struct {
	name        string
	dtype       tensor.DType
	unknown     string   // the datatype's name where there is none of that name
	first, last int      // where its shape is in dims
	contents    [][]byte // pieces of its InferTensorContents; nil where it has none
}

func newInferMessage(most int) *inferMessage {
	m := &inferMessage{most: most}
	m.inputs, m.raw, m.dims = m.roomInputs[:0], m.roomRaw[:0], m.roomDims[:0]
	return m
}

// release lets the bytes go.
func (m *inferMessage) release() {
	if m.memory != nil {
		m.memory.Release()
		m.memory = nil
	}
}

// fields calls set for every field of a message. value is what stands behind the tag; of a length-delimited field, body is what is inside.
func fields(b []byte, set func(num protowire.Number, typ protowire.Type, value, body []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber { // the generated code looks at the second too
			return badWire(min(n, -1))
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return badWire(n)
		}
		var body []byte
		if typ == protowire.BytesType {
			body, _ = protowire.ConsumeBytes(b[:n])
		}
		if err := set(num, typ, b[:n], body); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func badWire(n int) error {
	return invalid("body", "%v", errWire).Wrap(fmt.Errorf("%w: %w", errWire, protowire.ParseError(n)))
}

func (m *inferMessage) parse(b []byte) error { return fields(b, m.set) }

func (m *inferMessage) set(num protowire.Number, typ protowire.Type, _, body []byte) error {
	if typ != protowire.BytesType {
		return nil // of another protocol, or a later one
	}
	switch num {
	case fieldModel:
		return setText(&m.model, body)
	case fieldVersion:
		return setText(&m.version, body)
	case fieldID:
		return setText(&m.id, body)
	case fieldParams:
		return m.setParam(body)
	case requestInputs:
		if len(m.inputs) == m.most {
			return tooMany("inputs", m.most)
		}
		m.inputs = append(m.inputs, wireInput{first: len(m.dims)})
		in := &m.inputs[len(m.inputs)-1]
		err := fields(body, func(num protowire.Number, typ protowire.Type, value, body []byte) error {
			return m.setInput(in, num, typ, value, body)
		})
		in.last = len(m.dims)
		return err
	case requestOutputs:
		if len(m.outputs) == m.most {
			return tooMany("outputs", m.most)
		}
		return m.addOutput(body)
	case requestRaw:
		if len(m.raw) == m.most {
			return tooMany("raw_input_contents", m.most)
		}
		m.raw = append(m.raw, body[:len(body):len(body)])
	}
	return nil
}

func (m *inferMessage) setInput(in *wireInput, num protowire.Number, typ protowire.Type, value, body []byte) error {
	if num == tensorShape && typ == protowire.VarintType {
		v, _ := protowire.ConsumeVarint(value)
		return m.addDim(in, v)
	}
	if typ != protowire.BytesType {
		return nil
	}
	switch num {
	case tensorName:
		return setText(&in.name, body)
	case tensorDType:
		if !utf8.Valid(body) {
			return notText()
		}
		in.unknown = ""
		var known bool
		if in.dtype, known = tensor.ParseDType(string(body)); !known {
			in.unknown = string(body)
		}
	case tensorShape:
		for len(body) > 0 {
			v, n := protowire.ConsumeVarint(body)
			if n < 0 {
				return badWire(n)
			}
			if err := m.addDim(in, v); err != nil {
				return err
			}
			body = body[n:]
		}
	case tensorContents: // a message that comes in pieces is the sum of them
		in.contents = append(in.contents, body)
	case tensorParams:
		return ownMemory(in.name, "input", body)
	}
	return nil
}

func (m *inferMessage) addDim(in *wireInput, v uint64) error {
	if len(m.dims)-in.first == maxDims {
		return invalid("inputs."+clip(in.name)+".shape", "input '%s' has more than %d dimensions", clip(in.name), maxDims)
	}
	m.dims = append(m.dims, int64(v))
	return nil
}

func (m *inferMessage) addOutput(body []byte) error {
	var out backend.Output
	var class any
	classes := false
	err := fields(body, func(num protowire.Number, typ protowire.Type, _, body []byte) error {
		switch {
		case typ != protowire.BytesType:
		case num == wantedName:
			return setText(&out.Name, body)
		case num == wantedParams:
			if err := ownMemory(out.Name, "output", body); err != nil {
				return err
			}
			key, value, err := readEntry(body)
			if err == nil && key == "classification" {
				class, classes = value, true
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if classes {
		if out.Classes, err = classCount(out.Name, class); err != nil {
			return err
		}
	}
	for i := range m.outputs {
		if m.outputs[i].Name == out.Name { // Triton takes the last one's wish, and answers once
			m.outputs[i] = out
			return nil
		}
	}
	m.outputs = append(m.outputs, out)
	return nil
}

// classCount reads the parameter classification of an output. Both transports use it.
func classCount(output string, value any) (int64, error) {
	place := "outputs." + clip(output) + ".parameters.classification"
	n, ok := value.(int64)
	switch {
	case !ok:
		return 0, invalid(place, "invalid value type for 'classification' parameter, expected int64_param")
	case n <= 0:
		return 0, invalid(place, "invalid value for 'classification' parameter, expected > 0")
	case n > math.MaxInt32:
		return 0, invalid(place, "invalid value for 'classification' parameter, expected <= %d", math.MaxInt32)
	}
	return n, nil
}

// ownMemory refuses a tensor whose bytes would be read from or written to memory of the server's machine.
func ownMemory(name, what string, entry []byte) error {
	key, _, err := readEntry(entry)
	if err != nil {
		return err
	}
	return refuseMemory(name, what, key)
}

func tooMany(what string, most int) error {
	return invalid(what, "the request has more than %d %s; that is the limit of one request", most, what)
}

func notText() error { return invalid("body", "%v: a text in it is not UTF-8", errWire).Wrap(errWire) }

func setText(to *string, body []byte) error {
	if !utf8.Valid(body) {
		return notText()
	}
	*to = string(body)
	return nil
}
