package tensor

import (
	"bytes"
	"reflect"
	"testing"
)

func sample() (Frame, []Tensor) {
	return Frame{640, 480, 160, 120, 0.25, 0.25, 0, -3.5}, []Tensor{
		{Name: "logits", DType: FP32, Shape: []int64{1, 2}, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{Name: "", DType: Bytes, Shape: []int64{1}, Data: []byte("\x02\x00\x00\x00ab")},
		{Name: "none", DType: Int64, Shape: []int64{0}, Data: []byte{}},
	}
}

func TestCodecRoundTrip(t *testing.T) {
	f, list := sample()
	gotFrame, got, err := Unmarshal(Marshal(f, list))
	if err != nil || gotFrame != f || !reflect.DeepEqual(got, list) {
		t.Fatalf("got %+v %+v, %v", gotFrame, got, err)
	}
	if _, got, err = Unmarshal(Marshal(f, nil)); err != nil || len(got) != 0 {
		t.Fatalf("no tensors came back as %+v, %v", got, err)
	}
}

func TestCodecRefusesEveryCut(t *testing.T) {
	whole := Marshal(sample())
	for n := range whole {
		if _, _, err := Unmarshal(whole[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken for the whole", n, len(whole))
		}
	}
	if _, _, err := Unmarshal(append(bytes.Clone(whole), 0)); err == nil {
		t.Fatal("a byte too many was not noticed")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(Marshal(sample()))
	f.Add([]byte{})
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, list, err := Unmarshal(data)
		if err != nil {
			return
		}
		if again := Marshal(frame, list); !bytes.Equal(again, data) {
			t.Fatalf("%x reads as %+v %+v, which writes %x", data, frame, list, again)
		}
	})
}
