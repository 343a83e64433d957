package modelconfig

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

const full = `
# a comment
name: "m" backend: "onnxruntime" max_batch_size: 8
input [ { name: "image" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, -1, 64 ] },
        { name: "note" data_type: TYPE_STRING dims: 1 optional: true reshape { shape: [ ] } } ]
output { name: "logits" data_type: TYPE_FP16 dims: 5 label_filename: "labels.txt" }
version_policy: { specific { versions: [1, 3] } }
instance_group [ { kind: KIND_CPU count: 2 }, { kind: KIND_CPU } ]
parameters { key: "task" value: { string_value: "task: raw" } }
model_transaction_policy { decoupled: true }
response_cache { enable: true }
default_model_filename: "net.onnx"
`

func TestParseReadsEverything(t *testing.T) {
	c, err := Parse("m", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "m" || c.Backend != "onnxruntime" || c.MaxBatchSize != 8 || c.Instances != 3 || !c.Decoupled || !c.ResponseCache || c.Ensemble {
		t.Errorf("%+v", c)
	}
	if c.Parameters["task"] != "task: raw" || c.Filename != "net.onnx" {
		t.Errorf("parameters %v, file %q", c.Parameters, c.Filename)
	}
	image := c.Input("image")
	if image == nil || image.DType != tensor.FP32 || image.Format != "FORMAT_NCHW" || !slices.Equal(image.Dims, []int64{3, -1, 64}) || image.Reshape != nil {
		t.Errorf("image: %+v", image)
	}
	note := c.Input("note")
	if note == nil || note.DType != tensor.Bytes || !note.Optional || note.Reshape == nil || len(note.Reshape) != 0 || note.Format != "" {
		t.Errorf("note: %+v", note)
	}
	logits := c.Output("logits")
	if logits == nil || logits.DType != tensor.FP16 || logits.LabelFilename != "labels.txt" {
		t.Errorf("logits: %+v", logits)
	}
	if c.Output("image") != nil || c.Input("logits") != nil {
		t.Error("inputs and outputs are mixed up")
	}
	if !slices.Equal(c.Policy.Specific, []int64{1, 3}) {
		t.Errorf("policy %+v", c.Policy)
	}
}

func TestParseRefuses(t *testing.T) {
	io := `name: "m" input { name: "x" data_type: TYPE_FP32 dims: 1 }` + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", "name: \"m\"\nmax_batch: 3", "line 2:1): unknown field: max_batch"},
		{"unknown enum", `input { data_type: TYPE_FLOAT }`, "TYPE_FLOAT"},
		{"another name", `name: "other"`, `name is "other"; it must be the folder's name`},
		{"negative batch", `max_batch_size: -1`, "max_batch_size is -1"},
		{"zero dim", `input { name: "x" data_type: TYPE_FP32 dims: [1, 0] }`, `input "x": dimension 0`},
		{"negative dim", `output { name: "x" data_type: TYPE_FP32 dims: [-2] }`, `output "x": dimension -2`},
		{"no dims", `input { name: "x" data_type: TYPE_FP32 }`, `input "x": dims are missing`},
		{"no type", `input { name: "x" dims: 1 }`, `input "x": data_type is missing`},
		{"no name", `input { data_type: TYPE_FP32 dims: 1 }`, `input[0]: name is missing`},
		{"twice", io + `input { name: "x" data_type: TYPE_FP32 dims: 1 }`, `input "x" is there twice`},
		{"huge", `input { name: "x" data_type: TYPE_FP32 dims: [9223372036854775807, 2] }`, "too many elements"},
		{"reshape", `input { name: "x" data_type: TYPE_FP32 dims: [4] reshape { shape: [ 3 ] } }`, "different numbers of elements"},
		{"reshape around -1", `input { name: "x" data_type: TYPE_FP32 dims: [4, -1] reshape { shape: [ -1, 4 ] } }`, "different numbers of elements"},
		{"empty reshape", `input { name: "x" data_type: TYPE_FP32 dims: [1] reshape { } }`, "needs max_batch_size above 0"},
		{"format", `input { name: "x" data_type: TYPE_FP32 dims: [4] format: FORMAT_NCHW }`, "FORMAT_NCHW needs 3 dims"},
		{"latest 0", `version_policy { latest { } }`, "num_versions 0"},
		{"specific none", `version_policy { specific { } }`, "names no version"},
		{"negative instances", `instance_group { count: -1 }`, "count is -1"},
		{"rank", `input { name: "x" data_type: TYPE_FP32 dims: [` + strings.Repeat("1,", 32) + `1] }`, "more than 32 dims"},
		{"not text", "\x00\xff", "line 1"},
	} {
		_, err := Parse("m", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `model "m"`) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Parse("m", make([]byte, MaxBytes+1)); err == nil {
		t.Error("a huge file is read")
	}
	if _, err := FromProto(nil); err == nil {
		t.Error("nil is read")
	}
}

func TestParseReportsAllFaults(t *testing.T) {
	_, err := Parse("m", []byte(`max_batch_size: -2 input { name: "x" dims: [0] } output { name: "y" data_type: TYPE_FP32 }`))
	for _, want := range []string{"max_batch_size is -2", `input "x": data_type`, `input "x": dimension 0`, `output "y": dims`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestDigestFollowsTheMeaning(t *testing.T) {
	parse := func(text string) [32]byte {
		c, err := Parse("m", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	base := parse(`name: "m" max_batch_size: 8 parameters { key: "a" value { string_value: "1" } } parameters { key: "b" value { string_value: "2" } }`)
	same := parse(`parameters { key: "b" value { string_value: "2" } } # x
	max_batch_size: 8  parameters: { key: "a" value: { string_value: "1" } }`)
	other := parse(`name: "m" max_batch_size: 8 parameters { key: "a" value { string_value: "1" } } parameters { key: "b" value { string_value: "3" } }`)
	if base != same {
		t.Error("the same config has two digests")
	}
	if base == other || base == [32]byte{} {
		t.Error("two configs have one digest")
	}
}

func TestFromProtoOfWhatTritonAnswers(t *testing.T) {
	pb := &tritonpb.ModelConfig{Name: "e", Platform: "ensemble", VersionPolicy: &tritonpb.ModelVersionPolicy{},
		SchedulingChoice: &tritonpb.ModelConfig_EnsembleScheduling{EnsembleScheduling: &tritonpb.ModelEnsembling{}},
		InstanceGroup:    []*tritonpb.ModelInstanceGroup{{Kind: tritonpb.ModelInstanceGroup_KIND_GPU, Count: 2, Gpus: []int32{0, 1, 2}}}}
	before := proto.Clone(pb)
	c, err := FromProto(pb)
	if err != nil || !c.Ensemble || !c.Policy.All || c.Instances != 6 {
		t.Errorf("%+v, %v", c, err)
	}
	if !proto.Equal(before, pb) {
		t.Error("the message was changed")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	paths, _ := filepath.Glob("../model_repository/*/config.pbtxt")
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte(`input { dims: -1 reshape { } }`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("", text)
		if err != nil {
			return
		}
		for _, io := range append(slices.Clone(c.Inputs), c.Outputs...) {
			if io.Name == "" || io.DType == tensor.Invalid || len(io.Dims) == 0 {
				t.Fatalf("accepted %+v", io)
			}
		}
		if again, err := Parse(c.Name, text); err != nil || again.Digest != c.Digest {
			t.Fatalf("the second reading differs: %v", err)
		}
		if got := c.Policy.Select([]int64{1, 2, 3}); len(got) > 3 {
			t.Fatalf("selected %v", got)
		}
	})
}
