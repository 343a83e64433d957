//go:build cgo

package ort

import (
	"fmt"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"triton-gateway/tensor"
)

// elementType is the library's name of a datatype.
func elementType(d tensor.DType) onnxruntime.TensorElementDataType {
	switch d {
	case tensor.Bool:
		return onnxruntime.TensorElementDataTypeBool
	case tensor.Uint8:
		return onnxruntime.TensorElementDataTypeUint8
	case tensor.Uint16:
		return onnxruntime.TensorElementDataTypeUint16
	case tensor.Uint32:
		return onnxruntime.TensorElementDataTypeUint32
	case tensor.Uint64:
		return onnxruntime.TensorElementDataTypeUint64
	case tensor.Int8:
		return onnxruntime.TensorElementDataTypeInt8
	case tensor.Int16:
		return onnxruntime.TensorElementDataTypeInt16
	case tensor.Int32:
		return onnxruntime.TensorElementDataTypeInt32
	case tensor.Int64:
		return onnxruntime.TensorElementDataTypeInt64
	case tensor.FP16:
		return onnxruntime.TensorElementDataTypeFloat16
	case tensor.FP32:
		return onnxruntime.TensorElementDataTypeFloat
	case tensor.FP64:
		return onnxruntime.TensorElementDataTypeDouble
	case tensor.BF16:
		return onnxruntime.TensorElementDataTypeBFloat16
	}
	return onnxruntime.TensorElementDataTypeUndefined
}

// newScalar makes room for an output without dimensions, which the binding can only fetch into a value made beforehand.
func newScalar(d tensor.DType) (onnxruntime.Value, error) {
	switch d {
	case tensor.Bool:
		return onnxruntime.NewEmptyScalar[bool]()
	case tensor.Uint8:
		return onnxruntime.NewEmptyScalar[uint8]()
	case tensor.Uint16:
		return onnxruntime.NewEmptyScalar[uint16]()
	case tensor.Uint32:
		return onnxruntime.NewEmptyScalar[uint32]()
	case tensor.Uint64:
		return onnxruntime.NewEmptyScalar[uint64]()
	case tensor.Int8:
		return onnxruntime.NewEmptyScalar[int8]()
	case tensor.Int16:
		return onnxruntime.NewEmptyScalar[int16]()
	case tensor.Int32:
		return onnxruntime.NewEmptyScalar[int32]()
	case tensor.Int64:
		return onnxruntime.NewEmptyScalar[int64]()
	case tensor.FP32:
		return onnxruntime.NewEmptyScalar[float32]()
	case tensor.FP64:
		return onnxruntime.NewEmptyScalar[float64]()
	}
	return nil, fmt.Errorf("%s without dimensions is not supported", d)
}

func fetchScalar(value onnxruntime.Value, t *tensor.Tensor) error {
	t.Shape = []int64{}
	switch v := value.(type) {
	case *onnxruntime.Scalar[bool]:
		t.Data = raw([]bool{v.GetData()})
	case *onnxruntime.Scalar[uint8]:
		t.Data = raw([]uint8{v.GetData()})
	case *onnxruntime.Scalar[uint16]:
		t.Data = raw([]uint16{v.GetData()})
	case *onnxruntime.Scalar[uint32]:
		t.Data = raw([]uint32{v.GetData()})
	case *onnxruntime.Scalar[uint64]:
		t.Data = raw([]uint64{v.GetData()})
	case *onnxruntime.Scalar[int8]:
		t.Data = raw([]int8{v.GetData()})
	case *onnxruntime.Scalar[int16]:
		t.Data = raw([]int16{v.GetData()})
	case *onnxruntime.Scalar[int32]:
		t.Data = raw([]int32{v.GetData()})
	case *onnxruntime.Scalar[int64]:
		t.Data = raw([]int64{v.GetData()})
	case *onnxruntime.Scalar[float32]:
		t.Data = raw([]float32{v.GetData()})
	case *onnxruntime.Scalar[float64]:
		t.Data = raw([]float64{v.GetData()})
	default:
		return fmt.Errorf("the library gave a %T, not %s", value, t.DType)
	}
	return nil
}
