package modelconfig

import (
	"slices"
	"strings"
	"testing"

	"triton-gateway/tensor"
)

func own(name string, dims ...int64) IO { return IO{Name: name, DType: tensor.FP32, Dims: dims} }

func TestCompleteEmptyConfig(t *testing.T) {
	c, _ := Parse("m", nil)
	before := c.Digest
	if err := c.Complete([]IO{own("x", -1, 3, 64, 64)}, []IO{own("y", -1, 5), own("score", -1)}, 4); err != nil {
		t.Fatal(err)
	}
	if c.MaxBatchSize != 4 || !slices.Equal(c.Inputs[0].Dims, []int64{3, 64, 64}) || !slices.Equal(c.Outputs[0].Dims, []int64{5}) {
		t.Errorf("%+v", c)
	}
	if s := c.Output("score"); !slices.Equal(s.Dims, []int64{1}) || s.Reshape == nil || len(s.Reshape) != 0 {
		t.Errorf("a tensor with nothing but the batch: %+v", s)
	}
	if c.Digest == before {
		t.Error("the digest did not follow")
	}
}

func TestCompleteUnbatched(t *testing.T) {
	c, _ := Parse("m", nil)
	if err := c.Complete([]IO{own("x", 1, 3, 64, 64)}, []IO{own("y", -1, 5)}, 4); err != nil {
		t.Fatal(err)
	}
	if c.MaxBatchSize != 0 || !slices.Equal(c.Inputs[0].Dims, []int64{1, 3, 64, 64}) || !slices.Equal(c.Outputs[0].Dims, []int64{-1, 5}) {
		t.Errorf("%+v", c)
	}
}

func TestCompleteKeepsWhatIsGiven(t *testing.T) {
	text := `input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] } output { name: "y" data_type: TYPE_FP32 dims: [-1, 5] }`
	c, _ := Parse("m", []byte(text))
	before := c.Digest
	if err := c.Complete([]IO{own("x", -1, 3)}, []IO{own("y", -1, 5), own("z", -1)}, 4); err != nil {
		t.Fatal(err)
	}
	if c.MaxBatchSize != 0 || len(c.Outputs) != 1 || c.Digest != before {
		t.Errorf("%+v", c)
	}
}

func TestCompleteHalf(t *testing.T) {
	c, _ := Parse("m", []byte(`input { name: "x" data_type: TYPE_FP32 dims: [3] }`)) // without the batch dimension: a hint
	if err := c.Complete([]IO{own("x", -1, 3)}, []IO{own("y", -1, 5)}, 4); err != nil {
		t.Fatal(err)
	}
	if c.MaxBatchSize != 4 || !slices.Equal(c.Outputs[0].Dims, []int64{5}) {
		t.Errorf("%+v", c)
	}
	c, _ = Parse("m", []byte(`input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] }`)) // with it: no batching
	if err := c.Complete([]IO{own("x", -1, 3)}, []IO{own("y", -1, 5)}, 4); err != nil {
		t.Fatal(err)
	}
	if c.MaxBatchSize != 0 || !slices.Equal(c.Outputs[0].Dims, []int64{-1, 5}) {
		t.Errorf("%+v", c)
	}
}

func TestCompleteRefuses(t *testing.T) {
	x := `input { name: "x" data_type: TYPE_FP32 dims: [3] }`
	for _, c := range []struct {
		name, text, want string
		inputs           []IO
	}{
		{"fixed batch", `max_batch_size: 8`, "first dimension does not vary", []IO{own("x", 1, 3)}},
		{"no such input", `max_batch_size: 8 ` + x, `the model has no such input; it has "image"`, []IO{own("image", -1, 3)}},
		{"missing input", `max_batch_size: 8 ` + x, `input "mask" of the model is not in the config`, []IO{own("x", -1, 3), own("mask", -1)}},
		{"datatype", `max_batch_size: 8 ` + x, "data_type is FP32, the model has FP16", []IO{{Name: "x", DType: tensor.FP16, Dims: []int64{-1, 3}}}},
		{"rank", `max_batch_size: 8 ` + x, "the full shape is [-1 3], the model has [-1 3 4]", []IO{own("x", -1, 3, 4)}},
		{"both given, no batch dimension", x + `output { name: "y" data_type: TYPE_FP32 dims: [5] }`, "the full shape is [3], the model has [-1 3]", []IO{own("x", -1, 3)}},
		{"dims", `max_batch_size: 8 ` + x, "the model has [-1 4]", []IO{own("x", -1, 4)}},
	} {
		config, err := Parse("m", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if err := config.Complete(c.inputs, []IO{own("y", -1, 5)}, 4); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// A config may fix what the model leaves open, and leave open what the model fixes.
func TestCompleteVariableDims(t *testing.T) {
	c, _ := Parse("m", []byte(`max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [3, -1] }`))
	if err := c.Complete([]IO{own("x", -1, -1, 64)}, []IO{own("y", -1)}, 4); err != nil {
		t.Error(err)
	}
	if !slices.Equal(c.Inputs[0].Dims, []int64{3, -1}) {
		t.Errorf("%+v", c.Inputs)
	}
}

func TestCompleteHonoursReshape(t *testing.T) {
	c, _ := Parse("m", []byte(`max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [1] reshape { shape: [] } }`))
	if err := c.Complete([]IO{own("x", -1)}, []IO{own("y", -1)}, 4); err != nil {
		t.Error(err)
	}
}
