package postprocess

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
)

func sameFloat32(t *testing.T, v float32) {
	want, err := json.Marshal(v)
	if err != nil {
		want = []byte("null")
	}
	if got := appendFloat(nil, float64(v), 32); string(got) != string(want) {
		t.Fatalf("%x: got %s, want %s", math.Float32bits(v), got, want)
	}
}

func TestAppendFloatEqualsEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500_000 {
		sameFloat32(t, math.Float32frombits(r.Uint32()))
		sameFloat32(t, r.Float32()*2)
		sameFloat32(t, r.Float32()*4000)
	}
	for n := range 100_000 { // short decimals and quarters, where it is easy to print too much
		sameFloat32(t, float32(n)/1000)
		sameFloat32(t, float32(n)/4)
		sameFloat32(t, float32(n)*41)
	}
	for e := -149; e < 128; e++ { // powers of two and their neighbours
		v := float32(math.Ldexp(1, e))
		for _, w := range []float32{v, math.Nextafter32(v, 0), math.Nextafter32(v, inf32(1)), -v} {
			sameFloat32(t, w)
		}
	}
	for _, v := range []float32{0, float32(math.Copysign(0, -1)), nan32(), inf32(1), inf32(-1), math.MaxFloat32, 1e21, 1e-6, 9.9e-7} {
		sameFloat32(t, v)
	}
}

func TestAppendFloat64(t *testing.T) {
	for _, v := range []float64{0, 0.1, 1e-7, -1e-9, 1e21, 123456789.123, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendFloat(nil, v, 64); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
