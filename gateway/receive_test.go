package gateway

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/edge"
	"triton-gateway/internal/parts"
)

// A body that stops is given up with 408, and holds neither a place nor memory: the place is free long before that.
func TestASlowBodyHoldsNoPlace(t *testing.T) {
	var cut edge.Counts
	r := newRig(t, func(d *serverDeps) { d.Limits.Rate, d.Cut = 16<<10, &cut })
	r.bodies.limit = 64 << 20
	var places atomic.Int32
	r.runner.refuse = func(context.Context, string, int64) error {
		places.Add(1)
		return nil
	}
	server := httptest.NewServer(r.http)
	t.Cleanup(server.Close)
	var conns []wire
	for _, size := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		c := dial(t, server)
		fmt.Fprint(c, head(size))
		conns = append(conns, c)
	}
	parts.Until(t, "both have a place", time.Minute, func() bool { return places.Load() == 2 })
	parts.Until(t, "both have lost it", time.Minute, func() bool { return r.runner.admitted.Load() == 0 })
	for _, c := range conns {
		res, body := c.answer(t)
		if p := decode[problem](t, body); res.StatusCode != 408 || p.Code != "body_too_slow" || !p.Retryable || !res.Close {
			t.Errorf("%d, close %v: %s", res.StatusCode, res.Close, body)
		}
	}
	if n := cut.Of(edge.SlowBody); n != 2 || r.budget.Stats().Used != 0 || r.runner.count() != 0 {
		t.Errorf("%d cut off, %d bytes held, %d calls", n, r.budget.Stats().Used, r.runner.count())
	}
}

// What is not lent for its header's word is read all the same, as it comes.
func TestABodyThatIsLentNothing(t *testing.T) {
	p := newPool(1<<20, 4<<20)
	p.promise = edge.NewPromise(100_000)
	for _, size := range []int{1000, 100_000, 100_001, 500_000, 1 << 20} {
		text := string(make([]byte, size))
		b, err := p.read(httptest.NewRecorder(), post(text, true))
		if err != nil || string(b.Bytes) != text {
			t.Fatalf("%d bytes: %v", size, err)
		}
		b.Release()
	}
	if p.promise.Lent() != 0 {
		t.Errorf("%d bytes are lent for ever", p.promise.Lent())
	}
	short := post("short", true)
	short.ContentLength = 200_000
	if _, err := p.read(httptest.NewRecorder(), short); err == nil {
		t.Error("a body that was cut is taken")
	}
}

func TestAPlaceForWhatIsBeyondTheFirstMegabyte(t *testing.T) {
	r := newRig(t)
	var asked []int64
	r.runner.refuse = func(_ context.Context, _ string, body int64) error {
		asked = append(asked, body)
		return nil
	}
	r.bodies.limit = 64 << 20
	r.bodies.budget = bottomless{}
	r.server.limits.Body = 64 << 20
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1))+string(make([]byte, 3<<20)))
	if len(asked) != 2 || asked[0] != edge.Earnest || asked[0]+asked[1] != int64(len(picture(1))+3<<20) || r.runner.admitted.Load() != 0 {
		t.Errorf("asked for %v", asked)
	}
}

type bottomless struct{}

func (bottomless) Acquire(context.Context, int64) (func(), error) { return func() {}, nil }
