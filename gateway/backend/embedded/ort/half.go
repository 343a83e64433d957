package ort

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/tensor"
)

// The Go binding cannot fetch an FP16 or BF16 output whose size only the run knows: it copies one byte per element. So such
// outputs leave the model as FP32 through a Cast that is added to the graph, and are rounded back here. The way there and
// back is exact: every half value is an FP32 value.

// castPrefix starts the names of the outputs that are added. No exporter writes such a name; if one does, the session is refused.
const castPrefix = "triton-gateway/fp32/"

// withCasts adds, for each FP16 and BF16 output, a Cast to FP32 and an output of its own (see castPrefix). Protobuf merges a message that is there twice,
// so the addition is a second, small graph field after the first: nothing of the model is rewritten.
func withCasts(model []byte, outputs []Value) []byte {
	var graph []byte
	for _, v := range outputs {
		if !isHalf(v.DType) {
			continue
		}
		name := castPrefix + v.Name
		to := field(1, []byte("to"))
		to = append(to, varint(3, 1)...)  // AttributeProto.i: FLOAT
		to = append(to, varint(20, 2)...) // AttributeProto.type: INT
		node := field(1, []byte(v.Name))  // NodeProto.input
		node = append(node, field(2, []byte(name))...)
		node = append(node, field(4, []byte("Cast"))...)
		node = append(node, field(5, to)...)
		graph = append(graph, field(1, node)...)
		float := field(1, varint(1, 1)) // TypeProto.tensor_type { elem_type: FLOAT }
		out := append(field(1, []byte(name)), field(2, float)...)
		graph = append(graph, field(12, out)...)
	}
	if graph == nil {
		return model
	}
	return slices.Concat(model, field(7, graph))
}

func isHalf(d tensor.DType) bool { return d == tensor.FP16 || d == tensor.BF16 }

func field(num protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
}

func varint(num protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), n)
}

// halves rounds FP32 values to FP16 or BF16, little-endian.
func halves(values []float32, to tensor.DType) []byte {
	round := toFP16
	if to == tensor.BF16 {
		round = toBF16
	}
	out := make([]byte, 2*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint16(out[2*i:], round(math.Float32bits(v)))
	}
	return out
}

// toBF16 rounds to nearest, ties to even; a NaN stays a NaN.
func toBF16(bits uint32) uint16 {
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// toFP16 rounds to nearest, ties to even, by IEEE 754: binary16 has 5 bits of exponent (bias 15) and 10 of fraction.
func toFP16(bits uint32) uint16 {
	sign := uint16(bits >> 16 & 0x8000)
	abs := bits & 0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(abs>>13&0x3ff)
	case abs >= 0x477ff000: // rounds beyond 65504
		return sign | 0x7c00
	case abs >= 0x38800000: // normal: 2^-14 and above; rounding may carry into the exponent, which is right
		abs -= (127 - 15) << 23
		return sign | uint16((abs+0xfff+abs>>13&1)>>13)
	case abs <= 0x33000000: // at most half of the smallest subnormal, 2^-25: ties to even is 0
		return sign
	}
	fraction := abs&0x7fffff | 0x800000
	shift := 126 - abs>>23 // the result counts in units of 2^-24
	half := uint32(1) << (shift - 1)
	return sign | uint16((fraction+half-1+fraction>>shift&1)>>shift)
}
