package kserve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/internal/fault"
)

// The members of the oneof in InferParameter, from grpc_service.proto.
const (
	paramBool   protowire.Number = 1
	paramInt64  protowire.Number = 2
	paramString protowire.Number = 3
	paramDouble protowire.Number = 4
	paramUint64 protowire.Number = 5
)

// refuseMemory refuses the parameters of the shared-memory extensions on an input or an output.
func refuseMemory(tensorName, what, key string) error {
	if !strings.HasPrefix(key, "shared_memory_") {
		return nil
	}
	return fault.New(fault.Invalid, "invalid_request", "%s '%s' has the parameter '%s': shared memory is not served here; send the bytes in the request", what, clip(tensorName), clip(key)).
		At(what+"s."+clip(tensorName)+".parameters."+clip(key), "shared memory is not served")
}

func (m *inferMessage) setParam(entry []byte) error {
	key, value, err := readEntry(entry)
	if err != nil {
		return err
	}
	if m.params == nil {
		m.params = map[string]any{}
	}
	m.params[key] = value // of two with the same name, the last one counts, as in every map of protobuf
	if len(m.params) > maxParams {
		return tooMany("parameters", maxParams)
	}
	return nil
}

// readEntry reads an entry of a map from string to InferParameter. A parameter without a value is nil.
func readEntry(entry []byte) (key string, value any, err error) {
	err = fields(entry, func(num protowire.Number, typ protowire.Type, _, body []byte) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			return setText(&key, body)
		case num == 2:
			return readParam(body, &value)
		}
		return nil
	})
	return key, value, err
}

// readParam reads an InferParameter; the last member of the oneof counts.
func readParam(b []byte, to *any) error {
	return fields(b, func(num protowire.Number, typ protowire.Type, value, body []byte) error {
		switch {
		case num == paramBool && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			*to = protowire.DecodeBool(v)
		case num == paramInt64 && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			*to = int64(v)
		case num == paramUint64 && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			*to = v
		case num == paramDouble && typ == protowire.Fixed64Type:
			v, _ := protowire.ConsumeFixed64(value)
			*to = math.Float64frombits(v)
		case num == paramString && typ == protowire.BytesType:
			if !utf8.Valid(body) {
				return notText()
			}
			*to = string(body)
		}
		return nil
	})
}

// appendParams writes a map from string to InferParameter, by name.
func appendParams(b []byte, params map[string]any) ([]byte, error) {
	if len(params) == 0 {
		return b, nil
	}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		var room [64]byte
		value, err := appendParam(room[:0], params[key])
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", key, err)
		}
		size := protowire.SizeTag(1) + protowire.SizeBytes(len(key)) + protowire.SizeTag(2) + protowire.SizeBytes(len(value))
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldParams, protowire.BytesType), uint64(size))
		b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), key)
		b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), value)
	}
	return b, nil
}

// appendParam writes the fields of an InferParameter. A set member of a oneof is written even where it is zero.
func appendParam(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case bool:
		return protowire.AppendVarint(protowire.AppendTag(b, paramBool, protowire.VarintType), protowire.EncodeBool(v)), nil
	case int64:
		return protowire.AppendVarint(protowire.AppendTag(b, paramInt64, protowire.VarintType), uint64(v)), nil
	case uint64:
		return protowire.AppendVarint(protowire.AppendTag(b, paramUint64, protowire.VarintType), v), nil
	case string:
		return protowire.AppendString(protowire.AppendTag(b, paramString, protowire.BytesType), v), nil
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(b, paramDouble, protowire.Fixed64Type), math.Float64bits(v)), nil
	case nil:
		return b, nil
	}
	return nil, fmt.Errorf("a %T: want bool, int64, uint64, float64 or string", value)
}
