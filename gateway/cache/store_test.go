package cache

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// conform is what every store holds to. settled waits until what was set can be got, where writing is asynchronous.
func conform(t *testing.T, s store, settled func()) {
	ctx := t.Context()
	put := func(t *testing.T, key Key, value string) bool {
		t.Helper()
		it, _ := s.get(ctx, key)
		it.data, it.expires = []byte(value), time.Now().Add(time.Hour)
		kept := s.set(ctx, key, it)
		settled()
		return kept
	}
	want := func(t *testing.T, key Key, value string) {
		t.Helper()
		it, ok := s.get(ctx, key)
		if !ok || string(it.data) != value || it.tier == "" {
			t.Fatalf("got %q (%v, %q), want %q", it.data, ok, it.tier, value)
		}
		if left := time.Until(it.expires); left <= 0 || left > time.Hour {
			t.Fatalf("%v left of an hour", left)
		}
	}
	wantNone := func(t *testing.T, key Key) {
		t.Helper()
		if it, ok := s.get(ctx, key); ok {
			t.Fatalf("got %q, want none", it.data)
		}
	}
	t.Run("a miss, a value, its replacement", func(t *testing.T) {
		key := keyOf(10, t.Name())
		wantNone(t, key)
		for _, value := range []string{"first", "", "second"} {
			if !put(t, key, value) {
				t.Fatal("refused")
			}
			want(t, key, value)
		}
	})
	t.Run("keys differ in group and sum", func(t *testing.T) {
		keys := []Key{keyOf(11, "a"), keyOf(11, "b"), keyOf(12, "a")}
		for i, key := range keys {
			put(t, key, fmt.Sprint(i))
		}
		for i, key := range keys {
			want(t, key, fmt.Sprint(i))
		}
	})
	t.Run("bytes come back unchanged", func(t *testing.T) {
		for _, size := range []int{1, 47, 48, 4096, 100_000} {
			value := make([]byte, size)
			_, _ = rand.Read(value)
			key := keyOf(13, fmt.Sprint(size))
			put(t, key, string(value))
			want(t, key, string(value))
		}
	})
	t.Run("expired is refused", func(t *testing.T) {
		key := keyOf(14, "a")
		it, _ := s.get(ctx, key)
		it.data, it.expires = []byte("old"), time.Now().Add(-time.Millisecond)
		if s.set(ctx, key, it) {
			t.Error("kept")
		}
		settled()
		wantNone(t, key)
	})
	t.Run("expires", func(t *testing.T) {
		key := keyOf(15, "a")
		it, _ := s.get(ctx, key)
		it.data, it.expires = []byte("brief"), time.Now().Add(30*time.Millisecond)
		s.set(ctx, key, it)
		parts.Until(t, "gone", time.Minute, func() bool { _, ok := s.get(ctx, key); return !ok && time.Now().After(it.expires) })
	})
	t.Run("purge of a group", func(t *testing.T) {
		gone, stays, group := keyOf(16, "a"), keyOf(17, "a"), groupOf(16)
		put(t, gone, "x")
		put(t, stays, "y")
		if err := s.purge(ctx, &group); err != nil {
			t.Fatal(err)
		}
		wantNone(t, gone)
		want(t, stays, "y")
		put(t, gone, "new")
		want(t, gone, "new")
	})
	t.Run("purge of everything", func(t *testing.T) {
		keys := []Key{keyOf(18, "a"), keyOf(19, "a")}
		for _, key := range keys {
			put(t, key, "x")
		}
		if err := s.purge(ctx, nil); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			wantNone(t, key)
			put(t, key, "new")
			want(t, key, "new")
		}
	})
	t.Run("a purge keeps out what was computed from before", func(t *testing.T) {
		for _, all := range []bool{false, true} {
			key, group := keyOf(20, fmt.Sprint(all)), groupOf(20)
			it, _ := s.get(ctx, key) // the look-up before the computation
			names := &group
			if all {
				names = nil
			}
			if err := s.purge(ctx, names); err != nil {
				t.Fatal(err)
			}
			it.data, it.expires = []byte("old"), time.Now().Add(time.Hour)
			s.set(ctx, key, it)
			settled()
			wantNone(t, key)
		}
	})
	t.Run("many at once", func(t *testing.T) { conformAtOnce(t, s) })
}

// conformAtOnce: whatever the order, a get gives the one value that its key ever has.
func conformAtOnce(t *testing.T, s store) {
	ctx := context.Background()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				name := fmt.Sprint((i * (worker + 1)) % 50)
				key, group := keyOf(30, name), groupOf(30)
				it, ok := s.get(ctx, key)
				if ok && string(it.data) != name {
					t.Errorf("%q has %q", name, it.data)
				}
				if i%50 == 49 {
					_ = s.purge(ctx, &group)
				}
				it.data, it.expires = []byte(name), time.Now().Add(time.Hour)
				s.set(ctx, key, it)
			}
		})
	}
	all.Wait()
}
