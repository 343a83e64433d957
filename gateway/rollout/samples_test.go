package rollout

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

func TestSamplesAreWhatTheModelTakes(t *testing.T) {
	for name, c := range map[string]struct {
		config  string
		limit   int64
		batches []int64 // the first dimension of the first input
	}{
		"batches":            {small, 1 << 20, []int64{1, 8}},
		"bounded":            {small, 3*16 + 15, []int64{1, 3}},
		"no room for two":    {small, 16, []int64{1}},
		"batch of one":       {`max_batch_size: 1 input { name: "x" data_type: TYPE_INT64 dims: [3] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1}},
		"no batch":           {`input { name: "x" data_type: TYPE_UINT8 dims: [-1, 7] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1}},
		"text":               {`max_batch_size: 4 input { name: "x" data_type: TYPE_STRING dims: [2] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1, 4}},
		"optional left out":  {`max_batch_size: 4 input { name: "o" data_type: TYPE_FP32 dims: [1] optional: true } input { name: "x" data_type: TYPE_BOOL dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1, 4}},
		"sequence":           {`max_batch_size: 4 sequence_batching { } input { name: "x" data_type: TYPE_FP32 dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1}},
		"layout of its own":  {`max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [3] is_non_linear_format_io: true } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, nil},
		"nothing in a batch": {`max_batch_size: 4 input { name: "x" data_type: TYPE_FP16 dims: [2, 3] } input { name: "s" data_type: TYPE_INT32 dims: [2] is_shape_tensor: true } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, 1 << 20, []int64{1, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			parsed := config(t, c.config)
			list, err := Samples(parsed, "m", "2", c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var batches []int64
			for _, r := range list {
				batches = append(batches, r.Inputs[0].Shape[0])
				total := 0
				for _, in := range r.Inputs {
					total += len(in.Data)
				}
				if err := backend.Check(parsed, r); err != nil || int64(total) > c.limit || r.Version != "2" || r.Model != "m" {
					t.Errorf("%d bytes, version %s of %s: %v", total, r.Version, r.Model, err)
				}
				if (r.Params["sequence_start"] == true) != (name == "sequence") {
					t.Errorf("params %v", r.Params)
				}
			}
			if !slices.Equal(batches, c.batches) {
				t.Errorf("batches %v, want %v", batches, c.batches)
			}
		})
	}
}

func TestSamplesHaveNumbersOfTheirDatatype(t *testing.T) {
	c := &modelconfig.Config{Inputs: []modelconfig.IO{{Name: "h", DType: tensor.FP16, Dims: []int64{64}}, {Name: "b", DType: tensor.BF16, Dims: []int64{64}}, {Name: "f", DType: tensor.FP32, Dims: []int64{64}},
		{Name: "d", DType: tensor.FP64, Dims: []int64{64}}, {Name: "i", DType: tensor.Int64, Dims: []int64{64}}, {Name: "s", DType: tensor.Int32, Dims: []int64{3}, ShapeTensor: true}}}
	list, err := Samples(c, "m", "1", 1<<20)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	le := binary.LittleEndian
	in := list[0].Inputs
	for i := range 64 {
		half := le.Uint16(in[0].Data[2*i:])
		values := []float64{math.Ldexp(1+float64(half&0x3ff)/1024, int(half>>10)-15), float64(math.Float32frombits(uint32(le.Uint16(in[1].Data[2*i:])) << 16)),
			float64(math.Float32frombits(le.Uint32(in[2].Data[4*i:]))), math.Float64frombits(le.Uint64(in[3].Data[8*i:]))}
		for k, v := range values {
			if v < 0.5 || v >= 1 {
				t.Fatalf("input %s has %v", in[k].Name, v)
			}
		}
	}
	if !bytes.Equal(in[4].Data, make([]byte, 512)) || !bytes.Equal(in[5].Data, []byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}) {
		t.Errorf("whole numbers %v, shape %v", in[4].Data, in[5].Data)
	}
	again, _ := Samples(c, "m", "1", 1<<20)
	if !bytes.Equal(again[0].Inputs[2].Data, in[2].Data) {
		t.Error("the numbers differ from time to time")
	}
}

func TestSamplesAreBoundedInBytes(t *testing.T) {
	for _, dims := range [][]int64{{5}, {math.MaxInt64, math.MaxInt64}, {math.MaxInt64 / 2}} {
		c := &modelconfig.Config{MaxBatchSize: 2, Inputs: []modelconfig.IO{{Name: "x", DType: tensor.FP32, Dims: dims}, {Name: "z", DType: tensor.FP32, Dims: dims}}}
		if _, err := Samples(c, "m", "1", 19); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%v: %v", dims, err)
		}
	}
	if list, err := Samples(nil, "m", "1", 19); list != nil || err != nil {
		t.Error(list, err)
	}
}
