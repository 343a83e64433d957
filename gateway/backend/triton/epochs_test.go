package triton

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tritonpb"
)

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Unix(1_700_000_000, 0).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) forward(d time.Duration) { c.nanos.Add(int64(d)) }

// gatewayOf is one of several gateways that share a store and a clock.
func gatewayOf(t *testing.T, s *tritontest.Server, store EpochStore, at *clock) *Client {
	return client(t, Config{Endpoints: []string{s.Addr()}}, Deps{Epochs: store, Now: at.now})
}

// epochOf takes one look, half a second after the last.
func epochOf(t *testing.T, c *Client, at *clock) string {
	t.Helper()
	at.forward(shortestLook)
	return statusOf(t, c, "m").Epoch
}

func statusOf(t *testing.T, c *Client, model string) backend.ModelStatus {
	t.Helper()
	list, err := c.Index(t.Context())
	for tries := 0; fault.KindOf(err) == fault.Timeout && tries < 20; tries++ { // a look that a busy machine did not end in its time has shown nothing
		list, err = c.Index(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Name == model {
			return s
		}
	}
	t.Fatalf("no model %s in %v", model, list)
	return backend.ModelStatus{}
}

func infers(t *testing.T, c *Client, n int) {
	t.Helper()
	for range n {
		must(t, c, requestOf("m", 1))
	}
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want || len(got) != epochLength {
		t.Fatalf("%s: epoch %q, want %q", what, got, want)
	}
}

func changed(t *testing.T, what, got, old string) {
	t.Helper()
	if got == old || len(got) != epochLength {
		t.Fatalf("%s: epoch %q did not change from %q", what, got, old)
	}
}

func TestEpochStaysWithoutAReload(t *testing.T) {
	s, at := fake(t), newClock()
	c := gatewayOf(t, s, nil, at)
	first := epochOf(t, c, at)
	for i := range 40 {
		infers(t, c, i%4)
		same(t, "own calls", epochOf(t, c, at), first)
	}
	// While calls run, Triton may or may not have counted them.
	var wait sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				_, _ = c.Infer(ctx, requestOf("m", 1))
			}
		})
	}
	for range 50 {
		same(t, "under load", epochOf(t, c, at), first)
	}
	stop()
	wait.Wait()
	same(t, "after load", epochOf(t, c, at), first)
	s.Foreign("m", 1000)
	same(t, "strangers' calls to an old load", epochOf(t, c, at), first)
}

func TestEpochChangesWithAReload(t *testing.T) {
	for name, reload := range map[string]func(*testing.T, *tritontest.Server, *Client){
		"idle": func(_ *testing.T, s *tritontest.Server, _ *Client) { s.Reload("m") },
		"own calls overtake": func(t *testing.T, s *tritontest.Server, c *Client) {
			infers(t, c, 3)
			s.Reload("m")
			infers(t, c, 30)
		},
		"strangers overtake":             func(_ *testing.T, s *tritontest.Server, _ *Client) { s.Reload("m"); s.Foreign("m", 30) },
		"strangers reach the same count": func(_ *testing.T, s *tritontest.Server, _ *Client) { s.Reload("m"); s.Foreign("m", 10) },
		"config": func(_ *testing.T, s *tritontest.Server, _ *Client) {
			s.SetConfig("m", &tritonpb.ModelConfig{Name: "m", Backend: "other"})
		},
		"server restarted": func(_ *testing.T, s *tritontest.Server, _ *Client) { s.Kill(); s.Start(); s.Foreign("m", 30) },
		"unloaded and loaded": func(t *testing.T, s *tritontest.Server, c *Client) {
			s.SetState("m", "UNAVAILABLE", "unloaded")
			if got := statusOf(t, c, "m"); got.State != backend.Unavailable || got.Reason != "unloaded" || got.Epoch != "" {
				t.Errorf("got %+v", got)
			}
			s.SetState("m", "READY", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := fake(t), newClock()
			c := gatewayOf(t, s, nil, at)
			epochOf(t, c, at)
			infers(t, c, 10)
			epochOf(t, c, at)
			old := epochOf(t, c, at)
			reload(t, s, c)
			first := epochOf(t, c, at)
			at.forward(settling) // own calls are certain to be counted one look later
			second := epochOf(t, c, at)
			changed(t, "within two looks", second, old)
			for range 5 {
				at.forward(settling)
				same(t, "after it", epochOf(t, c, at), second)
			}
			_ = first
		})
	}
}

