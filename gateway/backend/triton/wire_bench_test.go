package triton

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// sizes are a row of a table model, and a picture of 224x224 in FP32.
var sizes = map[string]int64{"16B": 4, "602KB": 3 * 224 * 224}

func sample(elements int64) (*backend.Request, []byte) {
	data := make([]byte, 4*elements)
	r := &backend.Request{Model: "model", Version: "1", ID: "0123456789abcdef", Inputs: []tensor.Tensor{{Name: "input", DType: tensor.FP32, Shape: []int64{1, elements}, Data: data}}}
	wire, _ := proto.Marshal(&tritonpb.ModelInferResponse{ModelName: "model", ModelVersion: "1", Id: r.ID, RawOutputContents: [][]byte{data},
		Outputs: []*tritonpb.ModelInferResponse_InferOutputTensor{{Name: "output", Datatype: "FP32", Shape: []int64{1, elements}}}})
	return r, wire
}

// BenchmarkSend makes a message of a request; BenchmarkReceive makes tensors of an answer.
func BenchmarkSend(b *testing.B) {
	for name, elements := range sizes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, _ := sample(elements)
			for range b.N {
				m, err := newInferRequest(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.marshal(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	for name, elements := range sizes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, wire := sample(elements)
			asked, err := newInferRequest(r)
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				var a inferResponse
				if err := a.unmarshal(wire); err != nil {
					b.Fatal(err)
				}
				if _, err := checked(asked, &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCall is a whole call of a server in this process, whose allocations count too.
func BenchmarkCall(b *testing.B) {
	for name, elements := range sizes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := clientOf(b, fake(b).Addr())
			r, _ := sample(elements)
			r.Model = "m"
			for range b.N {
				if _, err := c.Infer(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
