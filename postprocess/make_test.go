package postprocess

import (
	"encoding/binary"
	"math"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

// fp32 makes a tensor of float32.
func fp32(name string, shape []int64, values []float32) tensor.Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return tensor.Tensor{Name: name, DType: tensor.FP32, Shape: shape, Data: data}
}

// fp64 makes a tensor of float64.
func fp64(name string, shape []int64, values []float64) tensor.Tensor {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	}
	return tensor.Tensor{Name: name, DType: tensor.FP64, Shape: shape, Data: data}
}

// bits16 makes a tensor of FP16 or BF16 from its bits.
func bits16(name string, dtype tensor.DType, shape []int64, values []uint16) tensor.Tensor {
	data := make([]byte, 0, 2*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint16(data, v)
	}
	return tensor.Tensor{Name: name, DType: dtype, Shape: shape, Data: data}
}

// plainFrame is a picture that went into the network as it is.
func plainFrame(width, height int) tensor.Frame {
	return tensor.Frame{SourceWidth: width, SourceHeight: height, Width: width, Height: height, ScaleX: 1, ScaleY: 1}
}

func classifier(activation string, topK int, labels ...string) *Postprocessor {
	p, err := New(&task.Spec{Task: task.ImageClassification, Output: task.Output{Name: "y", Activation: activation, TopK: topK}}, labels)
	if err != nil {
		panic(err)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

func inf32(sign int) float32 { return float32(math.Inf(sign)) }

func nan32() float32 { return float32(math.NaN()) }
