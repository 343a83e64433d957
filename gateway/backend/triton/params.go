package triton

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of InferParameter, from grpc_service.proto. They are one oneof.
const (
	paramBool   protowire.Number = 1
	paramInt64  protowire.Number = 2
	paramString protowire.Number = 3
	paramDouble protowire.Number = 4
	paramUint64 protowire.Number = 5
)

// The parameters that streams are steered by.
const (
	finalFlag   = "triton_final_response"              // of a response: nothing comes after it
	enableEmpty = "triton_enable_empty_final_response" // of a request: the flag comes in any case, if need be alone
)

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
	}
	return nil, fmt.Errorf("a %T: want bool, int64, uint64, float64 or string", value)
}

// param reads one entry of the parameters. One without a value leaves none behind, also where the key had one before.
func (r *inferResponse) param(entry []byte) error {
	var key string
	var value any
	err := fields(entry, func(num protowire.Number, typ protowire.Type, body []byte) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			return setString(&key, body)
		case num == 2: // given in pieces, it is the sum of the pieces: of a oneof, the last
			return fields(body, func(num protowire.Number, typ protowire.Type, body []byte) error {
				return setParam(&value, num, typ, body)
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if value == nil {
		delete(r.params, key)
		return nil
	}
	if r.params == nil {
		r.params = map[string]any{}
	}
	r.params[key] = value
	return nil
}

// setParam reads one field of an InferParameter.
func setParam(to *any, num protowire.Number, typ protowire.Type, value []byte) error {
	switch {
	case typ == protowire.BytesType && num == paramString:
		var text string
		if err := setString(&text, value); err != nil {
			return err
		}
		*to = text
	case typ == protowire.Fixed64Type && num == paramDouble:
		v, _ := protowire.ConsumeFixed64(value)
		*to = math.Float64frombits(v)
	case typ == protowire.VarintType:
		v, _ := protowire.ConsumeVarint(value)
		switch num {
		case paramBool:
			*to = protowire.DecodeBool(v)
		case paramInt64:
			*to = int64(v)
		case paramUint64:
			*to = v
		}
	}
	return nil
}
