package kserve

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

func words(list ...string) (out []byte) {
	for _, w := range list {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(w))), w...)
	}
	return out
}

func TestModelInferGivesBackEveryDatatype(t *testing.T) {
	client := newRig(t, nil).client(t)
	for _, c := range []struct {
		dtype string
		shape []int64
		data  []byte
	}{
		{"BOOL", []int64{1, 3}, []byte{1, 0, 1}}, {"UINT8", []int64{2}, []byte{1, 255}}, {"UINT16", []int64{2}, []byte{1, 2, 3, 4}},
		{"UINT32", []int64{1}, []byte{1, 2, 3, 4}}, {"UINT64", []int64{1}, make([]byte, 8)}, {"INT8", []int64{1}, []byte{0x80}},
		{"INT16", []int64{1}, []byte{0, 0x80}}, {"INT32", []int64{1}, []byte{0, 0, 0, 0x80}}, {"INT64", []int64{1}, make([]byte, 8)},
		{"FP16", []int64{2}, []byte{0, 0x7c, 1, 0x7e}}, {"BF16", []int64{1}, []byte{0x80, 0x7f}}, {"FP32", []int64{1}, []byte{0, 0, 0xc0, 0x7f}},
		{"FP64", []int64{1}, make([]byte, 8)}, {"BYTES", []int64{3}, words("", "a", "\x00\xff")}, {"BYTES", []int64{0}, nil},
		{"FP32", []int64{0, 7}, nil}, {"FP32", []int64{3, 0, 2}, []byte{}}, {"FP32", nil, []byte{1, 2, 3, 4}}, {"UINT8", []int64{700_000}, bytes.Repeat([]byte{7, 9}, 350_000)},
	} {
		got, err := client.ModelInfer(call(t), raw(ask(input("IN", c.dtype, c.shape...)), c.data))
		if err != nil {
			t.Errorf("%s %v: %v", c.dtype, c.shape, err)
			continue
		}
		want := &tritonpb.ModelInferResponse{ModelName: "echo", ModelVersion: "1", Id: "i7", RawOutputContents: [][]byte{c.data},
			Outputs: []*tritonpb.ModelInferResponse_InferOutputTensor{{Name: "IN", Datatype: c.dtype, Shape: c.shape}}}
		if !proto.Equal(got, want) {
			t.Errorf("%s %v: got %.300v, want %.300v", c.dtype, c.shape, got, want)
		}
	}
}

func TestModelInferTurnsTypedContentsIntoRaw(t *testing.T) {
	client := newRig(t, nil).client(t)
	type contents = tritonpb.InferTensorContents
	for _, c := range []struct {
		dtype string
		n     int64
		in    *contents
		want  []byte
	}{
		{"BOOL", 2, &contents{BoolContents: []bool{true, false}}, []byte{1, 0}},
		{"UINT8", 2, &contents{UintContents: []uint32{0, 255}}, []byte{0, 255}},
		{"UINT16", 1, &contents{UintContents: []uint32{65535}}, []byte{255, 255}},
		{"UINT32", 1, &contents{UintContents: []uint32{math.MaxUint32}}, []byte{255, 255, 255, 255}},
		{"UINT64", 1, &contents{Uint64Contents: []uint64{math.MaxUint64}}, bytes.Repeat([]byte{255}, 8)},
		{"INT8", 2, &contents{IntContents: []int32{-128, 127}}, []byte{0x80, 0x7f}},
		{"INT16", 1, &contents{IntContents: []int32{-32768}}, []byte{0, 0x80}},
		{"INT32", 1, &contents{IntContents: []int32{-2}}, []byte{254, 255, 255, 255}},
		{"INT64", 1, &contents{Int64Contents: []int64{-2}}, []byte{254, 255, 255, 255, 255, 255, 255, 255}},
		{"FP32", 1, &contents{Fp32Contents: []float32{1}}, []byte{0, 0, 0x80, 0x3f}},
		{"FP64", 1, &contents{Fp64Contents: []float64{1}}, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
		{"BYTES", 2, &contents{BytesContents: [][]byte{[]byte("ab"), {}}}, words("ab", "")},
		{"FP32", 0, &contents{}, nil},
		{"FP32", 0, nil, nil},
	} {
		in := input("IN", c.dtype, c.n)
		in.Contents = c.in
		got, err := client.ModelInfer(call(t), ask(in))
		if err != nil || !bytes.Equal(got.GetRawOutputContents()[0], c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.dtype, got.GetRawOutputContents(), err, c.want)
		}
	}
}

