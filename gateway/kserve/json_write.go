package kserve

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strconv"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

const hexDigits = "0123456789ABCDEF"

// appendString writes a JSON string. Bytes that are no UTF-8 go out as they are, as Triton sends them: whoever wants such BYTES asks for binary
// data.
func appendString(b, s []byte) []byte {
	b = append(b, '"')
	from := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendNumber writes a float in the fewest digits that give it back, with a dot or an exponent, so that no reader takes it for a whole number.
// bits is 32 or 64, the width that it has. Not-a-number and the infinities are written as Triton writes them, which is not JSON.
func appendNumber(b []byte, v float64, bits int) []byte {
	switch {
	case v == math.Trunc(v) && math.Abs(v) < 1<<24 && (v != 0 || !math.Signbit(v)):
		return append(strconv.AppendInt(b, int64(v), 10), '.', '0')
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	if m := math.Abs(v); m != 0 && (m < 1e-6 || m >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, bits)
	}
	b = strconv.AppendFloat(b, v, 'f', -1, bits)
	if v == math.Trunc(v) {
		b = append(b, '.', '0')
	}
	return b
}

// appendObject writes parameters as an object, by name.
func appendObject(b []byte, params map[string]any) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, []byte(name)), ':')
		b = appendScalar(b, params[name])
	}
	return append(b, '}')
}

// appendScalar writes the value of a parameter.
func appendScalar(b []byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return appendNumber(b, v, 64)
	case string:
		return appendString(b, []byte(v))
	}
	return append(b, "null"...)
}

// appendData writes a tensor's elements as a flat array. FP16 and BF16 have no JSON form in the protocol: Invalid. The tensor has to be valid.
func appendData(b []byte, t *tensor.Tensor) ([]byte, error) {
	size := t.DType.Size()
	switch {
	case t.DType == tensor.FP16 || t.DType == tensor.BF16:
		return b, noHalfs(t.Name, t.DType)
	case t.DType == tensor.Bytes:
		return appendTexts(b, t.Data), nil
	case len(t.Data) == 0:
		return append(b, '[', ']'), nil
	}
	b = append(b, '[')
	for d := t.Data; len(d) >= size; d = d[size:] {
		switch t.DType {
		case tensor.FP32:
			b = appendNumber(b, float64(math.Float32frombits(binary.LittleEndian.Uint32(d))), 32)
		case tensor.FP64:
			b = appendNumber(b, math.Float64frombits(binary.LittleEndian.Uint64(d)), 64)
		case tensor.Bool:
			b = strconv.AppendBool(b, d[0] != 0)
		case tensor.Uint8:
			b = strconv.AppendUint(b, uint64(d[0]), 10)
		case tensor.Uint16:
			b = strconv.AppendUint(b, uint64(binary.LittleEndian.Uint16(d)), 10)
		case tensor.Uint32:
			b = strconv.AppendUint(b, uint64(binary.LittleEndian.Uint32(d)), 10)
		case tensor.Uint64:
			b = strconv.AppendUint(b, binary.LittleEndian.Uint64(d), 10)
		case tensor.Int8:
			b = strconv.AppendInt(b, int64(int8(d[0])), 10)
		case tensor.Int16:
			b = strconv.AppendInt(b, int64(int16(binary.LittleEndian.Uint16(d))), 10)
		case tensor.Int32:
			b = strconv.AppendInt(b, int64(int32(binary.LittleEndian.Uint32(d))), 10)
		default:
			b = strconv.AppendInt(b, int64(binary.LittleEndian.Uint64(d)), 10)
		}
		b = append(b, ',')
	}
	b[len(b)-1] = ']'
	return b, nil
}

// appendTexts writes the elements of BYTES as strings.
func appendTexts(b, data []byte) []byte {
	b = append(b, '[')
	for len(data) >= 4 {
		n := min(uint64(binary.LittleEndian.Uint32(data)), uint64(len(data)-4))
		b = append(appendString(b, data[4:4+n]), ',')
		data = data[4+n:]
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, ']')
}

func noHalfs(output string, d tensor.DType) *fault.Error {
	return invalid("outputs."+clip(output), "output '%s': sending %s data via JSON is not supported. Please use the binary data format for output", clip(output), d)
}
