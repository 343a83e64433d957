package kserve

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

func TestALongCallIsRefusedAtItsBeginning(t *testing.T) {
	var full atomic.Bool
	var asked, counted atomic.Int64
	r := newRig(t, func(d *Deps) {
		d.Full = func(_ context.Context, model, version string, body int64) error {
			asked.Add(1)
			if model != "echo" || version != "1" || body < 200_000 || body > 201_000 {
				t.Errorf("asked for %q %q %d", model, version, body)
			}
			if full.Load() {
				return fault.New(fault.Busy, "queue_full", "4 calls are at work").After(3 * time.Second)
			}
			return fault.New(fault.Timeout, "deadline_exceeded", "is found again when the call has come")
		}
		d.Observe = func(_ context.Context, _, method, model string, code Code, _ time.Duration) {
			if codes.Code(code.GRPC) == codes.ResourceExhausted && method == "ModelInfer" && model == "echo" {
				counted.Add(1)
			}
		}
	})
	client := r.client(t)
	long := raw(ask(input("IN", "UINT8", 200_000)), make([]byte, 200_000))
	long.ModelVersion = "1"
	if _, err := client.ModelInfer(call(t), long); err != nil || asked.Load() != 1 {
		t.Fatalf("%v, asked %d times", err, asked.Load())
	}
	full.Store(true)
	var trailer metadata.MD
	_, err := client.ModelInfer(call(t), long, grpc.Trailer(&trailer))
	if st := status.Convert(err); st.Code() != codes.ResourceExhausted || st.Message() != "4 calls are at work" || len(trailer.Get("retry-after")) != 1 || trailer.Get("retry-after")[0] != "3" {
		t.Errorf("%v, %v", err, trailer)
	}
	if asked.Load() != 2 || counted.Load() != 1 {
		t.Errorf("asked %d times, counted %d", asked.Load(), counted.Load())
	}
	if _, err := client.ModelInfer(call(t), raw(ask(input("IN", "UINT8", 2)), make([]byte, 2))); err != nil || asked.Load() != 2 {
		t.Errorf("a short one is asked about twice: %v, %d", err, asked.Load())
	}
}

func FuzzLeading(f *testing.F) {
	for _, m := range []*tritonpb.ModelInferRequest{{}, {ModelName: "m"}, {ModelName: "shapes", ModelVersion: "12", Id: "x"}, {ModelVersion: "1"}} {
		b, _ := proto.Marshal(m)
		f.Add(b, 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		m := &tritonpb.ModelInferRequest{}
		if proto.Unmarshal(b, m) != nil {
			leading(b)
			return
		}
		tidy, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return
		}
		if model, version := leading(tidy); model != m.ModelName || version != m.ModelVersion {
			t.Errorf("%q %q of %v", model, version, m)
		}
		if cut = min(max(cut, 0), len(tidy)); cut > 0 {
			leading(tidy[:cut])
		}
	})
}
