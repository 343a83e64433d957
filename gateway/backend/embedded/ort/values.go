//go:build cgo

package ort

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"triton-gateway/tensor"
)

// pinner holds what one run lends to the library: the pinned Go memory and the library's handles of it.
type pinner struct {
	pins   runtime.Pinner
	values []onnxruntime.Value
}

func (p *pinner) free() {
	for _, v := range p.values {
		_ = v.Destroy() // never fails
	}
	p.pins.Unpin()
}

// input lends a tensor's own bytes to the library. They are copied only where they start at an address that their type may
// not have, which happens to tensors cut out of a message.
func (p *pinner) input(t *tensor.Tensor) (onnxruntime.Value, error) {
	if t.DType == tensor.Bytes {
		return p.strings(t)
	}
	if t.DType == tensor.Bool {
		for i, b := range t.Data {
			if b > 1 { // undefined behaviour in C++
				return nil, fmt.Errorf("BOOL element %d is %d; it must be 0 or 1", i, b)
			}
		}
	}
	data := t.Data
	if size := uintptr(t.DType.Size()); len(data) > 0 && uintptr(unsafe.Pointer(&data[0]))%size != 0 {
		data = append(make([]byte, 0, len(data)+8), data...)
	}
	return p.lend(t.Shape, data, t.DType)
}

// maxLent bounds the memory that is set aside for an output before the run, on the word of the model's file alone.
const maxLent = 1 << 30

// output gives the library memory to write to, if the shape is known; otherwise nil, and the binding will measure.
func (p *pinner) output(t *tensor.Tensor, v Value) (onnxruntime.Value, error) {
	scalar := v.Ranked && len(v.Dims) == 0
	if !scalar && (t.Shape == nil || isHalf(t.DType) || t.DType == tensor.Bytes) {
		t.Shape = nil
		return nil, nil
	}
	if scalar {
		value, err := newScalar(t.DType)
		if err == nil {
			p.values = append(p.values, value)
		}
		return value, err
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil || n > maxLent/int64(t.DType.Size()) {
		t.Shape = nil
		return nil, err
	}
	t.Data = make([]byte, n*int64(t.DType.Size()))
	return p.lend(t.Shape, t.Data, t.DType)
}

// lend makes a handle of Go memory. The binding wants at least one byte, even for a tensor without elements.
func (p *pinner) lend(shape []int64, data []byte, d tensor.DType) (onnxruntime.Value, error) {
	if len(data) == 0 {
		data = make([]byte, 8)
	}
	p.pins.Pin(&data[0])
	value, err := onnxruntime.NewCustomDataTensor(shape, data, elementType(d))
	if err != nil {
		return nil, err
	}
	p.values = append(p.values, value)
	return value, nil
}

// strings copies a BYTES tensor: the library's strings end at a zero byte, so one with a zero byte inside is refused.
func (p *pinner) strings(t *tensor.Tensor) (onnxruntime.Value, error) {
	texts := []string{}
	for rest := t.Data; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		text := rest[4 : 4+size]
		for _, b := range text {
			if b == 0 {
				return nil, fmt.Errorf("BYTES element %d holds a zero byte, which the embedded engine cannot pass on", len(texts))
			}
		}
		texts = append(texts, string(text))
		rest = rest[4+size:]
	}
	value, err := onnxruntime.NewStringTensor(t.Shape)
	if err != nil {
		return nil, err
	}
	p.values = append(p.values, value)
	return value, value.SetContents(texts)
}

// fetch fills t from a value that the run has written.
func fetch(value onnxruntime.Value, t *tensor.Tensor) error {
	if value == nil {
		return errors.New("the model gave none")
	}
	if t.Data != nil {
		return nil // the library wrote to it
	}
	switch v := value.(type) {
	case *onnxruntime.StringTensor:
		texts, err := v.GetContents()
		if err != nil {
			return err
		}
		t.Shape, t.Data = v.GetShape(), packStrings(texts)
		return nil
	case *onnxruntime.Tensor[float32]:
		if isHalf(t.DType) {
			t.Shape, t.Data = v.GetShape(), halves(v.GetData(), t.DType)
			return nil
		}
	}
	return fetchNumbers(value, t)
}

func packStrings(texts []string) []byte {
	size := 0
	for _, s := range texts {
		size += 4 + len(s)
	}
	out := make([]byte, 0, size)
	for _, s := range texts {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(s))), s...)
	}
	return out
}

func fetchNumbers(value onnxruntime.Value, t *tensor.Tensor) error {
	switch v := value.(type) {
	case *onnxruntime.Tensor[float32]:
		take(t, v)
	case *onnxruntime.Tensor[float64]:
		take(t, v)
	case *onnxruntime.Tensor[int8]:
		take(t, v)
	case *onnxruntime.Tensor[int16]:
		take(t, v)
	case *onnxruntime.Tensor[int32]:
		take(t, v)
	case *onnxruntime.Tensor[int64]:
		take(t, v)
	case *onnxruntime.Tensor[uint8]:
		take(t, v)
	case *onnxruntime.Tensor[uint16]:
		take(t, v)
	case *onnxruntime.Tensor[uint32]:
		take(t, v)
	case *onnxruntime.Tensor[uint64]:
		take(t, v)
	case *onnxruntime.Tensor[bool]:
		take(t, v)
	default:
		return fetchScalar(value, t)
	}
	return nil
}

// take keeps the Go memory into which the binding has copied the output.
func take[T onnxruntime.TensorData](t *tensor.Tensor, v *onnxruntime.Tensor[T]) {
	t.Shape, t.Data = v.GetShape(), raw(v.GetData())
}

// raw sees a slice of numbers as its bytes; the gateway runs on little-endian machines only.
func raw[T onnxruntime.TensorData](values []T) []byte {
	if len(values) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}
