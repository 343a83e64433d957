package postprocess

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"triton-gateway/tensor"
)

// AppendJSON appends the members of the answer that belong to the task, such as `"predictions":[...]`, without braces. Texts
// are escaped as encoding/json does it. Scores and coordinates are the shortest decimals that give the same float32; values
// are too where a float32 holds them, else they are those of the float64. NaN and Inf, which only raw tensors can hold, are null.
func (r *Result) AppendJSON(dst []byte) []byte {
	switch {
	case r.Predictions != nil:
		dst = append(dst, `"predictions":[`...)
		for i := range r.Predictions {
			p := &r.Predictions[i]
			dst = append(appendClass(comma(dst, i), p.Label, p.Index, p.Score), '}')
		}
		return append(dst, ']')
	case r.Detections != nil:
		dst = append(dst, `"detections":[`...)
		for i := range r.Detections {
			d := &r.Detections[i]
			dst = appendClass(comma(dst, i), d.Label, d.Index, d.Score)
			dst = appendFloat(append(dst, `,"box":{"x1":`...), d.Box.X1, 32)
			dst = appendFloat(append(dst, `,"y1":`...), d.Box.Y1, 32)
			dst = appendFloat(append(dst, `,"x2":`...), d.Box.X2, 32)
			dst = appendFloat(append(dst, `,"y2":`...), d.Box.Y2, 32)
			dst = append(dst, "}}"...)
		}
		return append(dst, ']')
	case r.Segments != nil:
		dst = append(dst, `"segments":[`...)
		for i := range r.Segments {
			dst = r.Segments[i].appendJSON(comma(dst, i))
		}
		return append(dst, ']')
	case r.Value != nil:
		return appendValue(append(dst, `"value":`...), *r.Value)
	case r.Values != nil:
		dst = append(dst, `"values":[`...)
		for i, v := range r.Values {
			dst = appendValue(comma(dst, i), v)
		}
		return append(dst, ']')
	case r.Embedding != nil:
		dst = append(dst, `"embedding":[`...)
		for i, v := range r.Embedding {
			dst = appendFloat(comma(dst, i), float64(v), 32)
		}
		return append(dst, ']')
	case r.Outputs != nil:
		dst = append(dst, `"outputs":[`...)
		for i := range r.Outputs {
			dst = appendTensor(comma(dst, i), &r.Outputs[i])
		}
		return append(dst, ']')
	}
	return dst
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func (s *Segment) appendJSON(dst []byte) []byte {
	number := func(name string, n int) { dst = strconv.AppendInt(append(dst, name...), int64(n), 10) }
	dst = appendString(append(dst, `{"label":`...), s.Label)
	number(`,"index":`, s.Index)
	number(`,"area":`, s.Area)
	number(`,"mask":{"size":[`, s.Mask.Size[0])
	number(`,`, s.Mask.Size[1])
	dst = append(dst, `],"counts":[`...)
	for i, n := range s.Mask.Counts {
		dst = strconv.AppendInt(comma(dst, i), int64(n), 10)
	}
	return append(dst, "]}}"...)
}

func appendClass(dst []byte, label string, index int, score float64) []byte {
	dst = appendString(append(dst, `{"label":`...), label)
	dst = strconv.AppendInt(append(dst, `,"index":`...), int64(index), 10)
	return appendFloat(append(dst, `,"score":`...), score, 32)
}

// appendValue writes a float64, as a float32 where that is the same number.
func appendValue(dst []byte, v float64) []byte {
	if float64(float32(v)) == v {
		return appendFloat(dst, v, 32)
	}
	return appendFloat(dst, v, 64)
}

// appendString writes a JSON string as encoding/json does it: HTML's <, > and & and the line separators escaped, what is not
// UTF-8 replaced.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && !(r == utf8.RuneError && size == 1) && r != '\u2028' && r != '\u2029' {
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch {
		case c >= utf8.RuneSelf && r == utf8.RuneError:
			dst = append(dst, `\ufffd`...)
		case c >= utf8.RuneSelf:
			dst = append(dst, `\u202`...)
			dst = append(dst, hex[r&0xf])
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&0xf])
		}
		i += size
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// appendTensor writes a tensor as KServe v2 does it, with FP16 and BF16 as numbers too.
func appendTensor(dst []byte, t *tensor.Tensor) []byte {
	dst = appendString(append(dst, `{"name":`...), t.Name)
	dst = append(append(append(dst, `,"datatype":"`...), t.DType.String()...), `","shape":[`...)
	for i, d := range t.Shape {
		dst = strconv.AppendInt(comma(dst, i), d, 10)
	}
	dst = append(dst, `],"data":[`...)
	data := t.Data
	if t.DType == tensor.Bytes {
		for i := 0; len(data) >= 4; i++ {
			n := min(uint64(binary.LittleEndian.Uint32(data)), uint64(len(data)-4))
			dst = appendString(comma(dst, i), string(data[4:4+n]))
			data = data[4+n:]
		}
		return append(dst, "]}"...)
	}
	size := t.DType.Size()
	for i := 0; size > 0 && len(data) >= size; i++ {
		dst = appendElement(comma(dst, i), t, i)
		data = data[size:]
	}
	return append(dst, "]}"...)
}

// appendElement writes one number or truth value.
func appendElement(dst []byte, t *tensor.Tensor, i int) []byte {
	le := binary.LittleEndian
	switch d := t.Data; t.DType {
	case tensor.Bool:
		return strconv.AppendBool(dst, d[i] != 0)
	case tensor.Uint8:
		return strconv.AppendUint(dst, uint64(d[i]), 10)
	case tensor.Uint16:
		return strconv.AppendUint(dst, uint64(le.Uint16(d[i*2:])), 10)
	case tensor.Uint32:
		return strconv.AppendUint(dst, uint64(le.Uint32(d[i*4:])), 10)
	case tensor.Uint64:
		return strconv.AppendUint(dst, le.Uint64(d[i*8:]), 10)
	case tensor.Int8:
		return strconv.AppendInt(dst, int64(int8(d[i])), 10)
	case tensor.Int16:
		return strconv.AppendInt(dst, int64(int16(le.Uint16(d[i*2:]))), 10)
	case tensor.Int32:
		return strconv.AppendInt(dst, int64(int32(le.Uint32(d[i*4:]))), 10)
	case tensor.Int64:
		return strconv.AppendInt(dst, int64(le.Uint64(d[i*8:])), 10)
	case tensor.FP64:
		return appendFloat(dst, at(t, i), 64)
	}
	return appendFloat(dst, at(t, i), 32)
}
