//go:build cgo

package ort

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

func open(tb testing.TB) *Runtime {
	tb.Helper()
	r, err := Open(parts.ONNXRuntime(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func load(tb testing.TB, r *Runtime, name string, o Options) *Session {
	tb.Helper()
	s, err := r.Load(model(tb, name), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func floats(name string, shape []int64, values ...float32) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.FP32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

func TestRunKnownAndUnknownShape(t *testing.T) {
	s := load(t, open(t), "add1", Options{})
	want := floats("y", []int64{2, 4}, 2, 3, 4, 5, 6, 7, 8, 9)
	in := []tensor.Tensor{floats("x", []int64{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)}
	for _, shapes := range [][][]int64{nil, {nil}, {{2, 4}}} {
		out, err := s.Run(context.Background(), in, shapes)
		if err != nil || !reflect.DeepEqual(out, []tensor.Tensor{want}) {
			t.Errorf("shapes %v: %v %v, want %v", shapes, out, err, want)
		}
	}
}

func TestRunUnalignedInput(t *testing.T) {
	s := load(t, open(t), "add1", Options{})
	in := floats("x", []int64{1, 4}, 1, 2, 3, 4)
	in.Data = append(make([]byte, 1, 32), in.Data...)[1:]
	out, err := s.Run(context.Background(), []tensor.Tensor{in}, nil)
	if want := floats("y", []int64{1, 4}, 2, 3, 4, 5); err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("%v %v", out, err)
	}
}

func TestRunAnnouncedShapeIsWrong(t *testing.T) {
	s := load(t, open(t), "collapse", Options{})
	in := []tensor.Tensor{floats("x", []int64{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)}
	if _, err := s.Run(context.Background(), in, [][]int64{{2, 4}}); !errors.Is(err, ErrOutput) {
		t.Errorf("got %v, want ErrOutput", err)
	}
}

func TestRunEveryType(t *testing.T) {
	s := load(t, open(t), "types", Options{})
	var in []tensor.Tensor
	for _, v := range s.Graph().Inputs {
		in = append(in, tensor.Tensor{Name: v.Name, DType: v.DType, Shape: []int64{1, 2}, Data: sample(v.DType)})
	}
	if len(in) != 14 {
		t.Fatalf("%d inputs", len(in))
	}
	for _, announced := range []bool{false, true} {
		var shapes [][]int64
		if announced {
			for range in {
				shapes = append(shapes, []int64{1, 2})
			}
		}
		out, err := s.Run(context.Background(), in, shapes)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range out {
			want := tensor.Tensor{Name: "out" + strings.TrimPrefix(in[i].Name, "in"), DType: in[i].DType, Shape: []int64{1, 2}, Data: in[i].Data}
			if !reflect.DeepEqual(o, want) {
				t.Errorf("announced %v: got %v, want %v", announced, o, want)
			}
		}
	}
}

// sample gives two elements that a mix-up of types would not survive.
func sample(d tensor.DType) []byte {
	switch d {
	case tensor.Bytes:
		return []byte("\x03\x00\x00\x00d\xc3\xa9\x00\x00\x00\x00")
	case tensor.Bool:
		return []byte{1, 0}
	case tensor.FP16:
		return []byte{0x01, 0x00, 0xff, 0xfb} // the smallest subnormal, -65504
	case tensor.BF16:
		return []byte{0x01, 0x00, 0x7f, 0xff} // the smallest subnormal, near the largest negative
	}
	out := make([]byte, 2*d.Size())
	for i := range out {
		out[i] = byte(0x11 * (i + 1))
	}
	return out
}

func TestRunNoElements(t *testing.T) {
	s := load(t, open(t), "types", Options{})
	var in []tensor.Tensor
	var shapes [][]int64
	for _, v := range s.Graph().Inputs {
		in = append(in, tensor.Tensor{Name: v.Name, DType: v.DType, Shape: []int64{0, 2}})
		shapes = append(shapes, []int64{0, 2})
	}
	for _, shapes := range [][][]int64{nil, shapes} {
		out, err := s.Run(context.Background(), in, shapes)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if len(o.Data) != 0 || !reflect.DeepEqual(o.Shape, []int64{0, 2}) {
				t.Errorf("%v", o)
			}
		}
	}
}

func TestRunHalves(t *testing.T) {
	s := load(t, open(t), "half", Options{})
	// 0.5, 1, 40000 (doubles beyond the range), NaN
	in := tensor.Tensor{Name: "x", DType: tensor.FP16, Shape: []int64{4}, Data: []byte{0x00, 0x38, 0x00, 0x3c, 0xe2, 0x78, 0x00, 0x7e}}
	out, err := s.Run(context.Background(), []tensor.Tensor{in}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x00, 0x3c, 0x00, 0x40, 0x00, 0x7c, 0x00, 0x7e}; !reflect.DeepEqual(out[0].Data, want) {
		t.Errorf("got % x, want % x", out[0].Data, want)
	}
}

func TestRunShapeFromData(t *testing.T) {
	s := load(t, open(t), "nonzero", Options{})
	out, err := s.Run(context.Background(), []tensor.Tensor{floats("x", []int64{4}, 0, 1, 0, 2)}, nil)
	want := tensor.Tensor{Name: "y", DType: tensor.Int64, Shape: []int64{1, 2}, Data: []byte{1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}}
	if err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("got %v %v, want %v", out, err, want)
	}
}

func TestRunScalar(t *testing.T) {
	s := load(t, open(t), "scalar", Options{})
	out, err := s.Run(context.Background(), []tensor.Tensor{floats("x", []int64{3}, 1, 2, 4)}, nil)
	if want := floats("y", []int64{}, 7); err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("got %v %v, want %v", out, err, want)
	}
}

func TestRunRefusesBadElements(t *testing.T) {
	s := load(t, open(t), "types", Options{})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"in_bool":  {[]byte{0, 7}, "BOOL element 1 is 7"},
		"in_bytes": {[]byte("\x01\x00\x00\x00a\x01\x00\x00\x00\x00"), "BYTES element 1 holds a zero byte"},
	} {
		var in []tensor.Tensor
		for _, v := range s.Graph().Inputs {
			data := sample(v.DType)
			if v.Name == name {
				data = c.data
			}
			in = append(in, tensor.Tensor{Name: v.Name, DType: v.DType, Shape: []int64{1, 2}, Data: data})
		}
		if _, err := s.Run(context.Background(), in, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStopEndsRuns(t *testing.T) {
	s := load(t, open(t), "loop", Options{})
	in := []tensor.Tensor{{Name: "count", DType: tensor.Int64, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 255, 255, 255, 127}}}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		wg.Go(func() {
			if _, err := s.Run(ctx, in, nil); !errors.Is(err, ErrStopped) {
				t.Errorf("got %v, want ErrStopped", err)
			}
		})
	}
	s.Stop() // before or after the start: both must end the runs, which would take centuries
	wg.Wait()
	if _, err := s.Run(context.Background(), in, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestRunStops(t *testing.T) {
	s := load(t, open(t), "loop", Options{})
	in := []tensor.Tensor{{Name: "count", DType: tensor.Int64, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 255, 255, 255, 127}}}
	ctx, cancel := context.WithCancel(context.Background())
	go cancel() // before or after the start: both must end the run, which would take centuries
	if _, err := s.Run(ctx, in, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
	in[0].Data = []byte{5, 0, 0, 0, 0, 0, 0, 0}
	out, err := s.Run(context.Background(), in, nil)
	if want := floats("y", []int64{1}, 5); err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("the session is not usable after a stopped run: %v %v", out, err)
	}
}

func TestRunConcurrently(t *testing.T) {
	s := load(t, open(t), "add1", Options{Threads: 2})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				v := float32(1000*g + i)
				out, err := s.Run(t.Context(), []tensor.Tensor{floats("x", []int64{1, 4}, v, v, v, v)}, [][]int64{{1, 4}})
				if want := floats("y", []int64{1, 4}, v+1, v+1, v+1, v+1); err != nil || !reflect.DeepEqual(out[0], want) {
					t.Errorf("got %v %v, want %v", out, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestLoadRefuses(t *testing.T) {
	r := open(t)
	half := model(t, "add1")
	half = half[:len(half)/2]
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":  {nil, "no graph"},
		"cut":      {half, "cut"},
		"sequence": {model(t, "sequence"), `output "y" is a sequence`},
		"empty":    {field(7, nil), "0 inputs and 0 outputs"},
		"no type":  {graphOf(field(1, []byte("x")), typed("y", 1, 2)), `input "x" is a value without a type`},
		"float8":   {graphOf(typed("x", 17, 2), typed("y", 1, 2)), `input "x" is a tensor of ONNX element type 17`},
		"scalar":   {graphOf(typed("x", 1), typed("y", 1, 2)), `input "x" has no dimensions`},
		"no nodes": {graphOf(typed("x", 1, 2), typed("y", 1, 2)), ""},
	} {
		if s, err := r.Load(c.data, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			if s != nil {
				s.Close()
			}
		}
	}
}

// graphOf makes a model with an input and an output, and nothing that leads from one to the other.
func graphOf(input, output []byte) []byte {
	return field(7, append(field(11, input), field(12, output)...))
}

// typed makes a ValueInfoProto.
func typed(name string, elem uint64, dims ...uint64) []byte {
	var shape []byte
	for _, d := range dims {
		shape = append(shape, field(1, varint(1, d))...)
	}
	return append(field(1, []byte(name)), field(2, field(1, append(varint(1, elem), field(2, shape)...)))...)
}

func TestRunOfWhatDoesNotFit(t *testing.T) {
	s := load(t, open(t), "add1", Options{})
	for name, in := range map[string][]tensor.Tensor{
		"no inputs": nil,
		"two":       {floats("x", []int64{1, 4}, 1, 2, 3, 4), floats("x", []int64{1, 4}, 1, 2, 3, 4)},
		"shape":     {floats("x", []int64{1, 3}, 1, 2, 3)},
		"rank":      {floats("x", []int64{4}, 1, 2, 3, 4)},
		"type":      {{Name: "x", DType: tensor.Int32, Shape: []int64{1, 4}, Data: make([]byte, 16)}},
		"negative":  {floats("x", []int64{-1, 4}, 1, 2, 3, 4)},
		"too short": {floats("x", []int64{2, 4}, 1, 2, 3, 4)},
		"no shape":  {floats("x", nil, 1)},
		"no type":   {{Name: "x", Shape: []int64{1, 4}, DType: tensor.BF16, Data: make([]byte, 8)}},
	} {
		if out, err := s.Run(context.Background(), in, nil); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v %v", name, out, err)
		}
	}
	one := []tensor.Tensor{floats("x", []int64{1, 4}, 1, 2, 3, 4)}
	if out, err := s.Run(context.Background(), one, [][]int64{{1 << 62, 4}}); err == nil {
		t.Errorf("an announced shape with too many elements: %v", out)
	}
	out, err := s.Run(context.Background(), one, [][]int64{{1 << 40, 4}}) // beyond any memory: not set aside
	if want := floats("y", []int64{1, 4}, 2, 3, 4, 5); err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("%v %v", out, err)
	}
}

func TestRunFails(t *testing.T) {
	s := load(t, open(t), "failing", Options{})
	_, err := s.Run(context.Background(), []tensor.Tensor{floats("x", []int64{1, 2}, 1, 2)}, nil)
	if err == nil || errors.Is(err, ErrStopped) || errors.Is(err, ErrOutput) || !strings.Contains(err.Error(), "out of data bounds") {
		t.Errorf("%v", err)
	}
}

func TestRunAfterItsTime(t *testing.T) {
	s := load(t, open(t), "add1", Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, []tensor.Tensor{floats("x", []int64{1, 4}, 1, 2, 3, 4)}, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
}

// TestInputsAreLent: the tensor's own bytes are what the library reads, also when they belong to a larger message.
func TestInputsAreLent(t *testing.T) {
	s := load(t, open(t), "types", Options{})
	message := make([]byte, 0, 512)
	var in []tensor.Tensor
	for _, v := range s.Graph().Inputs {
		at := len(message)
		message = append(message, sample(v.DType)...)
		in = append(in, tensor.Tensor{Name: v.Name, DType: v.DType, Shape: []int64{1, 2}, Data: message[at:len(message):len(message)]})
	}
	before := string(message)
	out, err := s.Run(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		if !reflect.DeepEqual(out[i].Data, in[i].Data) {
			t.Errorf("%s: got % x, want % x", out[i].Name, out[i].Data, in[i].Data)
		}
		if len(out[i].Data) > 0 && &out[i].Data[0] == &in[i].Data[0] {
			t.Errorf("%s: the output is the input's memory", out[i].Name)
		}
	}
	if string(message) != before {
		t.Error("the message was written to")
	}
}

func TestLoadWeightsInAnotherFile(t *testing.T) {
	s := load(t, open(t), "external/model", Options{Folder: "../testdata/external"})
	out, err := s.Run(context.Background(), []tensor.Tensor{floats("x", []int64{1, 4}, 1, 1, 1, 1)}, nil)
	if want := floats("y", []int64{1, 4}, 1, 2, 3, 4); err != nil || !reflect.DeepEqual(out[0], want) {
		t.Errorf("got %v %v", out, err)
	}
}