func TestModelInferRefusesBadRequestsBeforeAnyWork(t *testing.T) {
	type request = tritonpb.ModelInferRequest
	base := func() *request { return raw(ask(input("IN", "FP32", 2)), make([]byte, 8)) }
	inputs := func(n int) *request {
		r := ask()
		for i := range n {
			r.Inputs = append(r.Inputs, input(fmt.Sprint("I", i), "FP32", 1))
			r.RawInputContents = append(r.RawInputContents, make([]byte, 4))
		}
		return r
	}
	shape := func(s ...int64) *request { r := base(); r.Inputs[0].Shape = s; return r }
	typed := func(dtype string, c *tritonpb.InferTensorContents) *request {
		in := input("IN", dtype, 2)
		in.Contents = c
		return ask(in)
	}
	with := func(change func(*request)) *request { r := base(); change(r); return r }
	for name, c := range map[string]struct {
		r    *request
		want string
	}{
		"65 inputs":      {inputs(65), "more than 64 inputs"},
		"10000 inputs":   {inputs(10_000), "more than 64 inputs"},
		"33 dims":        {shape(make([]int64, 33)...), "input 'IN' has more than 32 dimensions"},
		"negative":       {shape(1, -2), "input 'IN' for model 'echo'"},
		"overflow":       {shape(1<<40, 1<<40), "input 'IN' for model 'echo'"},
		"short":          {raw(base(), make([]byte, 7)), "IN"},
		"long":           {raw(base(), make([]byte, 9)), "IN"},
		"no data":        {raw(base()), "unable to find data for input tensor 'IN' for model 'echo'"},
		"two raw":        {raw(base(), make([]byte, 8), nil), "2 raw_input_contents for 1 inputs"},
		"unknown dtype":  {with(func(r *request) { r.Inputs[0].Datatype = "FP99" }), "input 'IN' for model 'echo' has the unknown data-type 'FP99'"},
		"no dtype":       {with(func(r *request) { r.Inputs[0].Datatype = "" }), "IN"},
		"mixed":          {with(func(r *request) { r.Inputs[0].Contents = &tritonpb.InferTensorContents{Fp32Contents: []float32{1, 2}} }), "contents field must not be specified when using raw_input_contents for 'IN'"},
		"wrong contents": {typed("FP32", &tritonpb.InferTensorContents{IntContents: []int32{1, 2}}), "unexpected explicit tensor data for input tensor 'IN' for model 'echo' of type 'INT32', expected datatype 'FP32'"},
		"fp16 contents":  {typed("FP16", &tritonpb.InferTensorContents{Fp32Contents: []float32{1, 2}}), "of type 'FP32', expected datatype 'FP16'"},
		"int8 300":       {typed("INT8", &tritonpb.InferTensorContents{IntContents: []int32{300, 1}}), "input 'IN' has the number 300, which INT8 cannot hold"},
		"uint16 70000":   {typed("UINT16", &tritonpb.InferTensorContents{UintContents: []uint32{70000, 1}}), "70000, which UINT16"},
		"too few typed":  {typed("FP32", &tritonpb.InferTensorContents{Fp32Contents: []float32{1}}), "IN"},
		"bytes past":     {raw(ask(input("IN", "BYTES", 1)), []byte{9, 0, 0, 0, 'a'}), "IN"},
		"bytes cut":      {raw(ask(input("IN", "BYTES", 1)), []byte{9, 0}), "IN"},
		"bytes huge":     {raw(ask(input("IN", "BYTES", 1)), []byte{255, 255, 255, 255}), "IN"},
		"twice":          {raw(ask(input("IN", "FP32", 1), input("IN", "FP32", 1)), make([]byte, 4), make([]byte, 4)), "input 'IN' already exists in request"},
		"shared memory": {with(func(r *request) {
			r.Inputs[0].Parameters = map[string]*tritonpb.InferParameter{"shared_memory_region": param("x")}
		}), "shared_memory_region"},
		"output in memory": {with(func(r *request) {
			r.Outputs = []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "O", Parameters: map[string]*tritonpb.InferParameter{"shared_memory_byte_size": param(int64(4))}}}
		}), "output 'O' has the parameter 'shared_memory_byte_size'"},
		"65 outputs": {with(func(r *request) {
			for i := range 65 {
				r.Outputs = append(r.Outputs, &tritonpb.ModelInferRequest_InferRequestedOutputTensor{Name: fmt.Sprint(i)})
			}
		}), "more than 64 outputs"},
		"65 parameters": {with(func(r *request) {
			r.Parameters = map[string]*tritonpb.InferParameter{}
			for i := range 65 {
				r.Parameters[fmt.Sprint(i)] = param(true)
			}
		}), "more than 64 parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			r := newRig(t, nil)
			r.runner.pass = func(_ context.Context, r *backend.Request) (*pipeline.Passed, error) {
				if err := sound(r); err != nil {
					return nil, err
				}
				asked = true
				return &pipeline.Passed{Response: echo(r)}, nil
			}
			client := r.client(t)
			_, err := client.ModelInfer(call(t), c.r)
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), c.want) {
				t.Errorf("got %v, want INVALID_ARGUMENT with %q", err, c.want)
			}
			if asked {
				t.Error("it was forwarded")
			}
			if _, err := client.ModelInfer(call(t), base()); err != nil || !asked {
				t.Errorf("the connection is of no use afterwards: %v", err)
			}
		})
	}
}

