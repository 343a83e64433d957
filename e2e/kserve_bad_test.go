package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// strict is a fake Triton with one model that takes FP32 x[10] and BYTES s[1], in batches of at most 4, and a gateway before it.
func strict(t *testing.T) (*tritontest.Server, *parts.GatewayServer) {
	t.Helper()
	server := tritontest.New(t)
	server.Model("m", func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
		return []tensor.Tensor{{Name: "y", DType: tensor.FP32, Shape: []int64{1, 1}, Data: make([]byte, 4)}}, nil
	}, tritontest.Config(&tritonpb.ModelConfig{Name: "m", Backend: "fake", MaxBatchSize: 4,
		Input: []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{10}},
			{Name: "s", DataType: tritonpb.DataType_TYPE_STRING, Dims: []int64{1}, Optional: true}},
		Output: []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}))
	return server, parts.Serve(t, "--triton", server.Addr())
}

type input = tritonpb.ModelInferRequest_InferInputTensor

func x(shape ...int64) *input { return &input{Name: "x", Datatype: "FP32", Shape: shape} }

func ask(raw [][]byte, inputs ...*input) *tritonpb.ModelInferRequest {
	return &tritonpb.ModelInferRequest{ModelName: "m", Inputs: inputs, RawInputContents: raw}
}

// What is wrong with a request is found before anything is sent on, is told with the input's name, and leaves the connection as it was.
func TestBadGRPCRequestsAreNotForwarded(t *testing.T) {
	server, g := strict(t)
	client, err := load.Dial(g.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	row := make([]byte, 40)
	many := ask(nil)
	for i := range 10_000 {
		many.Inputs = append(many.Inputs, &input{Name: fmt.Sprintf("x%d", i), Datatype: "FP32", Shape: []int64{1, 10}})
		many.RawInputContents = append(many.RawInputContents, row)
	}
	mixed := x(1, 10)
	mixed.Contents = &tritonpb.InferTensorContents{Fp32Contents: make([]float32, 10)}
	for name, c := range map[string]struct {
		request *tritonpb.ModelInferRequest
		text    string
	}{
		"shape that overflows":    {ask([][]byte{row}, x(1<<62, 1<<62)), "x"},
		"overflow to a good size": {ask([][]byte{row}, x(1<<33, 1<<33)), "x"},
		"negative dimension":      {ask([][]byte{row}, x(-1, 10)), "x"},
		"too few bytes":           {ask([][]byte{row[:39]}, x(1, 10)), "'x'"},
		"too many bytes":          {ask([][]byte{append(row, 0)}, x(1, 10)), "'x'"},
		"unknown datatype":        {ask([][]byte{row}, &input{Name: "x", Datatype: "FP80", Shape: []int64{1, 10}}), "x"},
		"unknown input":           {ask([][]byte{row}, &input{Name: "z", Datatype: "FP32", Shape: []int64{1, 10}}), "'z'"},
		"raw and typed":           {ask([][]byte{row}, mixed), "'x'"},
		"batch too large":         {ask([][]byte{make([]byte, 200)}, x(5, 10)), "<= 4"},
		"BYTES past the end": {ask([][]byte{row, append(binary.LittleEndian.AppendUint32(nil, 1<<31), "ab"...)}, x(1, 10),
			&input{Name: "s", Datatype: "BYTES", Shape: []int64{1, 1}}), "'s'"},
		"10,000 inputs": {many, "inputs"},
	} {
		message, err := proto.Marshal(c.request)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = client.Infer(t.Context(), message)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want INVALID_ARGUMENT with %q", name, err, c.text)
		}
	}
	if n := server.Calls("m"); n != 0 {
		t.Errorf("%d bad requests were sent on", n)
	}
	good, _ := proto.Marshal(ask([][]byte{row}, x(1, 10)))
	if _, _, err := client.Infer(t.Context(), good); err != nil || server.Calls("m") != 1 {
		t.Errorf("after them: %v", err)
	}
}

func TestBadHTTPRequestsAreNotForwarded(t *testing.T) {
	server, g := strict(t)
	row := `"data":[0,1,2,3,4,5,6,7,8,9]`
	one := func(fields string) string { return `{"inputs":[{"name":"x",` + fields + `}]}` }
	bomb := gzipOf(128<<20, ' ')
	deep := `{"inputs":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf(`{"name":"x%d","datatype":"FP32","shape":[1,10],%s}`, i, row))
	}
	dials := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			dials++
		}
	}})
	send := func(body, encoding, header string) (int, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.HTTP+"/v2/models/m/infer", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if encoding != "" {
			request.Header.Set("Content-Encoding", encoding)
		}
		if header != "" {
			request.Header.Set("Inference-Header-Content-Length", header)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var out struct{ Error string }
		if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
			t.Errorf("the answer is no JSON: %v", err)
		}
		return response.StatusCode, out.Error
	}
	for name, c := range map[string]struct{ body, encoding, header, text string }{
		"shape that overflows": {one(`"datatype":"FP32","shape":[4611686018427387904,4611686018427387904],` + row), "", "", "x"},
		"negative dimension":   {one(`"datatype":"FP32","shape":[-1,10],` + row), "", "", "x"},
		"too little data":      {one(`"datatype":"FP32","shape":[2,10],` + row), "", "", ""},
		"unknown datatype":     {one(`"datatype":"FP80","shape":[1,10],` + row), "", "", "x"},
		"10,000 deep":          {deep, "", "", ""},
		"10,000 inputs":        {`{"inputs":[` + strings.Join(many, ",") + `]}`, "", "", "inputs"},
		"header past the end":  {one(`"datatype":"FP32","shape":[1,10],` + row), "", "100000", ""},
		"no gzip":              {one(row), "gzip", "", ""},
	} {
		if code, text := send(c.body, c.encoding, c.header); code != http.StatusBadRequest || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %q", name, code, text)
		}
	}
	if dials > 1 {
		t.Errorf("%d connections were needed: some bad request cost its connection", dials)
	}
	if code, text := send(string(bomb), "gzip", ""); code != http.StatusBadRequest && code != http.StatusRequestEntityTooLarge {
		t.Errorf("gzip bomb of %d bytes: %d %q", len(bomb), code, text)
	}
	if n := server.Calls("m"); n != 0 {
		t.Errorf("%d bad requests were sent on", n)
	}
	if code, text := send(one(`"datatype":"FP32","shape":[1,10],`+row), "", ""); code != http.StatusOK || server.Calls("m") != 1 {
		t.Errorf("after them: %d %s", code, text)
	}
}
