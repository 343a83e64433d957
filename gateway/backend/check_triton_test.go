package backend

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/parts"
	"triton-gateway/tritonpb"
)

// zerosModel answers zeros for every output.
const zerosModel = `
import json
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        self.outputs = json.loads(args["model_config"])["output"]

    def execute(self, requests):
        def zeros(o):
            if o["data_type"] == "TYPE_STRING":
                return np.array([[b"a"]], dtype=object)
            return np.zeros([1] + o["dims"], pb_utils.triton_string_to_numpy(o["data_type"]))
        return [pb_utils.InferenceResponse([pb_utils.Tensor(o["name"], zeros(o)) for o in self.outputs]) for _ in requests]
`

// TestTritonSaysTheSame sends what Check refuses, and what it lets pass, to a Triton.
func TestTritonSaysTheSame(t *testing.T) {
	dir, names := t.TempDir(), map[string]string{}
	model := func(config string) string {
		if names[config] == "" {
			name := "m" + strconv.Itoa(len(names))
			names[config] = name
			for file, data := range map[string]string{"1/model.py": zerosModel, "config.pbtxt": `backend: "python" instance_group { count: 1 kind: KIND_CPU } ` + config} {
				path := filepath.Join(dir, name, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		return names[config]
	}
	for _, c := range refusals {
		model(c.config)
	}
	for _, c := range fitting {
		model(c.config)
	}
	server := parts.Triton(t, dir)
	conn, err := grpc.NewClient(server.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	infer := func(name string, r *Request) error {
		m := &tritonpb.ModelInferRequest{ModelName: name, Id: "42"}
		for i := range r.Inputs {
			t := &r.Inputs[i]
			m.Inputs = append(m.Inputs, &tritonpb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
			m.RawInputContents = append(m.RawInputContents, t.Data)
		}
		for _, o := range r.Outputs {
			out := &tritonpb.ModelInferRequest_InferRequestedOutputTensor{Name: o.Name}
			if o.Classes != 0 {
				out.Parameters = map[string]*tritonpb.InferParameter{"classification": {ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: o.Classes}}}
			}
			m.Outputs = append(m.Outputs, out)
		}
		_, err := client.ModelInfer(t.Context(), m)
		return err
	}
	for _, c := range refusals {
		want, prefixed := strings.CutPrefix(c.want, ".")
		if prefixed {
			want = "[request id: 42] " + want
		}
		name := names[c.config]
		want = strings.ReplaceAll(want, "'m'", "'"+name+"'")
		if got := status.Convert(infer(name, c.request)).Message(); got != want {
			t.Errorf("Triton says %q, Check says %q", got, want)
		}
	}
	for what, c := range fitting {
		if err := infer(names[c.config], c.request); err != nil {
			t.Errorf("%s: Triton says %v", what, err)
		}
	}
}