func TestModelInferPassesParametersOutputsAndId(t *testing.T) {
	r := newRig(t, nil)
	var got backend.Request
	r.runner.pass = func(_ context.Context, r *backend.Request) (*pipeline.Passed, error) {
		got = *r
		out := echo(r)
		out.Params = map[string]any{"sequence_id": int64(5), "b": true, "a": "x", "u": uint64(9), "d": 1.5}
		return &pipeline.Passed{Response: out}, nil
	}
	request := raw(ask(input("IN", "FP32", 1)), make([]byte, 4))
	request.ModelVersion = "1"
	request.Parameters = map[string]*tritonpb.InferParameter{"sequence_id": param("s"), "sequence_start": param(true), "priority": param(uint64(2)), "timeout": param(int64(100)),
		"custom": param(0.5), "headers": param("x"), "triton_enable_empty_final_response": param(true)}
	classes := map[string]*tritonpb.InferParameter{"classification": param(int64(3)), "other": param(true)}
	request.Outputs = []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "Z"}, {Name: "A", Parameters: classes}, {Name: "Z"}}
	response, err := r.client(t).ModelInfer(call(t), request)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"sequence_id": "s", "sequence_start": true, "priority": uint64(2), "timeout": int64(100), "custom": 0.5, "triton_enable_empty_final_response": true}
	if fmt.Sprint(got.Params) != fmt.Sprint(want) || got.Model != "echo" || got.Version != "1" || got.ID != "i7" {
		t.Errorf("got %+v, want the parameters %v", got, want)
	}
	if !slices.Equal(got.Outputs, []backend.Output{{Name: "Z"}, {Name: "A", Classes: 3}}) {
		t.Errorf("outputs %v", got.Outputs)
	}
	if p := response.GetParameters(); response.GetId() != "i7" || len(p) != 5 || p["sequence_id"].GetInt64Param() != 5 || !p["b"].GetBoolParam() ||
		p["a"].GetStringParam() != "x" || p["u"].GetUint64Param() != 9 || p["d"].GetDoubleParam() != 1.5 {
		t.Errorf("response %v", response)
	}
}