func TestEpochChangesAtOnceWithTheConnection(t *testing.T) {
	s, at := fake(t), newClock()
	c := gatewayOf(t, s, nil, at)
	infers(t, c, 10)
	old := epochOf(t, c, at)
	s.Kill()
	s.Start()
	infers(t, c, 30) // more than before, and all accounted for
	changed(t, "another server", epochOf(t, c, at), old)
}

func TestEpochChangesWithTheConfigAlone(t *testing.T) {
	s, at := fake(t), newClock()
	c := gatewayOf(t, s, nil, at)
	infers(t, c, 100)
	old := epochOf(t, c, at)
	s.SetConfig("m", &tritonpb.ModelConfig{Name: "m", Backend: "other"})
	s.Foreign("m", 5000) // counters that look like the old load's, grown
	second := epochOf(t, c, at)
	changed(t, "config", second, old)
	same(t, "once", epochOf(t, c, at), second)
}

func TestEpochChangesWhenOneCallIsForgotten(t *testing.T) {
	s, at := fake(t), newClock()
	c := gatewayOf(t, s, nil, at)
	old := epochOf(t, c, at)
	infers(t, c, 1) // its answer may be cached, and no look has seen it counted
	s.Reload("m")
	epochOf(t, c, at)
	changed(t, "a call that is not counted", epochOf(t, c, at), old)
}

func TestGatewaysShareEpochs(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	a, b := gatewayOf(t, s, store, at), gatewayOf(t, s, store, at)
	first := epochOf(t, a, at)
	same(t, "the other gateway", epochOf(t, b, at), first)
	for i := range 30 { // each sees the other's calls before it is told of them
		infers(t, a, i%3)
		infers(t, b, (i+1)%2)
		same(t, "a", epochOf(t, a, at), first)
		same(t, "b", epochOf(t, b, at), first)
	}
	s.Reload("m")
	second := epochOf(t, b, at)
	changed(t, "reload", second, first)
	same(t, "the other after the reload", epochOf(t, a, at), second)
	s.SetState("m", "UNLOADING", "")
	gone := statusOf(t, a, "m")
	s.SetState("m", "READY", "")
	unloaded := epochOf(t, b, at)
	if gone.State != backend.Unloading {
		t.Errorf("got %+v", gone)
	}
	changed(t, "the other has seen it unloaded", unloaded, second)
	second = unloaded
	infers(t, a, 2)
	epochOf(t, a, at)
	s.Reload("m")
	s.Foreign("m", 9)
	third := ""
	for range 4 { // at most two seconds
		epochOf(t, b, at)
		third = epochOf(t, a, at)
	}
	changed(t, "reload with strangers", third, second)
	same(t, "the other", epochOf(t, b, at), third)
}

func TestAGatewayJoinsInTheMiddleOfItsCalls(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	a, b := gatewayOf(t, s, store, at), gatewayOf(t, s, store, at)
	infers(t, a, 3)
	epochOf(t, b, at)
	epochOf(t, a, at)
	s.Reload("m")
	second := epochOf(t, a, at)
	infers(t, b, 4) // counted by the new load before b knows of it
	for range 6 {
		same(t, "b", epochOf(t, b, at), second)
		same(t, "a", epochOf(t, a, at), second)
	}
}

