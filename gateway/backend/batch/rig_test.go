package batch

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const poison = 0xdead

// mill answers each row by three times its value, one call after the other, each in the same time whatever its rows.
type mill struct {
	Inner
	took    time.Duration
	slots   chan struct{} // nil: no limit
	inexact bool          // batches of several rows are off by one in their first row
	epoch   string
	hang    chan struct{} // closed: go on; nil: do not stop

	mu    sync.Mutex
	calls int
	sizes []int64
}

func (m *mill) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	m.mu.Lock()
	m.calls++
	m.sizes = append(m.sizes, rows(r))
	m.mu.Unlock()
	if m.hang != nil {
		select {
		case <-m.hang:
		case <-ctx.Done():
			return nil, left(ctx)
		}
	}
	if m.slots != nil {
		m.slots <- struct{}{}
		defer func() { <-m.slots }()
	}
	if m.took > 0 {
		t := time.NewTimer(m.took)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, left(ctx)
		}
	}
	in := r.Inputs[0]
	out := make([]byte, len(in.Data))
	for i := 0; i < len(in.Data); i += 4 {
		v := binary.LittleEndian.Uint32(in.Data[i:])
		if v == poison {
			return nil, fault.New(fault.Invalid, "invalid_request", "poison")
		}
		binary.LittleEndian.PutUint32(out[i:], v*3)
	}
	if m.inexact && rows(r) > 1 {
		out[0]++
	}
	return &backend.Response{Version: r.Version, Epoch: m.epoch, Outputs: []tensor.Tensor{{Name: "OUT", DType: tensor.Uint32, Shape: in.Shape, Data: out}}}, nil
}

func (m *mill) count() (calls int, sizes []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls, append([]int64(nil), m.sizes...)
}

func request(values ...uint32) *backend.Request {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, v)
	}
	return &backend.Request{Model: "m", Version: "1", Inputs: []tensor.Tensor{{Name: "IN", DType: tensor.Uint32, Shape: []int64{int64(len(values)), 1}, Data: data}}}
}

func values(r *backend.Response) []uint32 {
	var out []uint32
	for d := r.Outputs[0].Data; len(d) > 0; d = d[4:] {
		out = append(out, binary.LittleEndian.Uint32(d))
	}
	return out
}

func newBatcher(m *mill, rule Rule) *Backend {
	return New(m, Options{Rule: func(string, string) Rule { return rule }, Log: slog.New(slog.DiscardHandler)})
}

// memory counts its holders.
type memory struct {
	mu      sync.Mutex
	holders int
	data    []byte
}

func (m *memory) Retain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holders++
}

func (m *memory) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holders--; m.holders == 0 {
		clear(m.data) // as a pool that gives it to the next one would
	}
}
