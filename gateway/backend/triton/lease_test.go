package triton

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
)

const poison = 0xEE

// pooled is a buffer that is overwritten as soon as the last holder has let go, as a pool's next user would.
type pooled struct {
	tb      testing.TB
	data    []byte
	holders atomic.Int32
	freed   *atomic.Int64
}

func newPooled(tb testing.TB, size int, fill byte, freed *atomic.Int64) *pooled {
	p := &pooled{tb: tb, data: bytes.Repeat([]byte{fill}, size), freed: freed}
	p.holders.Store(1)
	return p
}

func (p *pooled) Retain() {
	if p.holders.Add(1) < 2 {
		p.tb.Error("retained after the last release")
	}
}

func (p *pooled) Release() {
	switch n := p.holders.Add(-1); {
	case n < 0:
		p.tb.Error("released more often than retained")
	case n == 0:
		for i := range p.data {
			p.data[i] = poison
		}
		p.freed.Add(1)
	}
}

// request sends the buffer in a large, a middling and a small piece.
func (p *pooled) request(model string) *backend.Request {
	part := func(name string, from, to int) tensor.Tensor {
		return tensor.Tensor{Name: name, DType: tensor.Uint8, Shape: []int64{int64(to - from)}, Data: p.data[from:to]}
	}
	n := len(p.data)
	return &backend.Request{Model: model, Version: "1", Memory: p, Inputs: []tensor.Tensor{part("a", 0, n-2000), part("b", n-2000, n-100), part("c", n-100, n)}}
}

// pure answers with nothing, and reports inputs that are not all of one byte, or poison.
func pure(t *testing.T, seen *atomic.Int64) tritontest.Func {
	return func(_ context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
		seen.Add(1)
		fill := inputs[0].Data[0]
		for _, in := range inputs {
			if fill == poison || bytes.Count(in.Data, []byte{fill}) != len(in.Data) {
				t.Errorf("input %s has bytes of another request", in.Name)
			}
		}
		return nil, nil
	}
}

// call makes one call and lets go of its memory, which nobody else holds then.
func (p *pooled) call(ctx context.Context, c *Client) error {
	_, err := c.Infer(ctx, p.request("m"))
	if p.Release(); p.holders.Load() != 0 {
		p.tb.Errorf("the memory is still held after the call, which ended with %v", err)
	}
	return err
}

// allFreed waits until so many buffers are free. What grpc has dropped comes with a garbage collection.
func allFreed(t *testing.T, freed *atomic.Int64, want int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); freed.Load() != want; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d of %d buffers were released", freed.Load(), want)
		}
	}
}

func TestMemoryIsHeldWhileItIsSent(t *testing.T) {
	s := fake(t)
	var seen, freed atomic.Int64
	s.Model("m", pure(t, &seen))
	c := clientOf(t, s.Addr())
	calls := int64(0)
	for _, size := range []int{3000, 5000, 300_000} {
		for fill := range byte(10) {
			if err := newPooled(t, size, fill, &freed).call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			calls++
		}
	}
	if seen.Load() != calls {
		t.Errorf("%d calls reached the model, want %d", seen.Load(), calls)
	}
	if freed.Load() != calls {
		t.Errorf("%d buffers were released", freed.Load())
	}
}

// TestMemoryOfCancelledCalls leaves calls at every moment, breaks connections under them, and lets two attempts at a time send the same buffer.
func TestMemoryOfCancelledCalls(t *testing.T) {
	s := fake(t)
	var seen, freed atomic.Int64
	s.Model("m", pure(t, &seen))
	c := clientOf(t, s.Addr())
	s.Fail(tritontest.Fault{Times: 3, Cut: true})
	s.Fail(tritontest.Fault{Times: 20, Code: codes.Unavailable, Text: tritontest.ServerExiting})
	const each, callers = 30, 8
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for i := range each {
				p := newPooled(t, 200_000+i*10_000, byte(caller*each+i)%200, &freed)
				r := p.request("m")
				var twice sync.WaitGroup
				for range 1 + i%2 {
					limit := time.Duration(rand.IntN(30_000)) * time.Microsecond
					if i%5 == 0 {
						limit = time.Minute
					}
					twice.Go(func() {
						ctx, leave := context.WithTimeout(t.Context(), limit)
						defer leave()
						_, _ = c.Infer(ctx, r)
					})
				}
				twice.Wait()
				if p.Release(); p.holders.Load() != 0 {
					t.Error("the memory is still held after the calls")
				}
				if i%10 == 9 && caller == 0 {
					s.Cut()
				}
			}
		})
	}
	wait.Wait()
	if seen.Load() == 0 {
		t.Error("no call has reached the model")
	}
	t.Logf("%d calls reached the model", seen.Load())
}

