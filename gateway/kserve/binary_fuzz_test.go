package kserve

import (
	"bytes"
	"encoding/binary"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

var order = binary.LittleEndian

// FuzzBinaryExtension splits any body by any header, and gives its inputs their bytes. Nothing is lost, read twice or taken from elsewhere.
func FuzzBinaryExtension(f *testing.F) {
	add := func(json, blobs, header string, dtype uint8, dim int64) {
		f.Add([]byte(json+blobs), header, dtype, dim)
	}
	one := pixels(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}`)
	two := `{"inputs":[{"name":"A","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}},{"name":"J","shape":[1],"datatype":"INT8","data":[1]},` +
		`{"name":"B","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}`
	add(one, "abcd", itoa(len(one)), 11, 1)
	add(one, "abcde", itoa(len(one)), 11, -1)
	add(one, "abc", itoa(len(one)), 1, 0)
	add(two, "abc\x01\x00\x00\x00x", itoa(len(two)), 14, 1)
	add("", "hello", "0", 14, 1)
	add("", "abcdefgh", "0", 11, -1)
	add(one, "abcd", "", 11, 1)
	add(one, "abcd", "-1", 11, 1)
	add(one, "abcd", "18446744073709551615", 11, 1)
	add(pixels(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":18446744073709551615}`), "abcd", "80", 11, 1)
	var pool buffers
	f.Fuzz(func(t *testing.T, body []byte, header string, dtype uint8, dim int64) {
		room := append(make([]byte, rawRoom), body...)
		var headers []string
		if header != "" {
			headers = []string{header}
		}
		text, blobs, bare, err := splitBody(headers, room[rawRoom:])
		if err != nil {
			wantInvalid(t, err)
			return
		}
		if len(text)+len(blobs) != len(body) || bare != (len(text) == 0 && header != "") {
			t.Fatalf("%d bytes became %d and %d", len(body), len(text), len(blobs))
		}
		if bare {
			config := &modelconfig.Config{MaxBatchSize: int(dim & 1), Inputs: []modelconfig.IO{{Name: "IN", DType: tensor.DType(dtype%14 + 1), Dims: []int64{dim}}}}
			in, err := rawInput(config, "m", room)
			if err != nil {
				wantInvalid(t, err)
				return
			}
			if !bytes.HasSuffix(in.Data, body) || len(in.Data) > len(body)+4 || in.DType == tensor.Bytes && in.Validate() != nil {
				t.Fatalf("%q became %q", body, in.Data)
			}
			return
		}
		q := &jsonRequest{jsonReader: jsonReader{b: text}, limits: testLimits, lease: newLease(&pool)}
		defer q.lease.Release()
		if err := q.parse(); err != nil {
			return
		}
		if err := bindBlobs(q.inputs, blobs, "m"); err != nil {
			wantInvalid(t, err)
			return
		}
		var all []byte
		for i := range q.inputs {
			if in := &q.inputs[i]; in.inBody {
				if uint64(len(in.Data)) != in.binary || cap(in.Data) != len(in.Data) {
					t.Fatalf("input %d has %d bytes of %d, room for %d", i, len(in.Data), in.binary, cap(in.Data))
				}
				all = append(all, in.Data...)
			}
		}
		if !bytes.Equal(all, blobs) {
			t.Fatalf("%q became %q", blobs, all)
		}
	})
}

func wantInvalid(t *testing.T, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("the error is none of the caller's: %v", err)
	}
}
