package load

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

func TestFakeTriton(t *testing.T) { ServeFake(t) }

func TestAFakeOfKnownCapacity(t *testing.T) {
	process, address := Fake(t, 2, 20*time.Millisecond, "")
	client, err := Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := client.Call(Floats(FakeModel, "IN", 4))
	if v, text := call(t.Context(), 0); v != Answered {
		t.Fatalf("verdict %d %s", v, text)
	}
	// 20 calls by 8 callers on 2 workers take at least 10 service times.
	if r := Closed(t.Context(), 8, 20, 0, call); r.Count(Answered) != 20 || r.Elapsed < 200*time.Millisecond {
		t.Errorf("%d answered in %v: %v", r.Count(Answered), r.Elapsed, r.Texts)
	}
	process.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if v, text := call(ctx, 0); v != Down {
		t.Errorf("the child is gone: verdict %d %s", v, text)
	}
	if _, again := Fake(t, 0, 0, address); again != address {
		t.Errorf("started at %s, not %s", again, address)
	}
}

func TestFloats(t *testing.T) {
	var m tritonpb.ModelInferRequest
	if err := proto.Unmarshal(Floats("m", "x", 3), &m); err != nil || m.ModelName != "m" || m.Inputs[0].Name != "x" || m.Inputs[0].Shape[0] != 3 || len(m.RawInputContents[0]) != 12 {
		t.Errorf("got %v, %v", &m, err)
	}
	body, header := FloatsHTTP("x", 3)
	const head = `{"inputs":[{"name":"x","datatype":"FP32","shape":[3],"parameters":{"binary_data_size":12}}]}`
	if string(body) != head+string(make([]byte, 12)) || header.Get("Inference-Header-Content-Length") != "92" || len(head) != 92 {
		t.Errorf("%q %v, %d", body, header, len(head))
	}
}
