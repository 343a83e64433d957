package streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small() Limits {
	return Limits{Streams: 4, PerTenant: 2, Readers: 2, Events: 3, Bytes: 100, Grace: 10 * time.Second, Keep: time.Minute, Longest: time.Hour}
}

// count emits 1, 2, ... n.
func count(n int) Run {
	return func(_ context.Context, emit func([]byte) error) error {
		for i := range n {
			if err := emit([]byte(strconv.Itoa(i + 1))); err != nil {
				return err
			}
		}
		return nil
	}
}

func newHub(t *testing.T, l Limits) *Hub {
	t.Helper()
	h := New(l)
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func start(t *testing.T, h *Hub, tenant string, run Run) *Reader {
	t.Helper()
	r, err := h.Start(t.Context(), tenant, nil, run)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// take gives the next event, waiting for it.
func take(r *Reader) (Event, error) {
	for {
		e, found, changed, err := r.Next()
		if err != nil || found {
			return e, err
		}
		<-changed
	}
}

// rest reads to the end.
func rest(t *testing.T, r *Reader) (text string, err error) {
	t.Helper()
	for {
		e, err := take(r)
		if err != nil {
			return text, err
		}
		text += fmt.Sprintf("%d:%s ", e.Number, e.Data)
	}
}

func TestAReaderGetsEveryEventOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		defer h.Close()
		r := start(t, h, "a", count(9)) // three times what is kept: the run waits for the reader
		synctest.Wait()
		if got := h.Stats(); got.Events != 3 || got.Running != 1 || got.Readers != 1 || got.Bytes != 3 {
			t.Errorf("before it is read: %+v", got)
		}
		text, err := rest(t, r)
		if want := "1:1 2:2 3:3 4:4 5:5 6:6 7:7 8:8 9:9 "; text != want || err != io.EOF {
			t.Errorf("%q, %v", text, err)
		}
		if r.Taken() != 9 {
			t.Errorf("taken %d", r.Taken())
		}
		r.Close()
		r.Close()
		if got := h.Stats(); got.Kept != 1 || got.Ended[Done] != 1 || got.Readers != 0 || got.Behind != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhoComesAgainGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		defer h.Close()
		r := start(t, h, "a", count(7))
		for range 4 {
			_, _ = take(r)
		}
		id := r.ID()
		r.Close()
		synctest.Wait() // the run waits, since nobody reads
		time.Sleep(9 * time.Second)
		again, err := h.Open("a", id, 3)
		if err != nil {
			t.Fatal(err)
		}
		text, err := rest(t, again)
		if text != "4:4 5:5 6:6 7:7 " || err != io.EOF {
			t.Errorf("%q, %v", text, err)
		}
		again.Close()
		time.Sleep(59 * time.Second)
		late, err := h.Open("a", id, 5)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := rest(t, late); text != "6:6 7:7 " || err != io.EOF {
			t.Errorf("after the end: %q, %v", text, err)
		}
		late.Close()
		if n := h.Stats().Resumed; n != 2 {
			t.Errorf("%d came again", n)
		}
		time.Sleep(2 * time.Second)
		if _, err := h.Open("a", id, 5); fault.KindOf(err) != fault.NotFound {
			t.Errorf("after a minute: %v", err)
		}
	})
}

func TestARunEndsWhenNobodyComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		defer h.Close()
		cancelled := make(chan error, 1)
		r := start(t, h, "a", func(ctx context.Context, emit func([]byte) error) error {
			_ = emit([]byte("x"))
			<-ctx.Done()
			cancelled <- context.Cause(ctx)
			return ctx.Err()
		})
		_, _ = take(r)
		r.Close()
		time.Sleep(9 * time.Second)
		select {
		case <-cancelled:
			t.Error("too early")
		default:
		}
		again, err := h.Open("a", r.ID(), 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour / 2) // somebody reads
		again.Close()
		time.Sleep(10*time.Second + 1)
		if err := <-cancelled; err != error(ErrAbandoned) {
			t.Errorf("cancelled by %v", err)
		}
		synctest.Wait()
		if got := h.Stats(); got.Ended[Abandoned] != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestASlowReaderIsLeftBehindAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		defer h.Close()
		slow := start(t, h, "a", count(8))
		quick, err := h.Open("a", slow.ID(), 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = take(slow)
		text, err := rest(t, quick) // it waits for the slow one, 10 s and no longer
		if text != "1:1 2:2 3:3 4:4 5:5 6:6 7:7 8:8 " || err != io.EOF {
			t.Errorf("%q, %v", text, err)
		}
		if _, err := take(slow); err != error(ErrBehind) {
			t.Errorf("the slow one: %v", err)
		}
		if _, err := h.Open("a", slow.ID(), 0); fault.KindOf(err) != fault.Busy {
			t.Errorf("a third reader: %v", err)
		}
		quick.Close()
		far, err := h.Open("a", slow.ID(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := take(far); err != error(ErrBehind) {
			t.Errorf("from 2 on: %v", err)
		}
		far.Close()
		slow.Close()
		if n := h.Stats().Behind; n != 2 {
			t.Errorf("%d were left behind", n)
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		defer h.Close()
		forever := func(ctx context.Context, _ func([]byte) error) error { <-ctx.Done(); return ctx.Err() }
		r := start(t, h, "a", func(_ context.Context, emit func([]byte) error) error { return emit(make([]byte, 101)) })
		if _, err := take(r); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("an event that is too large: %v", err)
		}
		r.Close()
		first := start(t, h, "a", forever)
		second := start(t, h, "a", forever) // the one that has ended makes room
		if _, err := h.Start(t.Context(), "a", nil, forever); fault.KindOf(err) != fault.Busy {
			t.Errorf("a third of a tenant: %v", err)
		}
		third, fourth := start(t, h, "b", forever), start(t, h, "", forever)
		if _, err := h.Start(t.Context(), "", nil, forever); fault.KindOf(err) != fault.Busy {
			t.Errorf("a fifth: %v", err)
		}
		for _, try := range []struct{ tenant, id string }{{"b", first.ID()}, {"", first.ID()}, {"a", "none"}, {"a", ""}} {
			if _, err := h.Open(try.tenant, try.id, 0); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%+v: %v", try, err)
			}
		}
		for _, from := range []int{-1, 1, 1 << 40} {
			if _, err := h.Open("a", first.ID(), from); fault.KindOf(err) != fault.Invalid {
				t.Errorf("from %d: %v", from, err)
			}
		}
		time.Sleep(time.Hour)
		if _, err := take(first); fault.KindOf(err) != fault.Timeout {
			t.Errorf("after an hour: %v", err)
		}
		for _, r := range []*Reader{first, second, third, fourth} {
			r.Close()
		}
	})
}

func TestEndsOfRunsReachTheReader(t *testing.T) {
	h := newHub(t, small())
	for name, c := range map[string]struct {
		run  Run
		kind fault.Kind
	}{
		"a failure": {func(context.Context, func([]byte) error) error {
			return fault.New(fault.Upstream, "upstream_error", "no")
		}, fault.Upstream},
		"a panic": {func(context.Context, func([]byte) error) error { panic("oh") }, fault.Internal},
	} {
		r := start(t, h, "", c.run)
		if _, err := take(r); fault.KindOf(err) != c.kind || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
	}
	if h.Stats().Ended[Failed] != 2 {
		t.Errorf("%+v", h.Stats())
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(small())
		r := start(t, h, "", func(ctx context.Context, _ func([]byte) error) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		h.Drain(5 * time.Second)
		h.Drain(time.Second) // the first counts
		if _, err := h.Start(t.Context(), "", nil, count(1)); fault.KindOf(err) != fault.Draining {
			t.Errorf("a new one: %v", err)
		}
		if _, err := take(r); fault.KindOf(err) != fault.Draining || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		r.Close()
		_ = h.Close()
	})
}

// Whoever begins a stream reads it: it is not abandoned before its first reader has it, however short the grace is.
func TestAStreamIsNotAbandonedAsItBegins(t *testing.T) {
	l := small()
	l.Streams, l.Grace = 1000, 1
	h := New(l)
	for range l.Streams {
		if _, err := h.Start(t.Context(), "", nil, func(ctx context.Context, _ func([]byte) error) error { <-ctx.Done(); return context.Cause(ctx) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil || h.Stats().Ended[Abandoned] != 0 {
		t.Errorf("%v, %+v", err, h.Stats())
	}
}
