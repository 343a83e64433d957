package shadow

import (
	"encoding/binary"
	"math"
	"testing"

	"triton-gateway/postprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func raw(list ...tensor.Tensor) *postprocess.Result { return &postprocess.Result{Outputs: list} }

func floats(name string, v ...float32) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.FP32, Shape: []int64{int64(len(v))}}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

func longs(name string, v ...int64) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.Int64, Shape: []int64{int64(len(v))}}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(x))
	}
	return t
}

func texts(name string, v ...string) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.Bytes, Shape: []int64{int64(len(v))}}
	for _, x := range v {
		t.Data = append(binary.LittleEndian.AppendUint32(t.Data, uint32(len(x))), x...)
	}
	return t
}

func TestTensors(t *testing.T) {
	n, i := float32(nan), float32(inf)
	broken := floats("x", 1, 2)
	broken.Shape = []int64{3}
	tall := floats("x", 1, 2)
	tall.Shape = []int64{2, 1}
	figures := func(greatest, relative, differing float64) none {
		return none{"greatest_difference": greatest, "relative_difference": relative, "differing": differing}
	}
	for name, c := range map[string]struct {
		a, b *postprocess.Result
		want want
	}{
		"the same":         {raw(floats("x", 1, 2)), raw(floats("x", 1, 2)), want{0, true, false, figures(0, 0, 0)}},
		"1 of 128":         {raw(floats("x", 127, -3)), raw(floats("x", 128, -3)), want{1.0 / 128, true, false, figures(1, 1.0/128, 0.5)}},
		"signs":            {raw(floats("x", 1)), raw(floats("x", -1)), want{1, false, false, figures(2, 1, 1)}},
		"the greatest":     {raw(floats("x", 1, 4), floats("y", 100)), raw(floats("y", 90), floats("x", 2, 4)), want{0.25, false, false, figures(10, 0.25, 2.0/3)}},
		"of 0":             {raw(floats("x", 0, 0)), raw(floats("x", 0, 0)), want{0, true, false, figures(0, 0, 0)}},
		"-0 is 0":          {raw(floats("x", 0)), raw(floats("x", float32(math.Copysign(0, -1)))), want{0, true, false, figures(0, 0, 0)}},
		"NaN both":         {raw(floats("x", n, i)), raw(floats("x", n, i)), want{0, true, false, figures(0, 0, 0)}},
		"NaN in one":       {raw(floats("x", n, 1)), raw(floats("x", 1, 1)), want{1, false, true, none{}}},
		"infinities":       {raw(floats("x", i, 1)), raw(floats("x", -i, 1)), want{1, false, true, none{}}},
		"large whole":      {raw(longs("x", 1<<60)), raw(longs("x", 1<<60+1)), want{0x1p-60, true, false, figures(1, 0x1p-60, 1)}},
		"names":            {raw(floats("x", 1)), raw(floats("y", 1)), want{1, false, true, none{}}},
		"numbers of":       {raw(floats("x", 1)), raw(floats("x", 1), floats("y", 1)), want{1, false, true, none{}}},
		"datatypes":        {raw(floats("x", 1)), raw(longs("x", 1)), want{1, false, true, none{}}},
		"shapes":           {raw(floats("x", 1, 2)), raw(tall), want{1, false, true, none{}}},
		"not as its shape": {raw(broken), raw(broken), want{1, false, true, none{}}},
		"a name twice":     {raw(floats("x", 1), floats("x", 2)), raw(floats("x", 1), floats("x", 2)), want{0, true, false, figures(0, 0, 0)}},
		"none":             {raw(), raw(), want{0, true, false, none{}}},
		"no element":       {raw(floats("x")), raw(floats("x")), want{0, true, false, none{}}},
		"texts":            {raw(texts("x", "a", "bc", "", "d")), raw(texts("x", "a", "b", "", "d")), want{0.25, false, false, figures(1, 0.25, 0.25)}},
		"same texts":       {raw(texts("x", "a", "bc")), raw(texts("x", "a", "bc")), want{0, true, false, figures(0, 0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, Compare(task.Raw, c.a, c.b, Tolerance(task.Raw)), c.want)
			check(t, Compare(task.Raw, c.b, c.a, Tolerance(task.Raw)), c.want)
		})
	}
}

func TestNumbersOfEveryDatatype(t *testing.T) {
	le := binary.LittleEndian
	for d, c := range map[tensor.DType]struct {
		data []byte
		want [2]float64
	}{
		tensor.Bool:   {[]byte{0, 1}, [2]float64{0, 1}},
		tensor.Uint8:  {[]byte{7, 255}, [2]float64{7, 255}},
		tensor.Int8:   {[]byte{7, 255}, [2]float64{7, -1}},
		tensor.Uint16: {[]byte{0, 1, 255, 255}, [2]float64{256, 65535}},
		tensor.Int16:  {[]byte{0, 1, 255, 255}, [2]float64{256, -1}},
		tensor.FP16:   {[]byte{0x00, 0x3e, 0x01, 0x80}, [2]float64{1.5, -0x1p-24}},
		tensor.BF16:   {[]byte{0xc0, 0x3f, 0x00, 0xc0}, [2]float64{1.5, -2}},
		tensor.Uint32: {le.AppendUint32(le.AppendUint32(nil, 9), math.MaxUint32), [2]float64{9, math.MaxUint32}},
		tensor.Int32:  {le.AppendUint32(le.AppendUint32(nil, 9), math.MaxUint32), [2]float64{9, -1}},
		tensor.FP32:   {floats("", 0.25, -3).Data, [2]float64{0.25, -3}},
		tensor.Uint64: {longs("", 9, -1).Data, [2]float64{9, math.MaxUint64}},
		tensor.Int64:  {longs("", 9, -1).Data, [2]float64{9, -1}},
		tensor.FP64:   {le.AppendUint64(le.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(-1e300)), [2]float64{0.1, -1e300}},
	} {
		x := tensor.Tensor{Name: "x", DType: d, Shape: []int64{2}, Data: c.data}
		if err := x.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := [2]float64{number(&x, 0), number(&x, 1)}; got != c.want {
			t.Errorf("%v: %v, want %v", d, got, c.want)
		}
	}
	for h, want := range map[uint16]float64{0x7bff: 65504, 0x7c00: inf, 0xfc00: -inf, 0x3c01: 1 + 0x1p-10, 0x0400: 0x1p-14} {
		if got := binary16(h); got != want {
			t.Errorf("%#x: %v, want %v", h, got, want)
		}
	}
	if !math.IsNaN(binary16(0x7e00)) {
		t.Error("a NaN is a number")
	}
}
