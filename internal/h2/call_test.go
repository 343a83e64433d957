package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestEcho(t *testing.T) {
	_, address := serve(t, echo)
	c := connect(t, address, Options{UserAgent: "test"})
	for _, size := range []int{0, 1, 16, 1000, 16378, 16379, 16380, 16384, 65530, 65536, 602_112, 4_915_200, 20_000_003} {
		want := noise(size, size)
		got, _, err := c.Call(t.Context(), "/a.B/C", nil, cut(want))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %v, %d came back", size, err, len(got))
		}
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// TestMixed has 100 calls of sizes from nothing to some MB at the same time.
func TestMixed(t *testing.T) {
	_, address := serve(t, echo, grpc.MaxConcurrentStreams(20))
	c := connect(t, address, Options{})
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for round := range 3 {
				want := noise(i+round, []int{0, 16, 5_000, 70_000, 602_000, 3_000_000}[(i+round)%6]+i)
				got, _, err := c.Call(t.Context(), "/a.B/C", nil, cut(want))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %v, %d came back", len(want), err, len(got))
				}
			}
		})
	}
	all.Wait()
	if c.active != 0 || len(c.streams) != 0 || len(c.blocked) != 0 || len(c.queue) != 0 {
		t.Errorf("%d active, %d streams, %d blocked, %d in the queue are left", c.active, len(c.streams), len(c.blocked), len(c.queue))
	}
}

func TestMetadata(t *testing.T) {
	_, address := serve(t, func(ctx context.Context, method string, _ []byte) ([]byte, error) {
		in, _ := metadata.FromIncomingContext(ctx)
		at, ok := ctx.Deadline()
		left := time.Until(at)
		_ = grpc.SetTrailer(ctx, metadata.Pairs("one", "1", "two", "2", "two", "3", "raw-bin", "\x00\xff"))
		return fmt.Appendf(nil, "%s %v %v %v %v", method, in["x-key"], in["user-agent"], in["raw-bin"], ok && left > 30*time.Minute && left <= time.Hour), nil
	})
	c := connect(t, address, Options{UserAgent: "agent/1"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for range 3 { // the table of headers is used
		got, trailer, err := c.Call(ctx, "/a.B/C", []Field{{"x-key", "value"}, {"x-key", "more"}, {"raw-bin", "AAE="}}, nil)
		if want := "/a.B/C [value more] [agent/1] [\x00\x01] true"; err != nil || string(got) != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
		if want := "[{one 1} {raw-bin AP8} {two 2} {two 3}]"; fmt.Sprint(sorted(trailer)) != want {
			t.Errorf("trailers %v, want %v", trailer, want)
		}
	}
}

func TestStatus(t *testing.T) {
	_, address := serve(t, func(ctx context.Context, method string, _ []byte) ([]byte, error) {
		_ = grpc.SetTrailer(ctx, metadata.Pairs("told", "yes"))
		return nil, status.Error(codes.NotFound, "no model 'ä' at 100%\n")
	})
	c := connect(t, address, Options{})
	_, trailer, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(1, 100_000)})
	var s *Status
	if !errors.As(err, &s) || s.Code != 5 || s.Message != "no model 'ä' at 100%\n" || s.HTTP != 0 {
		t.Errorf("%#v", err)
	}
	if fmt.Sprint(trailer) == "[]" || trailer[len(trailer)-1] != (Field{"told", "yes"}) {
		t.Errorf("trailers %v", trailer)
	}
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.As(err, &s) || got != nil {
		t.Error(got, err)
	}
}

func TestBadRequest(t *testing.T) {
	_, address := serve(t, echo)
	c := connect(t, address, Options{MaxAnswer: 100})
	for _, header := range []Field{{"Upper", "x"}, {"", "x"}, {":path", "x"}, {"grpc-status", "1"}, {"te", "x"}, {"a", "b\r\nc"}, {"a", " b"}, {"a b", "c"}, {"a", "ä"}} {
		if _, _, err := c.Call(t.Context(), "/a.B/C", []Field{header}, nil); !errors.Is(err, ErrRequest) {
			t.Errorf("%v: %v", header, err)
		}
	}
	for _, method := range []string{"", "a.B/C", "/a b\n"} {
		if _, _, err := c.Call(t.Context(), method, nil, nil); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v", method, err)
		}
	}
	var s *Status
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(1, 101)}); !errors.As(err, &s) || s.Code != 8 {
		t.Error(err)
	}
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(1, 100)}); err != nil || len(got) != 100 {
		t.Error(err)
	}
}
