package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/payload"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// itemDocument is an item as the payload log keeps it: the JSON that infer takes for it, but for pictures and tensors that are told by their digest.
type itemDocument struct {
	Image  *imageDocument   `json:"image,omitempty"`
	Row    any              `json:"row,omitempty"`
	Inputs []tensorDocument `json:"inputs,omitempty"`
	jobOptions
}

type imageDocument struct {
	Base64 string `json:"base64,omitempty"`
	*payload.Digest
}

// tensorDocument is a tensor in the form of KServe v2.
type tensorDocument struct {
	Name     string          `json:"name"`
	Datatype string          `json:"datatype"`
	Shape    []int64         `json:"shape"`
	Data     json.RawMessage `json:"data,omitempty"`
	Digest   *payload.Digest `json:"digest,omitempty"`
}

// document writes an item.
func (k *keeper) document(r *pipeline.Request) []byte {
	d := itemDocument{jobOptions: jobOptions(r.Options)}
	switch {
	case r.Item.Image != nil:
		data := r.Item.Image.Bytes
		if k.images && base64.StdEncoding.EncodedLen(len(data)) <= k.most {
			d.Image = &imageDocument{Base64: base64.StdEncoding.EncodeToString(data)}
			break
		}
		sum := payload.DigestOf(data)
		d.Image = &imageDocument{Digest: &sum}
	case r.Item.Row != nil:
		d.Row = k.row(r.Model, r.Item.Row)
	default:
		d.Inputs = k.tensors(r.Item.Tensors)
	}
	return written(d)
}

// row gives a row by the names of its columns, so that they can be hidden by them. What has no names is not told.
func (k *keeper) row(model string, r *preprocess.Row) any {
	if r.Named != nil {
		return r.Named
	}
	columns := k.columns(model)
	if len(columns) != len(r.Positional) {
		return "a list of " + strconv.Itoa(len(r.Positional)) + " values for " + strconv.Itoa(len(columns)) + " columns"
	}
	named := make(map[string]any, len(columns))
	for i, name := range columns {
		named[name] = r.Positional[i]
	}
	return named
}

// inputs writes a call with tensors.
func (k *keeper) inputs(r *backend.Request) []byte {
	return written(struct {
		ID     string           `json:"id,omitempty"`
		Inputs []tensorDocument `json:"inputs"`
	}{clip(r.ID), k.tensors(r.Inputs)})
}

// outputs writes the answer to a call with tensors.
func (k *keeper) outputs(r *backend.Request, a *backend.Response) []byte {
	return written(struct {
		ID      string           `json:"id,omitempty"`
		Model   string           `json:"model_name"`
		Version string           `json:"model_version"`
		Outputs []tensorDocument `json:"outputs"`
	}{clip(r.ID), r.Model, a.Version, k.tensors(a.Outputs)})
}

// answer writes the answer to an item: the document of infer. One that is too large is told by its digest, and not copied.
func (k *keeper) answer(a *pipeline.Answer) []byte {
	tail := tailFresh
	if a.FromCache {
		tail = tailCached
	}
	if len(a.Body)+len(tail) > k.most {
		return written(map[string]payload.Digest{"too_large": payload.DigestOf(a.Body)})
	}
	return append(append(make([]byte, 0, len(a.Body)+len(tail)), a.Body...), tail...)
}

func written(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // a value that is no JSON, such as a row's
		return nil
	}
	return text
}

// tensors writes tensors with their values, as long as all of them together are small.
func (k *keeper) tensors(list []tensor.Tensor) (out []tensorDocument) {
	room := k.most / 4 // a number takes up to some four times its bytes
	for i := range list {
		t := &list[i]
		d := tensorDocument{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape}
		if room -= len(t.Data); room >= 0 {
			d.Data = values(t)
		}
		if d.Data == nil {
			sum := payload.DigestOf(t.Data)
			d.Digest = &sum
		}
		out = append(out, d)
	}
	return out
}

// values writes a tensor's elements as a flat list; nil where JSON cannot carry them.
func values(t *tensor.Tensor) []byte {
	if t.DType == tensor.Bytes {
		return texts(t.Data)
	}
	size := t.DType.Size()
	if size == 0 || t.DType == tensor.FP16 || t.DType == tensor.BF16 {
		return nil
	}
	out := []byte{'['}
	for data := t.Data; len(data) >= size; data = data[size:] {
		if len(out) > 1 {
			out = append(out, ',')
		}
		switch t.DType {
		case tensor.Bool:
			out = strconv.AppendBool(out, data[0] != 0)
		case tensor.Uint8:
			out = strconv.AppendUint(out, uint64(data[0]), 10)
		case tensor.Int8:
			out = strconv.AppendInt(out, int64(int8(data[0])), 10)
		case tensor.Uint16:
			out = strconv.AppendUint(out, uint64(binary.LittleEndian.Uint16(data)), 10)
		case tensor.Int16:
			out = strconv.AppendInt(out, int64(int16(binary.LittleEndian.Uint16(data))), 10)
		case tensor.Uint32:
			out = strconv.AppendUint(out, uint64(binary.LittleEndian.Uint32(data)), 10)
		case tensor.Int32:
			out = strconv.AppendInt(out, int64(int32(binary.LittleEndian.Uint32(data))), 10)
		case tensor.Uint64:
			out = strconv.AppendUint(out, binary.LittleEndian.Uint64(data), 10)
		case tensor.Int64:
			out = strconv.AppendInt(out, int64(binary.LittleEndian.Uint64(data)), 10)
		case tensor.FP32:
			out = appendFloat(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))), 32)
		case tensor.FP64:
			out = appendFloat(out, math.Float64frombits(binary.LittleEndian.Uint64(data)), 64)
		}
	}
	return append(out, ']')
}

// appendFloat writes a number; what is none in JSON becomes null.
func appendFloat(out []byte, x float64, bits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(out, "null"...)
	}
	return strconv.AppendFloat(out, x, 'g', -1, bits)
}

// texts writes the elements of a BYTES tensor; nil where one is no text, such as a picture.
func texts(data []byte) []byte {
	var list []string
	for len(data) >= 4 {
		n := uint64(binary.LittleEndian.Uint32(data))
		if n > uint64(len(data)-4) || !utf8.Valid(data[4:4+n]) {
			return nil
		}
		list, data = append(list, string(data[4:4+n])), data[4+n:]
	}
	if list == nil {
		return []byte("[]")
	}
	return written(list)
}
