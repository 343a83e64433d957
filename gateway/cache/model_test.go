package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
)

// TestDoAgainstAModel plays random calls, endings, departures and purges, one at a time, and compares every answer, and every
// computation that is started, with a plain model of what Do promises.
func TestDoAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) { playModel(rt) })
	})
}

type (
	modelCall struct {
		cancel context.CancelFunc
		got    chan modelAnswer
	}
	modelAnswer struct {
		value string
		out   Outcome
		kind  fault.Kind
		err   error
	}
	modelFlight struct {
		key     Key
		mode    Mode
		joins   bool // others join it
		purged  bool // since it began
		callers []*modelCall
		verdict chan func() ([]byte, bool, error)
	}
	model struct {
		*rapid.T
		cache   *Tiered
		stored  map[Key]string
		flights []*modelFlight
		started []*modelFlight // computations begun and not yet told to the model
		values  int
	}
)

var errModel = errors.New("the model's own")

func playModel(rt *rapid.T) {
	c, err := New(Config{Memory: mib, FlightTimeout: 24 * time.Hour}, slog.New(slog.DiscardHandler))
	if err != nil {
		rt.Fatal(err)
	}
	defer c.Close()
	m := &model{T: rt, cache: c, stored: map[Key]string{}}
	keys := []Key{keyOf(1, "a"), keyOf(1, "b"), keyOf(2, "a")}
	defer m.endAll()
	for range rapid.IntRange(1, 40).Draw(rt, "steps") {
		switch rapid.SampledFrom([]string{"call", "call", "call", "finish", "leave", "purge"}).Draw(rt, "step") {
		case "call":
			m.call(rapid.SampledFrom(keys).Draw(rt, "key"), Mode(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(rt, "mode")))
		case "finish":
			if len(m.flights) > 0 {
				i := rapid.IntRange(0, len(m.flights)-1).Draw(rt, "flight")
				m.finish(m.flights[i], rapid.SampledFrom([]string{"keep", "keep", "not", "error", "panic", "exit"}).Draw(rt, "how"))
			}
		case "leave":
			if len(m.flights) > 0 {
				f := m.flights[rapid.IntRange(0, len(m.flights)-1).Draw(rt, "flight")]
				m.leave(f, rapid.IntRange(0, len(f.callers)-1).Draw(rt, "caller"))
			}
		case "purge":
			m.purge(byte(rapid.IntRange(0, 2).Draw(rt, "group")))
		}
		if got := c.flights.underway(); got != len(m.flights) {
			rt.Fatalf("%d flights under way, want %d", got, len(m.flights))
		}
	}
}

func (m *model) call(key Key, mode Mode) {
	ctx, cancel := context.WithCancel(context.Background())
	call := &modelCall{cancel, make(chan modelAnswer, 1)}
	f := &modelFlight{key: key, mode: mode, verdict: make(chan func() ([]byte, bool, error))}
	go func() {
		value, out, err := m.cache.Do(ctx, key, mode, 0, func(ctx context.Context) ([]byte, bool, error) {
			m.started = append(m.started, f)
			select {
			case end := <-f.verdict:
				return end()
			case <-ctx.Done():
				return nil, false, ctx.Err()
			}
		})
		call.got <- modelAnswer{string(value), out, fault.KindOf(err), err}
	}()
	synctest.Wait()
	began := m.started
	m.started = nil
	if value, ok := m.stored[key]; ok && mode == Default {
		m.want(call, modelAnswer{value: value, out: Outcome{Hit: true, Detail: "memory"}})
		m.none(began)
		return
	}
	running := slices.IndexFunc(m.flights, func(f *modelFlight) bool { return f.key == key && f.joins })
	if mode == Default && running >= 0 {
		m.flights[running].callers = append(m.flights[running].callers, call)
		m.none(began)
		return
	}
	if len(began) != 1 || began[0] != f {
		m.Fatalf("%d computations began, want one", len(began))
	}
	f.joins = mode != NoStore && running < 0
	f.callers = []*modelCall{call}
	m.flights = append(m.flights, f)
}

func (m *model) finish(f *modelFlight, how string) {
	m.values++
	value := fmt.Sprint(m.values)
	want := modelAnswer{value: value}
	switch how {
	case "keep":
		f.verdict <- func() ([]byte, bool, error) { return []byte(value), true, nil }
		if f.mode != NoStore && !f.purged {
			m.stored[f.key], want.out.Stored = value, true
		}
	case "not":
		f.verdict <- func() ([]byte, bool, error) { return []byte(value), false, nil }
	case "error":
		f.verdict <- func() ([]byte, bool, error) { return []byte(value), true, errModel }
		want = modelAnswer{err: errModel}
	case "panic":
		f.verdict <- func() ([]byte, bool, error) { panic("x") }
		want = modelAnswer{err: &fault.Error{Code: "internal"}}
	case "exit":
		f.verdict <- func() ([]byte, bool, error) { runtime.Goexit(); return nil, false, nil }
		want = modelAnswer{err: &fault.Error{Code: "internal"}}
	}
	synctest.Wait()
	first := true // who started it is told where the value came from, unless it has left
	for _, call := range f.callers {
		if call == nil {
			first = false
			continue
		}
		if !first && want.err == nil {
			want.out = Outcome{Hit: true, Detail: "shared"}
		}
		m.want(call, want)
		first = false
	}
	m.drop(f)
}

func (m *model) leave(f *modelFlight, i int) {
	if f.callers[i] == nil {
		return
	}
	f.callers[i].cancel()
	synctest.Wait()
	m.want(f.callers[i], modelAnswer{kind: fault.Canceled, err: context.Canceled})
	f.callers[i] = nil
	if !slices.ContainsFunc(f.callers, func(c *modelCall) bool { return c != nil }) {
		m.drop(f) // the last one: the computation's ctx ended, and it with it
	}
}

func (m *model) purge(n byte) {
	group := groupOf(n)
	names := &group
	if n == 0 {
		names = nil
	}
	if err := m.cache.Purge(context.Background(), names); err != nil {
		m.Fatal(err)
	}
	for key := range m.stored {
		if names == nil || key.Group == group {
			delete(m.stored, key)
		}
	}
	for _, f := range m.flights {
		f.purged = f.purged || names == nil || f.key.Group == group
	}
}

func (m *model) drop(f *modelFlight) {
	m.flights = slices.DeleteFunc(m.flights, func(other *modelFlight) bool { return other == f })
}

func (m *model) none(began []*modelFlight) {
	if len(began) != 0 {
		m.Fatalf("%d computations began, want none", len(began))
	}
}

func (m *model) want(call *modelCall, want modelAnswer) {
	select {
	case got := <-call.got:
		if got.value != want.value || got.out != want.out || !errors.Is(got.err, want.err) || want.kind != 0 && got.kind != want.kind {
			m.Fatalf("got %+v, want %+v", got, want)
		}
	default:
		m.Fatalf("no answer, want %+v", want)
	}
	call.cancel()
}

// endAll lets every goroutine end, whatever the test came to.
func (m *model) endAll() {
	for _, f := range m.flights {
		for _, call := range f.callers {
			if call != nil {
				call.cancel()
			}
		}
	}
	synctest.Wait()
}
