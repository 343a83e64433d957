package triton

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
)

// real is a Triton with the models of testdata/repository, for tests that neither kill it nor change the repository.
var real = parts.NewShared("gateway/backend/triton/testdata/repository")

func TestMain(m *testing.M) { goleak.VerifyTestMain(real.Main(m)) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// client is closed with the test. Where the test says nothing else, it waits for a connection for as long as a busy machine may need.
func client(t testing.TB, c Config, d Deps) *Client {
	t.Helper()
	if c.Reconnect == 0 {
		c.Reconnect = 20 * time.Second
	}
	if d.Log == nil {
		d.Log = quiet()
	}
	out, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := out.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return out
}

func clientOf(t testing.TB, addresses ...string) *Client {
	return client(t, Config{Endpoints: addresses}, Deps{})
}

// floats is an FP32 tensor of one dimension.
func floats(name string, values ...float32) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.FP32, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

// echo answers with its first input, called OUT.
func echo(_ context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	out := inputs[0]
	out.Name = "OUT"
	return []tensor.Tensor{out}, nil
}

func requestOf(model string, values ...float32) *backend.Request {
	return &backend.Request{Model: model, Version: "1", ID: "r1", Inputs: []tensor.Tensor{floats("IN", values...)}}
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("error %v is not a fault, want %s", err, code)
	}
	if f.Kind != kind || f.Code != code {
		t.Fatalf("got kind %d code %s (%v), want kind %d code %s", f.Kind, f.Code, err, kind, code)
	}
	return f
}

func must(t *testing.T, c *Client, r *backend.Request) *backend.Response {
	t.Helper()
	out, err := c.Infer(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func fake(t testing.TB, options ...tritontest.Option) *tritontest.Server {
	t.Helper()
	s := tritontest.New(t, options...)
	s.Model("m", echo)
	return s
}
