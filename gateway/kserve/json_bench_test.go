package kserve

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
)

// picture is the JSON of a request with one FP32 tensor of 1x3x224x224, its numbers printed as NumPy's tolist prints float32s: as the float64s
// that they are, or in the fewest digits.
func picture(short bool) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := []byte(`{"id":"1","inputs":[{"name":"IN","shape":[1,3,224,224],"datatype":"FP32","data":[`)
	for i := range 3 * 224 * 224 {
		if i > 0 {
			b = append(b, ',')
		}
		f := float32(r.NormFloat64())
		if short {
			b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
		} else {
			b = strconv.AppendFloat(b, float64(f), 'g', -1, 64)
		}
	}
	return append(b, "]}]}"...)
}

func benchmarkPicture(b *testing.B, read func(b *testing.B, body []byte)) {
	for name, body := range map[string][]byte{"17digits": picture(false), "8digits": picture(true)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				read(b, body)
			}
		})
	}
}

func BenchmarkReadJSON(b *testing.B) {
	var pool buffers
	benchmarkPicture(b, func(b *testing.B, body []byte) {
		q := &jsonRequest{jsonReader: jsonReader{b: body}, limits: testLimits, lease: newLease(&pool)}
		if err := q.parse(); err != nil || len(q.inputs[0].Data) != 4*3*224*224 {
			b.Fatal(err)
		}
		q.lease.Release()
	})
}

func BenchmarkReadJSONStandardLibrary(b *testing.B) {
	benchmarkPicture(b, func(b *testing.B, body []byte) {
		var q struct {
			ID     string `json:"id"`
			Inputs []struct {
				Name     string    `json:"name"`
				Shape    []int64   `json:"shape"`
				Datatype string    `json:"datatype"`
				Data     []float32 `json:"data"`
			} `json:"inputs"`
		}
		if err := json.Unmarshal(body, &q); err != nil || len(q.Inputs[0].Data) != 3*224*224 {
			b.Fatal(err)
		}
	})
}

func BenchmarkWriteJSON(b *testing.B) {
	var pool buffers
	q := &jsonRequest{jsonReader: jsonReader{b: picture(true)}, limits: testLimits, lease: newLease(&pool)}
	if err := q.parse(); err != nil {
		b.Fatal(err)
	}
	t := &q.inputs[0].Tensor
	values := make([]float32, 3*224*224)
	for i := range values {
		values[i] = singleAt(t.Data, i)
	}
	b.Run("own", func(b *testing.B) {
		var out []byte
		b.SetBytes(int64(len(t.Data)))
		b.ReportAllocs()
		for b.Loop() {
			out, _ = appendData(out[:0], t)
		}
	})
	b.Run("standard library", func(b *testing.B) {
		b.SetBytes(int64(len(t.Data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(values); err != nil {
				b.Fatal(err)
			}
		}
	})
}