func TestTimeSinceTheLastLook(t *testing.T) {
	at := newClock()
	e := newEpochs(Deps{Now: at.now})
	ago := func(d time.Duration) int64 { return at.now().Add(-d).UnixMilli() }
	for name, c := range map[string]struct {
		v    version
		r    record
		want time.Duration
	}{
		"a new process takes the writer's clock": {version{}, record{At: ago(time.Hour)}, time.Hour},
		"a clock that is ahead is far off too":   {version{}, record{At: ago(-time.Hour)}, time.Hour},
		"the own clock, for the own epoch":       {version{joined: true, looked: at.now().Add(-time.Second), record: record{Epoch: "a"}}, record{Epoch: "a", At: ago(time.Hour)}, time.Second},
		"the own clock, for what came after":     {version{joined: true, shared: true, looked: at.now().Add(-time.Second), record: record{Epoch: "a"}}, record{Epoch: "b", At: ago(time.Hour)}, time.Second},
		"not for what may have come before":      {version{joined: true, looked: at.now().Add(-time.Second), record: record{Epoch: "a"}}, record{Epoch: "b", At: ago(time.Hour)}, time.Hour},
	} {
		var o observation
		if e.time(&c.v, &c.r, &o, at.now()); o.since != c.want {
			t.Errorf("%s: %v, want %v", name, o.since, c.want)
		}
	}
}

func TestGatewaysAgreeWhenTheyLookAtTheSameTime(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	list := []*Client{gatewayOf(t, s, store, at), gatewayOf(t, s, store, at), gatewayOf(t, s, store, at)}
	for range 5 {
		s.Reload("m")
		var wait sync.WaitGroup
		for _, c := range list {
			wait.Go(func() { _, _ = c.Index(t.Context()) })
		}
		wait.Wait()
		first := epochOf(t, list[0], at)
		same(t, "second", epochOf(t, list[1], at), first)
		same(t, "third", epochOf(t, list[2], at), first)
		for _, c := range list {
			infers(t, c, 2)
		}
	}
}

