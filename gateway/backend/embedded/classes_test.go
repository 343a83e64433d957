package embedded

import (
	"encoding/binary"
	"math"
	"reflect"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
)

// texts reads BYTES.
func texts(t tensor.Tensor) (out []string) {
	for rest := t.Data; len(rest) > 0; {
		n := binary.LittleEndian.Uint32(rest)
		out = append(out, string(rest[4:4+n]))
		rest = rest[4+n:]
	}
	return out
}

// TestClasses: the values are those of C's %f, worked out by hand; TestAnswersAreTritons compares with a Triton.
func TestClasses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for i, c := range []struct {
		in           tensor.Tensor
		batch, count int64
		labels       []string
		shape        []int64
		want         []string
	}{
		{floats("y", []int64{1, 3}, 0.5, 2.25, -1), 1, 2, []string{"a", "b"}, []int64{1, 2}, []string{"2.250000:1:b", "0.500000:0:a"}},
		{floats("y", []int64{2, 2}, 1, 2, 4, 3), 2, 9, []string{"", "b"}, []int64{2, 2}, []string{"2.000000:1:b", "1.000000:0", "4.000000:0", "3.000000:1:b"}},
		{floats("y", []int64{3}, 1e-7, 7, 7), 0, 3, nil, []int64{3}, []string{"7.000000:1", "7.000000:2", "0.000000:0"}},
		{floats("y", []int64{1, 2, 2}, 1, 2, 3, 4), 1, 1, nil, []int64{1, 1}, []string{"4.000000:3"}},
		{floats("y", []int64{4}, nan, -inf, inf, -nan), 0, 4, nil, []int64{4}, []string{"inf:2", "-inf:1", "nan:0", "-nan:3"}},
		{floats("y", []int64{2, 0}), 2, 3, nil, []int64{2, 0}, nil},
		{tensor.Tensor{DType: tensor.Int8, Shape: []int64{3}, Data: []byte{0x80, 0x7f, 0xff}}, 0, 3, []string{"x:y", "\r"}, []int64{3}, []string{"127:1:\r", "-1:2", "-128:0:x:y"}},
		{tensor.Tensor{DType: tensor.Uint64, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 255, 255, 255, 255}}, 0, 1, nil, []int64{1}, []string{"18446744073709551615:0"}},
	} {
		got := classes(c.in, c.batch, c.count, c.labels)
		if got.DType != tensor.Bytes || !reflect.DeepEqual(got.Shape, c.shape) || !reflect.DeepEqual(texts(got), c.want) || got.Validate() != nil {
			t.Errorf("%d: got %v %q, want %v %q", i, got.Shape, texts(got), c.shape, c.want)
		}
	}
}

// FuzzClasses: the short way to the few highest is the beginning of the long way to all.
func FuzzClasses(f *testing.F) {
	f.Add(uint8(tensor.FP32), []byte("0000000011112222333300000000abcdefgh0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"), uint8(3))
	f.Add(uint8(tensor.Uint8), []byte{1, 2, 3, 3, 2, 1}, uint8(0))
	f.Fuzz(func(t *testing.T, dtype uint8, data []byte, count uint8) {
		d := tensor.DType(dtype % uint8(tensor.Bytes+1))
		if !backend.Ranks(d) {
			return
		}
		n := len(data) / d.Size()
		in := tensor.Tensor{Name: "y", DType: d, Shape: []int64{int64(n)}, Data: data[:n*d.Size()]}
		all, few := top(d, in.Data, n), top(d, in.Data, min(int(count), n))
		if !reflect.DeepEqual(append([]int{}, all[:len(few)]...), append([]int{}, few...)) {
			t.Fatalf("%v, all are %v", few, all)
		}
		if out := classes(in, 0, int64(count), nil); out.Validate() != nil || len(texts(out)) != min(int(count), n) {
			t.Fatalf("%+v", out)
		}
	})
}

func TestReadLines(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/labels.txt", []byte("a\r\n\nc"))
	put(t, dir, "m/ends.txt", []byte("a\nb\n"))
	put(t, dir, "m/empty.txt", nil)
	for name, want := range map[string][]string{"labels.txt": {"a\r", "", "c"}, "ends.txt": {"a", "b"}, "empty.txt": {}} {
		if got, err := readLines(dir+"/m", name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for _, name := range []string{"none.txt", "../m/labels.txt", "/etc/passwd"} {
		if got, err := readLines(dir+"/m", name); err == nil {
			t.Errorf("%s is read: %q", name, got)
		}
	}
}
