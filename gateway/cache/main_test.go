package cache

import (
	"crypto/sha256"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keyOf makes a key of a group and a name.
func keyOf(group byte, name string) Key {
	return Key{Group: groupOf(group), Sum: sha256.Sum256([]byte(name))}
}

func groupOf(n byte) [8]byte {
	sum := sha256.Sum256([]byte{n})
	return [8]byte(sum[:8])
}

// newCache makes a cache that is closed with the test.
func newCache(tb testing.TB, config Config) *Tiered {
	tb.Helper()
	t, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Error(err)
		}
	})
	return t
}

// until waits for a condition that another goroutine or process brings about.
func until(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("still not: %s", what)
		}
	}
}
