package cache

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestRecords(t *testing.T) {
	server := parts.Redis(t)
	for name, config := range map[string]Config{"local": {}, "redis": {Redis: server.URL()}} {
		t.Run(name, func(t *testing.T) { conformRecords(t, newCache(t, config).Records()) })
	}
	// All gateways see the same.
	value, err := newCache(t, Config{Redis: server.URL()}).Records().Load(t.Context(), "a")
	if string(value) != "2" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

func conformRecords(t *testing.T, r *Records) {
	ctx := t.Context()
	want := func(value string) {
		t.Helper()
		if got, err := r.Load(ctx, "a"); string(got) != value || (got == nil) != (value == "") || err != nil {
			t.Fatalf("%q, %v; want %q", got, err, value)
		}
	}
	swap := func(old, value []byte, done bool) {
		t.Helper()
		if got, err := r.Swap(ctx, "a", old, value); got != done || err != nil {
			t.Fatalf("%q to %q: %v, %v", old, value, got, err)
		}
	}
	want("")
	swap([]byte("x"), []byte("1"), false)
	want("")
	swap(nil, []byte("1"), true)
	swap(nil, []byte("9"), false)
	swap([]byte("\x00\r\n"), []byte("9"), false)
	want("1")
	swap([]byte("1"), []byte("\x00\xff\r\n"), true)
	swap([]byte("\x00\xff\r\n"), []byte("2"), true)
	want("2")
	if got, err := r.Load(ctx, "b"); got != nil || err != nil {
		t.Errorf("another key: %q, %v", got, err)
	}
	for _, value := range [][]byte{nil, {}, make([]byte, largestRecord+1)} {
		if _, err := r.Swap(ctx, "b", nil, value); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d bytes: %v", len(value), err)
		}
	}
	large := bytes.Repeat([]byte("x"), largestRecord)
	if done, err := r.Swap(ctx, "large", nil, large); !done || err != nil {
		t.Fatal(done, err)
	}
	if got, err := r.Load(ctx, "large"); !bytes.Equal(got, large) || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Counting by compare-and-swap loses nothing.
	const workers, each = 8, 25
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for done := 0; done < each; {
				old, err := r.Load(ctx, "count")
				if err != nil {
					t.Error(err)
					return
				}
				n := 0
				_, _ = fmt.Sscan(string(old), &n)
				ok, err := r.Swap(ctx, "count", old, fmt.Append(nil, n+1))
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					done++
				}
			}
		})
	}
	all.Wait()
	if got, _ := r.Load(ctx, "count"); string(got) != fmt.Sprint(workers*each) {
		t.Errorf("counted %s", got)
	}
}