func TestEpochOutlivesAGateway(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	run := func() (*Client, string) {
		c, err := New(Config{Endpoints: []string{s.Addr()}}, Deps{Epochs: store, Now: at.now, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		return c, epochOf(t, c, at)
	}
	end := func(c *Client) {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c, first := run()
	infers(t, c, 3) // not seen by a look before Close
	end(c)
	at.forward(time.Hour)
	c, got := run()
	same(t, "after an hour without calls", got, first)
	end(c)
	s.Foreign("m", 1)
	at.forward(time.Hour)
	c, second := run()
	changed(t, "calls while nobody watched", second, first)
	infers(t, c, 3)
	end(c)
	s.Reload("m")
	s.Foreign("m", 5000)
	at.forward(time.Minute)
	c, third := run()
	changed(t, "a reload while nobody watched", third, second)
	end(c)
}

// brokenStore fails on demand.
type brokenStore struct {
	*MemoryEpochs
	mu    sync.Mutex
	mode  string
	calls int
}

func (b *brokenStore) set(mode string) { b.mu.Lock(); defer b.mu.Unlock(); b.mode = mode }

func (b *brokenStore) fails(ctx context.Context) (string, error) {
	b.mu.Lock()
	b.calls++
	mode := b.mode
	b.mu.Unlock()
	switch mode {
	case "down":
		return mode, errors.New("connection refused")
	case "hangs":
		<-ctx.Done()
		return mode, ctx.Err()
	}
	return mode, nil
}

func (b *brokenStore) Load(ctx context.Context, key string) ([]byte, error) {
	switch mode, err := b.fails(ctx); {
	case err != nil:
		return nil, err
	case mode == "garbage":
		return []byte("\xff\x00 not a book"), nil
	}
	return b.MemoryEpochs.Load(ctx, key)
}

func (b *brokenStore) Swap(ctx context.Context, key string, old, new []byte) (bool, error) {
	switch mode, err := b.fails(ctx); {
	case err != nil:
		return false, err
	case mode == "refuses", mode == "garbage":
		return false, nil
	}
	return b.MemoryEpochs.Swap(ctx, key, old, new)
}

func TestEpochsSurviveTheStoresFailures(t *testing.T) {
	for _, mode := range []string{"down", "hangs", "garbage", "refuses"} {
		t.Run(mode, func(t *testing.T) {
			s, at, store := fake(t), newClock(), &brokenStore{MemoryEpochs: NewMemoryEpochs()}
			a, b := gatewayOf(t, s, store, at), gatewayOf(t, s, store, at)
			first := epochOf(t, a, at)
			epochOf(t, b, at)
			infers(t, a, 100)
			epochOf(t, a, at)
			store.set(mode)
			for range 4 {
				same(t, "while the store fails", epochOf(t, a, at), first)
			}
			s.Reload("m")
			second := epochOf(t, a, at)
			changed(t, "a reload while the store fails", second, first)
			infers(t, a, 500) // the old record in the store would fit these counters
			epochOf(t, a, at)
			store.set("")
			at.forward(storePause)
			third := epochOf(t, a, at)
			changed(t, "the store has the old epoch still", third, first)
			same(t, "it is kept where it is known", third, second)
			same(t, "the other gateway learns of it", epochOf(t, b, at), third)
		})
	}
}

func TestWhatWasSeenWithoutTheStoreCounts(t *testing.T) {
	s, at, store := fake(t), newClock(), &brokenStore{MemoryEpochs: NewMemoryEpochs()}
	c := gatewayOf(t, s, store, at)
	s.Foreign("m", 1000)
	epochOf(t, c, at)
	store.set("down")
	s.Foreign("m", 9000)
	old := epochOf(t, c, at)
	store.set("")
	at.forward(storePause)
	s.Reload("m")
	s.Foreign("m", 5000) // more than the store knows of, fewer than were seen
	changed(t, "a reload when the store came back", epochOf(t, c, at), old)
}

func TestAHangingStoreIsAskedOnceASecond(t *testing.T) {
	s, at, store := fake(t), newClock(), &brokenStore{MemoryEpochs: NewMemoryEpochs(), mode: "hangs"}
	c := gatewayOf(t, s, store, at)
	for range 10 {
		at.forward(storePause / 10)
		statusOf(t, c, "m")
	}
	if store.calls > 2 {
		t.Errorf("%d calls of a store that hangs, in one second", store.calls)
	}
}

func TestARolledBackStoreRevivesNothing(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	c := gatewayOf(t, s, store, at)
	infers(t, c, 5)
	first := epochOf(t, c, at)
	key := shelfOf(t, store, s.Addr())
	old, _ := store.Load(t.Context(), key)
	s.Reload("m")
	infers(t, c, 3)
	epochOf(t, c, at)
	second := epochOf(t, c, at)
	changed(t, "reload", second, first)
	now, _ := store.Load(t.Context(), key)
	if done, _ := store.Swap(t.Context(), key, now, old); !done {
		t.Fatal("no roll-back")
	}
	same(t, "after a roll-back", epochOf(t, c, at), second)
}

// shelfOf finds the one shelf that is in use.
func shelfOf(t *testing.T, store EpochStore, address string) string {
	t.Helper()
	for i := range shelves {
		key := shelfKey(bookKey(address), i)
		if value, _ := store.Load(t.Context(), key); value != nil {
			return key
		}
	}
	t.Fatal("no shelf in the store")
	return ""
}

func TestServersWithoutStatisticsGetNoLastingEpoch(t *testing.T) {
	s, at := fake(t, tritontest.WithoutStatistics()), newClock()
	c := gatewayOf(t, s, nil, at)
	changed(t, "nothing tells loads apart", epochOf(t, c, at), epochOf(t, c, at))
}

func TestMemoryEpochs(t *testing.T) {
	m, ctx := NewMemoryEpochs(), t.Context()
	swap := func(old, new []byte) bool { done, _ := m.Swap(ctx, "k", old, new); return done }
	if v, _ := m.Load(ctx, "k"); v != nil {
		t.Errorf("got %q", v)
	}
	if swap([]byte("x"), []byte("y")) || !swap(nil, []byte("a")) || swap(nil, []byte("b")) || !swap([]byte("a"), []byte{}) || swap(nil, []byte("c")) || !swap([]byte{}, []byte("d")) {
		t.Error("compare and swap does not compare")
	}
	if v, _ := m.Load(ctx, "k"); string(v) != "d" {
		t.Errorf("got %q", v)
	}
}
