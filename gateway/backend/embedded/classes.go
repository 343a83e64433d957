package embedded

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"triton-gateway/tensor"
)

// classes gives the highest elements of each item of an output, as Triton's classification extension writes them: BYTES elements
// "value:index" or "value:index:label", highest first, [batch, classes] or, without a batch, [classes]. The inner dimensions count as one.
//
// Triton's way of it is TopkClassifications in triton-inference-server/server (src/classification.cc): values are those of
// std::to_string, an empty label is none. Where elements are equal, Triton's order is that of an unstable sort; here the lower index is first.
// backend.Ranks tells which datatypes can be ranked.
func classes(t tensor.Tensor, batch, count int64, labels []string) tensor.Tensor {
	size := t.DType.Size()
	items := max(batch, 1)
	n := int64(len(t.Data)/size) / items
	count = min(count, n)
	out := tensor.Tensor{Name: t.Name, DType: tensor.Bytes, Shape: []int64{count}, Data: make([]byte, 0, 24*items*count)}
	if batch > 0 {
		out.Shape = []int64{batch, count}
	}
	for i := range items {
		item := t.Data[i*n*int64(size):][:n*int64(size)]
		for _, index := range top(t.DType, item, int(count)) {
			out.Data = appendClass(out.Data, t.DType, item, index, labels)
		}
	}
	return out
}

// appendClass writes one element of BYTES.
func appendClass(b []byte, d tensor.DType, item []byte, index int, labels []string) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = appendValue(b, d, item[index*d.Size():])
	b = strconv.AppendInt(append(b, ':'), int64(index), 10)
	if index < len(labels) && labels[index] != "" {
		b = append(append(b, ':'), labels[index]...)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// top gives the indexes of the count highest elements, highest first, equals by index, NaN last.
func top(d tensor.DType, item []byte, count int) []int {
	compare := order(d, item)
	const few = 32
	if count > few {
		all := make([]int, len(item)/d.Size())
		for i := range all {
			all[i] = i
		}
		slices.SortStableFunc(all, compare)
		return all[:count]
	}
	best := make([]int, 0, count+1)
	for i := range len(item) / d.Size() {
		if len(best) == count && (count == 0 || compare(best[count-1], i) <= 0) {
			continue
		}
		at := len(best)
		for at > 0 && compare(best[at-1], i) > 0 {
			at--
		}
		if best = slices.Insert(best, at, i); len(best) > count {
			best = best[:count]
		}
	}
	return best
}

// order compares elements by their indexes: the higher one comes first.
func order(d tensor.DType, item []byte) func(a, b int) int {
	size := d.Size()
	switch d {
	case tensor.FP32, tensor.FP64: // a NaN is less than all others for cmp.Compare
		return func(a, b int) int { return cmp.Compare(float(d, item[b*size:]), float(d, item[a*size:])) }
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64:
		return func(a, b int) int { return cmp.Compare(signed(d, item[b*size:]), signed(d, item[a*size:])) }
	default:
		return func(a, b int) int { return cmp.Compare(unsigned(d, item[b*size:]), unsigned(d, item[a*size:])) }
	}
}

// appendValue writes a number as std::to_string does: a floating-point one with six decimals.
func appendValue(b []byte, d tensor.DType, data []byte) []byte {
	switch d {
	case tensor.FP32, tensor.FP64:
		v := float(d, data)
		switch {
		case math.IsInf(v, 1):
			return append(b, "inf"...)
		case math.IsInf(v, -1):
			return append(b, "-inf"...)
		case math.IsNaN(v) && math.Signbit(v):
			return append(b, "-nan"...)
		case math.IsNaN(v):
			return append(b, "nan"...)
		}
		return strconv.AppendFloat(b, v, 'f', 6, 64)
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64:
		return strconv.AppendInt(b, signed(d, data), 10)
	default:
		return strconv.AppendUint(b, unsigned(d, data), 10)
	}
}

func float(d tensor.DType, data []byte) float64 {
	if d == tensor.FP32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(data))
}

func signed(d tensor.DType, data []byte) int64 {
	switch d {
	case tensor.Int8:
		return int64(int8(data[0]))
	case tensor.Int16:
		return int64(int16(binary.LittleEndian.Uint16(data)))
	case tensor.Int32:
		return int64(int32(binary.LittleEndian.Uint32(data)))
	}
	return int64(binary.LittleEndian.Uint64(data))
}

func unsigned(d tensor.DType, data []byte) uint64 {
	switch d.Size() {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(data))
	case 4:
		return uint64(binary.LittleEndian.Uint32(data))
	}
	return binary.LittleEndian.Uint64(data)
}
