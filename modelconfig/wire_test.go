package modelconfig

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func TestWireKeepsWhatTheGatewayDoesNotUse(t *testing.T) {
	text := `name: "m" metric_tags { key: "a" value: "b" } sequence_batching { control_input { name: "start" control { int32_false_true: [0, 1] } } }`
	c, err := Parse("m", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var pb tritonpb.ModelConfig
	if err := proto.Unmarshal(c.Wire(), &pb); err != nil {
		t.Fatal(err)
	}
	if pb.Name != "m" || pb.MetricTags["a"] != "b" || pb.GetSequenceBatching().ControlInput[0].Control[0].Int32FalseTrue[1] != 1 {
		t.Errorf("%v", &pb)
	}
	if pb.VersionPolicy != nil || len(pb.InstanceGroup) != 0 {
		t.Errorf("something was added that only Complete adds: %v", &pb)
	}
}

// A Config is copied by value: what happens to a copy must not show in the other.
func TestCopiesAreApart(t *testing.T) {
	c, err := Parse("m", []byte(`max_batch_size: 8 instance_group { count: 3 }`))
	if err != nil {
		t.Fatal(err)
	}
	before, digest := c.Wire(), c.Digest
	done := *c
	if err := done.Complete([]IO{own("x", -1, 3)}, []IO{own("y", -1)}, 4); err != nil {
		t.Fatal(err)
	}
	done.Wire()[0] ^= 0xff
	if !bytes.Equal(c.Wire(), before) || c.Platform != "" || c.Filename != "" || len(c.Inputs) != 0 || c.Digest != digest {
		t.Errorf("the original changed: %+v", c)
	}
	again, err := Parse("m", []byte(`instance_group { count: 3 } max_batch_size: 8`))
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("two readings of the same config differ: %+v %+v %v", c, again, err)
	}
}

func TestCompleteFillsTheWholeConfig(t *testing.T) {
	c, _ := Parse("m", nil)
	if err := c.Complete([]IO{own("x", -1, 3), {Name: "s", DType: tensor.Bytes, Dims: []int64{-1}, Optional: true}}, []IO{own("y", -1)}, 4); err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"m","platform":"onnxruntime_onnx","backend":"onnxruntime","runtime":"","version_policy":{"latest":{"num_versions":1}},"max_batch_size":4,` +
		`"input":[{"name":"x","data_type":"TYPE_FP32","format":"FORMAT_NONE","dims":[3],"is_shape_tensor":false,"allow_ragged_batch":false,"optional":false,"is_non_linear_format_io":false},` +
		`{"name":"s","data_type":"TYPE_STRING","format":"FORMAT_NONE","dims":[1],"reshape":{"shape":[]},"is_shape_tensor":false,"allow_ragged_batch":false,"optional":true,"is_non_linear_format_io":false}],` +
		`"output":[{"name":"y","data_type":"TYPE_FP32","dims":[1],"reshape":{"shape":[]},"label_filename":"","is_shape_tensor":false,"is_non_linear_format_io":false}],` +
		`"batch_input":[],"batch_output":[],"optimization":{"priority":"PRIORITY_DEFAULT","input_pinned_memory":{"enable":true},"output_pinned_memory":{"enable":true},` +
		`"gather_kernel_buffer_threshold":0,"eager_batching":false},"instance_group":[{"name":"m","kind":"KIND_CPU","count":2,"gpus":[],"secondary_devices":[],"profile":[],"passive":false,"host_policy":""}],` +
		`"default_model_filename":"model.onnx","cc_model_filenames":{},"metric_tags":{},"parameters":{},"model_warmup":[]}`
	if got := string(c.JSON()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if c.Instances != 2 || c.Platform != "onnxruntime_onnx" || c.Filename != "model.onnx" {
		t.Errorf("%+v", c)
	}
}

func TestWireOfAConfigMadeByHand(t *testing.T) {
	c := &Config{Name: "m", MaxBatchSize: 2, Decoupled: true, Parameters: map[string]string{"k": "v"}, Inputs: []IO{{Name: "x", DType: tensor.Bytes, Dims: []int64{-1}, Format: "FORMAT_NONE"}},
		Outputs: []IO{{Name: "y", DType: tensor.BF16, Dims: []int64{2}, LabelFilename: "l.txt"}}}
	var pb tritonpb.ModelConfig
	if err := proto.Unmarshal(c.Wire(), &pb); err != nil {
		t.Fatal(err)
	}
	got, err := FromProto(&pb)
	if err != nil || got.Name != "m" || got.MaxBatchSize != 2 || !got.Decoupled || !reflect.DeepEqual(got.Parameters, c.Parameters) || got.Input("x").DType != tensor.Bytes ||
		!reflect.DeepEqual(got.Outputs, c.Outputs) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestFromProtoRefusesTextThatIsNotUTF8(t *testing.T) {
	if _, err := FromProto(&tritonpb.ModelConfig{Name: "m", MetricTags: map[string]string{"a": "\xff"}}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("%v", err)
	}
}

func TestWriteFloat(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1: "0.1", -2: "-2", 1e21: "1e+21", math.NaN(): `"NaN"`, math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`} {
		var b bytes.Buffer
		writeFloat(&b, v, 64)
		if b.String() != want {
			t.Errorf("%g: %s, want %s", v, b.String(), want)
		}
	}
}

// FuzzJSON: whatever a config holds, its JSON is JSON, and says what the message says.
func FuzzJSON(f *testing.F) {
	for _, text := range tritonConfigs {
		f.Add([]byte(text))
	}
	f.Add([]byte(full))
	f.Add([]byte(`metric_tags { key: "\001\"\\" value: "\n\f\177" } model_warmup { inputs { value { dims: -9223372036854775808 } } } model_metrics { metric_control { histogram_options { buckets: [nan, -inf, 1e300] } } }`))
	paths, _ := filepath.Glob("../model_repository/*/config.pbtxt")
	if len(paths) == 0 {
		f.Fatal("no demo models")
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("m", text)
		if err != nil {
			return
		}
		out := c.JSON()
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		want := new(tritonpb.ModelConfig)
		if err := proto.Unmarshal(c.Wire(), want); err != nil {
			t.Fatal(err)
		}
		got := new(tritonpb.ModelConfig)
		if err := protojson.Unmarshal(out, got); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if a, b := wire(got), wire(want); !bytes.Equal(a, b) {
			t.Fatalf("%s says %v, not %v", out, got, want)
		}
	})
}
