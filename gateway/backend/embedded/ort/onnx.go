package ort

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/tensor"
)

// Value is one input or output, as the model's file declares it.
type Value struct {
	Name   string
	DType  tensor.DType // Invalid where KServe v2 has no such type
	Type   string       // what it is in ONNX terms where DType is Invalid, such as "sequence" or "COMPLEX64"; for error texts
	Ranked bool         // the file gives a shape
	Dims   []int64      // the full shape, batch dimension included; -1 varies
}

// Graph is what a model's file says of itself.
type Graph struct {
	Inputs  []Value // those that a run must be given: inputs with a default value in the file are left out
	Outputs []Value
}

var errNoGraph = errors.New("not an ONNX model: it has no graph")

// Describe reads the inputs and outputs out of an ONNX file (onnx.proto: ModelProto.graph = 7) without starting a session.
// ONNX Runtime's Go binding must know all names before it makes a session, and asking the runtime for them costs a second
// session. Any bytes may be given; what is no ONNX model is an error.
func Describe(model []byte) (Graph, error) {
	var g graphParts
	found := false
	err := fields(model, func(num protowire.Number, body []byte, _ uint64) error {
		if num != 7 {
			return nil
		}
		found = true
		return g.read(body) // a second graph field is merged into the first, by protobuf's rules
	})
	if err == nil && !found {
		err = errNoGraph
	}
	if err != nil {
		return Graph{}, err
	}
	return g.graph()
}

// graphParts is GraphProto, as far as it matters: initializer = 5, input = 11, output = 12, sparse_initializer = 15.
type graphParts struct {
	inputs, outputs [][]byte
	initial         map[string]bool
}

func (g *graphParts) read(body []byte) error {
	if g.initial == nil {
		g.initial = map[string]bool{}
	}
	return fields(body, func(num protowire.Number, body []byte, _ uint64) error {
		switch num {
		case 5:
			return g.initializer(body)
		case 11:
			g.inputs = append(g.inputs, body)
		case 12:
			g.outputs = append(g.outputs, body)
		case 15: // SparseTensorProto.values = 1
			return fields(body, func(num protowire.Number, body []byte, _ uint64) error {
				if num == 1 {
					return g.initializer(body)
				}
				return nil
			})
		}
		return nil
	})
}

// initializer keeps TensorProto.name = 8.
func (g *graphParts) initializer(body []byte) error {
	return fields(body, func(num protowire.Number, body []byte, _ uint64) error {
		if num == 8 {
			g.initial[string(body)] = true
		}
		return nil
	})
}

func (g *graphParts) graph() (Graph, error) {
	var out Graph
	for _, body := range g.inputs {
		v, err := readValue(body)
		if err != nil {
			return Graph{}, err
		}
		if !g.initial[v.Name] {
			out.Inputs = append(out.Inputs, v)
		}
	}
	for _, body := range g.outputs {
		v, err := readValue(body)
		if err != nil {
			return Graph{}, err
		}
		out.Outputs = append(out.Outputs, v)
	}
	return out, nil
}

// readValue reads a ValueInfoProto: name = 1, type = 2.
func readValue(body []byte) (Value, error) {
	v := Value{Type: "a value without a type"}
	err := fields(body, func(num protowire.Number, body []byte, _ uint64) error {
		switch num {
		case 1:
			v.Name = string(body)
		case 2:
			return v.readType(body)
		}
		return nil
	})
	if err == nil && v.Name == "" {
		err = errors.New("an input or output has no name")
	}
	return v, err
}

// readType reads a TypeProto: tensor_type = 1, sequence_type = 4, map_type = 5, sparse_tensor_type = 8, optional_type = 9.
func (v *Value) readType(body []byte) error {
	return fields(body, func(num protowire.Number, body []byte, _ uint64) error {
		switch num {
		case 1:
			return v.readTensor(body)
		case 4:
			v.Type = "a sequence"
		case 5:
			v.Type = "a map"
		case 8:
			v.Type = "a sparse tensor"
		case 9:
			v.Type = "an optional value"
		}
		return nil
	})
}

// readTensor reads a TypeProto.Tensor: elem_type = 1, shape = 2, which has dim = 1.
func (v *Value) readTensor(body []byte) error {
	return fields(body, func(num protowire.Number, body []byte, n uint64) error {
		switch num {
		case 1:
			v.DType, v.Type = elemType(n)
		case 2:
			v.Ranked = true
			return fields(body, func(num protowire.Number, body []byte, _ uint64) error {
				if num != 1 {
					return nil
				}
				d, err := readDim(body)
				v.Dims = append(v.Dims, d)
				return err
			})
		}
		return nil
	})
}

// readDim reads a Dimension: dim_value = 1; a dim_param or nothing varies.
func readDim(body []byte) (int64, error) {
	dim := int64(-1)
	err := fields(body, func(num protowire.Number, _ []byte, n uint64) error {
		if num == 1 {
			dim = int64(n)
		}
		return nil
	})
	if dim < -1 {
		err = errors.Join(err, fmt.Errorf("dimension %d is negative", dim))
	}
	return dim, err
}

// elemType translates TensorProto.DataType.
func elemType(n uint64) (tensor.DType, string) {
	known := [...]tensor.DType{1: tensor.FP32, 2: tensor.Uint8, 3: tensor.Int8, 4: tensor.Uint16, 5: tensor.Int16, 6: tensor.Int32,
		7: tensor.Int64, 8: tensor.Bytes, 9: tensor.Bool, 10: tensor.FP16, 11: tensor.FP64, 12: tensor.Uint32, 13: tensor.Uint64, 16: tensor.BF16}
	if n < uint64(len(known)) && known[n] != tensor.Invalid {
		return known[n], known[n].String()
	}
	return tensor.Invalid, fmt.Sprintf("a tensor of ONNX element type %d", n)
}

// fields calls visit for every field of a protobuf message: with the bytes of a length-delimited one, with the number of a
// varint. Fields of other kinds are checked and skipped.
func fields(b []byte, visit func(num protowire.Number, body []byte, n uint64) error) error {
	for len(b) > 0 {
		num, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return fmt.Errorf("not an ONNX model: %w", protowire.ParseError(size))
		}
		b = b[size:]
		var body []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			body, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(num, kind, b)
		}
		if size < 0 {
			return fmt.Errorf("not an ONNX model, or a cut one: %w", protowire.ParseError(size))
		}
		if kind == protowire.BytesType || kind == protowire.VarintType {
			if err := visit(num, body, n); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}
