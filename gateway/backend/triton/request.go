package triton

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
)

// The field numbers of ModelInferRequest and the messages in it, from grpc_service.proto.
const (
	requestModel   protowire.Number = 1
	requestVersion protowire.Number = 2
	requestID      protowire.Number = 3
	requestParams  protowire.Number = 4
	requestInputs  protowire.Number = 5
	requestOutputs protowire.Number = 6
	requestRaw     protowire.Number = 7

	tensorName     protowire.Number = 1
	tensorDType    protowire.Number = 2
	tensorShape    protowire.Number = 3
	tensorParams   protowire.Number = 4
	tensorContents protowire.Number = 5

	outputName   protowire.Number = 1
	outputParams protowire.Number = 2
)

// inferRequest is a ModelInferRequest whose inputs are all raw.
type inferRequest struct {
	model, version, id string
	params             map[string]any // bool, int64, uint64, float64 or string
	inputs             []tensor.Tensor
	outputs            []wantedOutput
	memory             backend.Memory // owns the inputs' Data; nil where nobody else ever writes to it
}

// wantedOutput is an InferRequestedOutputTensor. classes > 0 asks for the classification extension's strings instead of the numbers.
type wantedOutput struct {
	name    string
	classes int64
}

// marshal gives the bytes that the generated code gives with deterministic maps, in pieces. The tensors' Data is not copied but
// for small ones: every second piece is one. It may be called for two attempts at the same time.
func (r *inferRequest) marshal() ([][]byte, error) {
	total, copied, large := 0, 0, 0
	for i := range r.inputs {
		n := len(r.inputs[i].Data)
		if total += n; total > math.MaxInt32 {
			return nil, tooLong(total)
		}
		if n <= copyLimit {
			copied += n
		} else {
			large++
		}
	}
	limit := copyLimit
	if total <= inlineLimit {
		copied, large, limit = total, 0, inlineLimit
	}
	head := make([]byte, 0, 160+len(r.model)+len(r.id)+64*(len(r.inputs)+len(r.outputs))+copied)
	head, err := r.appendHead(head)
	if err != nil {
		return nil, err
	}
	if size := total + len(head) + 10*len(r.inputs); size > math.MaxInt32 {
		return nil, tooLong(size)
	}
	out := make([][]byte, 0, 2*large+1)
	start := 0
	for i := range r.inputs {
		data := r.inputs[i].Data
		head = protowire.AppendTag(head, requestRaw, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(len(data)))
		if len(data) <= limit {
			head = append(head, data...)
			continue
		}
		// A later append may move head; the piece handed out here stays as it is, for appends only write behind it.
		out = append(out, head[start:len(head):len(head)], data)
		start = len(head)
	}
	if start < len(head) || len(out) == 0 {
		out = append(out, head[start:])
	}
	return out, nil
}

func tooLong(size int) error {
	return fmt.Errorf("request of %d bytes: gRPC carries at most %d", size, math.MaxInt32)
}

func (r *inferRequest) appendHead(b []byte) ([]byte, error) {
	b = appendString(b, requestModel, r.model)
	b = appendString(b, requestVersion, r.version)
	b = appendString(b, requestID, r.id)
	for _, key := range sortedKeys(r.params) {
		value, err := appendParam(nil, r.params[key])
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", key, err)
		}
		b = appendEntry(b, requestParams, key, value)
	}
	for i := range r.inputs {
		b = appendInput(b, &r.inputs[i])
	}
	for _, want := range r.outputs {
		body := appendString(nil, outputName, want.name)
		if want.classes > 0 {
			value, _ := appendParam(nil, want.classes)
			body = appendEntry(body, outputParams, "classification", value)
		}
		b = protowire.AppendTag(b, requestOutputs, protowire.BytesType)
		b = protowire.AppendBytes(b, body)
	}
	return b, nil
}

func appendInput(b []byte, t *tensor.Tensor) []byte {
	shape := 0
	for _, d := range t.Shape {
		shape += protowire.SizeVarint(uint64(d))
	}
	dtype := t.DType.String()
	size := sizeString(tensorName, t.Name) + sizeString(tensorDType, dtype)
	if shape > 0 {
		size += protowire.SizeTag(tensorShape) + protowire.SizeBytes(shape)
	}
	b = protowire.AppendTag(b, requestInputs, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendString(b, tensorName, t.Name)
	b = appendString(b, tensorDType, dtype)
	if shape > 0 {
		b = protowire.AppendTag(b, tensorShape, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(shape))
		for _, d := range t.Shape {
			b = protowire.AppendVarint(b, uint64(d))
		}
	}
	return b
}

// appendEntry writes one entry of a map from string to message. Both fields are always written.
func appendEntry(b []byte, field protowire.Number, key string, value []byte) []byte {
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), entry)
}

// appendString leaves the empty string out, as proto3 does.
func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func sizeString(field protowire.Number, s string) int {
	if s == "" {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeBytes(len(s))
}

func sortedKeys(m map[string]any) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