func TestModelInferRefusesParametersOfTheWrongType(t *testing.T) {
	client := newRig(t, nil).client(t)
	for _, c := range []struct {
		name  string
		value any
		want  string // "" for taken
	}{
		{"sequence_id", uint64(4), "invalid value type for 'sequence_id' parameter, expected int64_param or string_param"},
		{"sequence_id", nil, "expected int64_param or string_param"}, {"sequence_id", "a", ""}, {"sequence_id", int64(-5), ""},
		{"sequence_start", int64(1), "invalid value type for 'sequence_start' parameter, expected bool_param"}, {"sequence_end", true, ""},
		{"priority", "x", "expected int64_param or uint64_param"}, {"priority", int64(-1), "invalid value for 'priority', expected value >= 0"}, {"priority", uint64(1), ""},
		{"timeout", uint64(4), "invalid value type for 'timeout' parameter, expected int64_param"}, {"timeout", int64(-4), ""},
		{"triton_x", true, "reserved for Triton usage"}, {"triton_final_response", true, "reserved for Triton usage"},
		{"triton_enable_empty_final_response", int64(1), "expected bool_param"}, {"custom", uint64(4), "invalid value type for 'custom' parameter, expected int64_param, bool_param"},
		{"custom", nil, "invalid value type for 'custom' parameter"}, {"custom", 1.5, ""}, {"custom", "s", ""},
	} {
		request := raw(ask(input("IN", "FP32", 1)), make([]byte, 4))
		request.Parameters = map[string]*tritonpb.InferParameter{c.name: param(c.value)}
		_, err := client.ModelInfer(call(t), request)
		if c.want == "" && err != nil || c.want != "" && (status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %T: got %v, want %q", c.name, c.value, err, c.want)
		}
	}
}

func TestFailuresOfTheRunner(t *testing.T) {
	r := newRig(t, nil)
	client := r.client(t)
	request := raw(ask(input("IN", "FP32", 1)), make([]byte, 4))
	told := fault.New(fault.Invalid, "invalid_request", "unexpected shape for input 'IN'")
	for name, c := range map[string]struct {
		err  error
		code codes.Code
		text string
	}{
		"contract with what Triton said": {fault.New(fault.Contract, "upstream_contract", "the model refused").Wrap(fmt.Errorf("x: %w", told)), codes.InvalidArgument, "unexpected shape for input 'IN'"},
		"contract":                       {fault.New(fault.Contract, "upstream_contract", "the model refused"), codes.Internal, "the model refused"},
		"plain":                          {errors.New("secret"), codes.Internal, "the gateway failed"},
		"busy":                           {fault.New(fault.Busy, "queue_full", "full").After(1500 * time.Millisecond), codes.ResourceExhausted, "full"},
	} {
		t.Run(name, func(t *testing.T) {
			r.runner.pass = func(context.Context, *backend.Request) (*pipeline.Passed, error) { return nil, c.err }
			var trailer metadata.MD
			_, err := client.ModelInfer(call(t), request, grpc.Trailer(&trailer))
			if status.Code(err) != c.code || status.Convert(err).Message() != c.text {
				t.Errorf("got %v, want %v %q", err, c.code, c.text)
			}
			if want := map[bool]string{true: "[2]", false: "[]"}[name == "busy"]; fmt.Sprint(trailer.Get("retry-after")) != want {
				t.Errorf("retry-after %v, want %v", trailer.Get("retry-after"), want)
			}
		})
	}
	r.runner.pass = func(context.Context, *backend.Request) (*pipeline.Passed, error) { panic("boo") }
	if _, err := client.ModelInfer(call(t), request); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "boo") {
		t.Errorf("a panic became %v", err)
	}
}
