package load

import (
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

// Floats is a ModelInferRequest with one FP32 input of so many elements, as bytes.
func Floats(model, input string, elements int) []byte {
	m, err := proto.Marshal(&tritonpb.ModelInferRequest{ModelName: model, RawInputContents: [][]byte{make([]byte, 4*elements)},
		Inputs: []*tritonpb.ModelInferRequest_InferInputTensor{{Name: input, Datatype: "FP32", Shape: []int64{int64(elements)}}}})
	if err != nil {
		panic(err) // of bytes and numbers, nothing can fail
	}
	return m
}

// FloatsHTTP is the same over HTTP with the binary extension: body and headers.
func FloatsHTTP(input string, elements int) ([]byte, http.Header) {
	size := strconv.Itoa(4 * elements)
	head := `{"inputs":[{"name":"` + input + `","datatype":"FP32","shape":[` + strconv.Itoa(elements) + `],"parameters":{"binary_data_size":` + size + `}}]}`
	header := http.Header{"Inference-Header-Content-Length": {strconv.Itoa(len(head))}, "Content-Type": {"application/octet-stream"}}
	return append([]byte(head), make([]byte, 4*elements)...), header
}
