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

// newCache is a cache that ends with the test. Where the test says nothing else, it waits for its Redis for as long as a busy machine may need.
func newCache(tb testing.TB, config Config) *Tiered {
	tb.Helper()
	if config.RedisTimeout == 0 {
		config.RedisTimeout, config.RedisDial = time.Minute, time.Minute
	}
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
