package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counted is a compute that gives value and counts its calls.
func counted(calls *atomic.Int32, value string) Compute {
	return func(context.Context) ([]byte, bool, error) {
		calls.Add(1)
		return []byte(value), true, nil
	}
}

func TestDoComputesOnce(t *testing.T) {
	c, key := newCache(t, Config{Memory: mib}), keyOf(1, "a")
	var calls atomic.Int32
	for i, want := range []Outcome{{Stored: true}, {Hit: true, Detail: "memory"}, {Hit: true, Detail: "memory"}} {
		value, out, err := c.Do(t.Context(), key, Default, 0, counted(&calls, "v"))
		if string(value) != "v" || out != want || err != nil {
			t.Errorf("call %d: %q, %+v, %v", i, value, out, err)
		}
	}
	if value, out, ok := c.Get(t.Context(), key); !ok || string(value) != "v" || out != (Outcome{Hit: true, Detail: "memory"}) {
		t.Errorf("Get: %q, %+v, %v", value, out, ok)
	}
	if _, _, ok := c.Get(t.Context(), keyOf(1, "other")); ok {
		t.Error("Get found what nobody stored")
	}
	if calls.Load() != 1 {
		t.Errorf("%d computations", calls.Load())
	}
}

func TestDoModes(t *testing.T) {
	c, key := newCache(t, Config{Memory: mib}), keyOf(1, "a")
	var calls atomic.Int32
	for i, step := range []struct {
		mode  Mode
		fresh string // what compute would give
		want  string
		out   Outcome
	}{
		{NoStore, "1", "1", Outcome{}},
		{Default, "2", "2", Outcome{Stored: true}}, // NoStore stored nothing
		{NoStore, "3", "3", Outcome{}},             // nor does it read
		{Default, "4", "2", Outcome{Hit: true, Detail: "memory"}},
		{NoCache, "5", "5", Outcome{Stored: true}}, // does not read, but stores
		{Default, "6", "5", Outcome{Hit: true, Detail: "memory"}},
	} {
		value, out, err := c.Do(t.Context(), key, step.mode, 0, counted(&calls, step.fresh))
		if string(value) != step.want || out != step.out || err != nil {
			t.Errorf("step %d: %q, %+v, %v", i, value, out, err)
		}
	}
}

func TestWhoSharesAFlight(t *testing.T) {
	for _, step := range []struct {
		first, second Mode
		computes      int32
	}{
		{Default, Default, 1}, {Default, NoCache, 2}, {Default, NoStore, 2},
		{NoCache, Default, 1}, {NoCache, NoCache, 2}, {NoStore, Default, 2}, {NoStore, NoStore, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, err := New(Config{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			var calls atomic.Int32
			release := make(chan struct{})
			var all sync.WaitGroup
			for _, mode := range []Mode{step.first, step.second} {
				all.Go(func() {
					_, _, err := c.Do(t.Context(), keyOf(1, "a"), mode, 0, func(context.Context) ([]byte, bool, error) {
						calls.Add(1)
						<-release
						return nil, true, nil
					})
					if err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			close(release)
			all.Wait()
			if calls.Load() != step.computes {
				t.Errorf("%d then %d: %d computations", step.first, step.second, calls.Load())
			}
		})
	}
}

func TestWhatIsNotStored(t *testing.T) {
	c := newCache(t, Config{Memory: mib})
	broken := errors.New("broken")
	for name, compute := range map[string]Compute{
		"an error":          func(context.Context) ([]byte, bool, error) { return []byte("v"), true, broken },
		"a panic":           func(context.Context) ([]byte, bool, error) { panic("x") },
		"what is not to be": func(context.Context) ([]byte, bool, error) { return []byte("v"), false, nil },
		"too large":         func(context.Context) ([]byte, bool, error) { return make([]byte, mib), true, nil },
	} {
		key := keyOf(1, name)
		value, out, err := c.Do(t.Context(), key, Default, 0, compute)
		if out.Stored || out.Hit {
			t.Errorf("%s: %+v", name, out)
		}
		if name == "an error" && (err != broken || value != nil) {
			t.Errorf("%s: %q, %v", name, value, err)
		}
		if _, _, ok := c.Get(t.Context(), key); ok {
			t.Errorf("%s: stored", name)
		}
	}
}

func TestTTLWithJitter(t *testing.T) {
	c := newCache(t, Config{TTL: 10 * time.Minute})
	for _, step := range []struct{ ask, middle time.Duration }{
		{0, 10 * time.Minute}, {-1, 10 * time.Minute}, {time.Second, time.Second}, {1 << 62, maxLife - maxLife/jitter},
	} {
		low, high := time.Duration(1<<62), time.Duration(0)
		for range 2000 {
			life := c.life(step.ask)
			low, high = min(low, life), max(high, life)
		}
		tenth := step.middle / 10
		if low < step.middle-tenth || low > step.middle-tenth*8/10 || high > step.middle+tenth || high < step.middle+tenth*8/10 {
			t.Errorf("ttl %v: %v to %v", step.ask, low, high)
		}
	}
}

func TestPurgeDuringAComputation(t *testing.T) {
	for _, mode := range []Mode{Default, NoCache} {
		c, key, group := newCache(t, Config{Memory: mib}), keyOf(1, "a"), groupOf(1)
		value, out, err := c.Do(t.Context(), key, mode, 0, func(ctx context.Context) ([]byte, bool, error) {
			return []byte("old"), true, c.Purge(ctx, &group)
		})
		if string(value) != "old" || out.Stored || err != nil {
			t.Errorf("%q, %+v, %v", value, out, err)
		}
		if _, _, ok := c.Get(t.Context(), key); ok {
			t.Error("what was computed from before the purge is stored")
		}
	}
}

func TestConfigFaults(t *testing.T) {
	for _, config := range []Config{
		{Memory: -1}, {RedisValue: -1}, {RedisValue: maxRedisValue + 1}, {TTL: -1}, {TTL: 10 * maxLife}, {FlightTimeout: -time.Second},
		{RedisTimeout: time.Nanosecond}, {Redis: "http://x"},
	} {
		if c, err := New(config, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v: accepted", config)
			_ = c.Close()
		}
	}
}
