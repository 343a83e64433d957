package kserve

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

// fakeMeter lets some calls in.
type fakeMeter struct {
	mu     sync.Mutex
	left   int // calls
	inside int
	sizes  []int64
	from   string
}

type fakePass struct {
	context.Context
	meter *fakeMeter
	once  sync.Once
}

func (p *fakePass) Leave() {
	p.once.Do(func() { p.meter.mu.Lock(); p.meter.inside--; p.meter.mu.Unlock() })
}
func (p *fakePass) RateLimit() (policy, state []string) { return p.meter.headers() }
func (p *fakePass) Would() (string, time.Duration)      { return "", 0 }

func (m *fakeMeter) headers() (policy, state []string) {
	return []string{`"requests";q=2;w=1`}, []string{`"requests";r=0;t=7`}
}

func (m *fakeMeter) Enter(ctx context.Context, address string, size int64) (Pass, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &fakePass{Context: ctx, meter: m}
	m.from = address
	if m.left == 0 {
		return p, m.refusal()
	}
	m.left--
	m.inside++
	m.sizes = append(m.sizes, size)
	return p, nil
}

func (m *fakeMeter) refusal() error {
	return fault.New(fault.Busy, "rate_limited", "the quota of requests is used up").After(7 * time.Second)
}

func (m *fakeMeter) Look(context.Context, string) (policy, state []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	policy, state = m.headers()
	if m.left == 0 {
		err = m.refusal()
	}
	return policy, state, err
}

func (m *fakeMeter) set(left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = left
}

func (m *fakeMeter) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inside == 0
}

func TestMeterOnUnaryCalls(t *testing.T) {
	m := &fakeMeter{left: 2}
	r := newRig(t, func(d *Deps) { d.Meter = m })
	client := r.client(t)
	request := raw(ask(input("IN", "UINT8", 5)), []byte("12345"))
	var header, trailer metadata.MD
	if _, err := client.ModelInfer(call(t), request, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if header.Get("ratelimit")[0] != `"requests";r=0;t=7` || header.Get("ratelimit-policy")[0] != `"requests";q=2;w=1` || len(m.sizes) != 1 || m.sizes[0] != 5 || !strings.HasPrefix(m.from, "127.0.0.1:") {
		t.Errorf("%v %v %q", header, m.sizes, m.from)
	}
	header = nil
	if _, err := client.ServerMetadata(call(t), &tritonpb.ServerMetadataRequest{}, grpc.Header(&header)); err != nil || len(header.Get("ratelimit")) != 1 {
		t.Fatal(err, header)
	}
	for name, ask := range map[string]func(...grpc.CallOption) error{
		"infer": func(o ...grpc.CallOption) error { _, err := client.ModelInfer(call(t), request, o...); return err },
		"metadata": func(o ...grpc.CallOption) error {
			_, err := client.ServerMetadata(call(t), &tritonpb.ServerMetadataRequest{}, o...)
			return err
		},
		"long": func(o ...grpc.CallOption) error { // refused at its first bytes
			_, err := client.ModelInfer(call(t), raw(ask(input("IN", "UINT8", 1<<20)), make([]byte, 1<<20)), o...)
			return err
		},
	} {
		header, trailer = nil, nil
		err := ask(grpc.Header(&header), grpc.Trailer(&trailer))
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "quota of requests") {
			t.Errorf("%s: %v", name, err)
		}
		if all := metadata.Join(header, trailer); all.Get("retry-after")[0] != "7" || len(all.Get("ratelimit")) != 1 {
			t.Errorf("%s: %v %v", name, header, trailer)
		}
	}
	if _, err := client.ServerLive(call(t), &tritonpb.ServerLiveRequest{}); err != nil {
		t.Error("whether the gateway lives has a quota:", err)
	}
	if !m.empty() {
		t.Error("a place is kept")
	}
}

func TestMeterGetsPlacesBack(t *testing.T) {
	m := &fakeMeter{left: 10}
	r := newRig(t, func(d *Deps) { d.Meter = m })
	r.runner.pass = func(context.Context, *backend.Request) (*pipeline.Passed, error) { panic("x") }
	if _, err := r.client(t).ModelInfer(call(t), raw(ask(input("IN", "UINT8", 1)), []byte("1"))); err == nil {
		t.Error("no error")
	}
	if !m.empty() {
		t.Error("a panic keeps a place")
	}
}

func TestMeterOnStreams(t *testing.T) {
	m := &fakeMeter{left: 2}
	r := newRig(t, func(d *Deps) { d.Meter = m })
	stream, err := r.client(t).ModelStreamInfer(call(t))
	if err != nil {
		t.Fatal(err)
	}
	send := func() string {
		t.Helper()
		if err := stream.Send(raw(ask(input("IN", "UINT8", 3)), []byte("123"))); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetErrorMessage()
	}
	for range 2 {
		if text := send(); text != "" {
			t.Error(text)
		}
	}
	if text := send(); !strings.Contains(text, "quota of requests") {
		t.Errorf("%q", text)
	}
	m.set(1)
	if text := send(); text != "" { // the stream goes on
		t.Error(text)
	}
	if header, err := stream.Header(); err != nil || len(header.Get("ratelimit-policy")) != 1 {
		t.Error(header, err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(stream.Trailer().Get("ratelimit")) != 0 {
		t.Error("the trailer has what belongs into the header")
	}
	if !m.empty() || len(m.sizes) != 3 {
		t.Errorf("%d inside, %v", m.inside, m.sizes)
	}
}

func TestOperatorsAreNotCounted(t *testing.T) {
	m := &fakeMeter{}
	r := newRig(t, func(d *Deps) { d.Meter = m })
	client := tritonpb.NewGRPCInferenceServiceClient(dial(t, r.serve(t, true)))
	if _, err := client.ModelInfer(call(t), raw(ask(input("IN", "UINT8", 1)), []byte("1"))); err != nil {
		t.Error(err)
	}
}