// TestMemoryOfAHungServer: what was on its way when the callers left is not read any more, although the connection stands still; it is as good as before when it moves on.
func TestMemoryOfAHungServer(t *testing.T) {
	s := fake(t)
	var seen, freed atomic.Int64
	s.Model("m", pure(t, &seen))
	c := clientOf(t, s.Addr())
	must(t, c, newPooled(t, 3000, 1, new(atomic.Int64)).request("m"))
	for round := range 2 {
		s.Hang()
		var wait sync.WaitGroup
		for i := range 6 {
			wait.Go(func() {
				ctx, leave := context.WithTimeout(t.Context(), 30*time.Millisecond)
				defer leave()
				p := newPooled(t, 6<<20, byte(i), new(atomic.Int64))
				if err := p.call(ctx, c); err == nil {
					t.Error("a hung server has answered")
				}
			})
		}
		wait.Wait()
		conn := c.list()[0].link.conn.Load()
		if round == 0 {
			s.Unhang()
		} else {
			s.Kill()
			s.Start()
		}
		if err := newPooled(t, 300_000, 1, &freed).call(t.Context(), c); err != nil {
			t.Error(err)
		}
		if again := c.list()[0].link.conn.Load() == conn; again != (round == 0) {
			t.Errorf("round %d: the same connection: %t", round, again)
		}
	}
}

// TestMemoryOfAStream: grpc may hold it for longer than the call.
func TestMemoryOfAStream(t *testing.T) {
	s := fake(t)
	s.Decoupled("many", func(_ context.Context, in []tensor.Tensor, emit func(...tensor.Tensor) error) error {
		if bytes.Count(in[0].Data, []byte{7}) != len(in[0].Data) {
			t.Error("the model got other bytes")
		}
		return emit(bytesOf("OUT", 1))
	})
	c := clientOf(t, s.Addr())
	var freed atomic.Int64
	const calls = 10
	for range calls {
		p := newPooled(t, 300_000, 7, &freed)
		if err := c.Stream(t.Context(), p.request("many"), func(*backend.Response) error { return nil }); err != nil {
			t.Error(err)
		}
		p.Release()
	}
	allFreed(t, &freed, calls)
}

func TestLeaseReleasesOnce(t *testing.T) {
	var freed atomic.Int64
	p := newPooled(t, 10_000, 7, &freed)
	r, err := newInferRequest(p.request("m"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := codec{}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	second, err := codec{}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
	if p.holders.Load() != 2 || len(first) != 5 { // head, a, head, b, head with c
		t.Fatalf("%d holders, %d buffers; want 2 and 5", p.holders.Load(), len(first))
	}
	first.Free()
	for i, b := range second {
		if freed.Load() != 0 {
			t.Fatalf("released before buffer %d was freed", i)
		}
		b.Free()
		if i == 3 { // c was copied
			break
		}
	}
	if freed.Load() != 1 {
		t.Errorf("released %d times", freed.Load())
	}
	runtime.GC()
	runtime.GC()
	if p.holders.Load() != 0 {
		t.Errorf("%d holders at the end", p.holders.Load())
	}
}

func TestLeaseThatGrpcHasLost(t *testing.T) {
	var freed atomic.Int64
	for range 3 {
		p := newPooled(t, 10_000, 7, &freed)
		r, err := newInferRequest(p.request("m"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := codec{}.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out[1].Free() // one of two
		p.Release()
	}
	allFreed(t, &freed, 3)
}

func TestSmallTensorsAreNotLeased(t *testing.T) {
	var freed atomic.Int64
	p := newPooled(t, inlineLimit, 7, &freed)
	r, err := newInferRequest(p.request("m"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := codec{}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
	if freed.Load() != 1 || len(out) != 1 || bytes.Count(out.Materialize(), []byte{7}) < inlineLimit {
		t.Errorf("%d released, %d buffers; want a copy", freed.Load(), len(out))
	}
	if !mem.IsBelowBufferPoolingThreshold(copyLimit) || mem.IsBelowBufferPoolingThreshold(copyLimit+1) {
		t.Error("grpc counts other buffers than copyLimit says")
	}
}
