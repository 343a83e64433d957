package h2

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// dialGo gives a client of grpc-go that hands bytes on.
func dialGo(tb testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(plainCodec{}), grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30))}, options...)
	c, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// TestServerUnary has grpc-go's client make calls of many sizes, one after another and side by side.
func TestServerUnary(t *testing.T) {
	_, address := serveLean(t, ServerOptions{}, echoCall)
	c := dialGo(t, address)
	for _, size := range []int{0, 1, 16, 16 << 10, 65_535, 602_112, 10 << 20, 16} {
		in, out := noise(size, size), []byte(nil)
		if err := c.Invoke(t.Context(), "/a.B/Echo", &in, &out); err != nil || string(out) != string(in) {
			t.Errorf("%d bytes: %d, %v", size, len(out), err)
		}
	}
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for j := range 20 {
				in, out := noise(i, i*j*37), []byte(nil)
				if err := c.Invoke(t.Context(), "/a.B/Echo", &in, &out); err != nil || string(out) != string(in) {
					t.Errorf("%d bytes: %d, %v", len(in), len(out), err)
				}
			}
		})
	}
	all.Wait()
}

func TestServerMetadata(t *testing.T) {
	_, address := serveLean(t, ServerOptions{}, echoCall)
	c := dialGo(t, address)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-one", "1", "x-two-bin", "\x00\xff", "x-one", "2")
	var header, trailer metadata.MD
	in, out := []byte("a"), []byte(nil)
	if err := c.Invoke(ctx, "/a.B/Echo", &in, &out, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q %q", header["x-one"], header["x-two-bin"]); got != `["1" "2"] ["\x00\xff"]` {
		t.Error(got)
	}
	if got := fmt.Sprintf("%q %q", trailer["tx-one"], trailer["tx-two-bin"]); got != `["1" "2"] ["\x00\xff"]` {
		t.Error(got)
	}
	err := c.Invoke(ctx, "/a.B/Fail", &in, &out, grpc.Trailer(&trailer))
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "föhn 100%\n" || trailer.Get("why")[0] != "so" {
		t.Error(err, trailer)
	}
}

func TestServerStreams(t *testing.T) {
	for name, o := range map[string]ServerOptions{"at the first message": {}, "early": {Early: func(string) bool { return true }}, "wide": {CallWindow: 1 << 20, ConnWindow: 4 << 20}} {
		t.Run(name, func(t *testing.T) {
			_, address := serveLean(t, o, echoCall)
			c := dialGo(t, address)
			s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/a.B/Stream")
			if err != nil {
				t.Fatal(err)
			}
			for i, size := range []int{0, 1, 100_000, 3, 3 << 20, 0, 5} { // to and fro
				in, out := noise(i, size), []byte(nil)
				if err := s.SendMsg(&in); err != nil {
					t.Fatal(err)
				}
				if err := s.RecvMsg(&out); err != nil || string(out) != string(in) {
					t.Fatalf("%d bytes: %d, %v", size, len(out), err)
				}
			}
			const messages = 3000
			go func() { // both ways at once
				for i := range messages {
					in := noise(i, i%50*(i%7)*13)
					_ = s.SendMsg(&in)
				}
				_ = s.CloseSend()
			}()
			for i := range messages {
				var out []byte
				if err := s.RecvMsg(&out); err != nil || string(out) != string(noise(i, i%50*(i%7)*13)) {
					t.Fatalf("message %d: %d bytes, %v", i, len(out), err)
				}
			}
			if err := s.RecvMsg(new([]byte)); err != io.EOF {
				t.Error(err)
			}
		})
	}
}

func TestServerDeadlines(t *testing.T) {
	type told struct {
		begun chan struct{}
		ended chan error
	}
	methods := map[string]told{}
	for _, m := range []string{"/a.B/LateHang", "/a.B/LeftHang"} {
		methods[m] = told{make(chan struct{}, 100), make(chan error, 100)}
	}
	_, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		if m, ok := methods[c.Method()]; ok {
			m.begun <- struct{}{}
			defer func() { m.ended <- c.Context().Err() }()
		}
		echoCall(c)
	})
	c := dialGo(t, address)
	in, out := []byte("a"), []byte(nil)
	echo := func() {
		if err := c.Invoke(t.Context(), "/a.B/Echo", &in, &out); err != nil {
			t.Error(err)
		}
	}
	echo()
	late, left := methods["/a.B/LateHang"], methods["/a.B/LeftHang"]
	for wait := 100 * time.Millisecond; len(late.begun) == 0; wait *= 2 { // on a slow machine the time may be over before the call has come
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if err := c.Invoke(ctx, "/a.B/LateHang", &in, &out); status.Code(err) != codes.DeadlineExceeded {
			t.Error(err)
		}
		cancel()
	}
	if err := <-late.ended; err == nil { // the client's RST_STREAM may come before the deadline on this side
		t.Error(err)
	}
	echo()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-left.begun
		cancel()
	}()
	if err := c.Invoke(ctx, "/a.B/LeftHang", &in, &out); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if err := <-left.ended; err != context.Canceled {
		t.Error(err)
	}
	echo()
}

// TestServerPanic has a handler panic and one do nothing.
func TestServerPanic(t *testing.T) {
	_, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		if c.Method() != "/a.B/Nothing" {
			echoCall(c)
		}
	})
	c := dialGo(t, address)
	for _, method := range []string{"/a.B/Panic", "/a.B/Nothing"} {
		in, out := []byte("a"), []byte(nil)
		if err := c.Invoke(t.Context(), method, &in, &out); status.Code(err) != codes.Internal {
			t.Error(err)
		}
		if err := c.Invoke(t.Context(), "/a.B/Echo", &in, &out); err != nil {
			t.Error(err)
		}
	}
}

func TestServerShutdown(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		close(begun)
		<-release
		echoCall(c)
	})
	c := dialGo(t, address)
	called := make(chan error, 1)
	go func() {
		in, out := []byte("a"), []byte(nil)
		called <- c.Invoke(t.Context(), "/a.B/Echo", &in, &out)
	}()
	within(t, "the call", begun)
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-called; err != nil {
		t.Error(err)
	}
}

// TestServerCutOff shuts down with a call that does not end by itself.
func TestServerCutOff(t *testing.T) {
	begun := make(chan struct{})
	s, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		close(begun)
		<-c.Context().Done()
	})
	c := dialGo(t, address)
	called := make(chan error, 1)
	go func() {
		in, out := []byte("a"), []byte(nil)
		called <- c.Invoke(t.Context(), "/a.B/Echo", &in, &out)
	}()
	within(t, "the call", begun)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Error(err)
	}
	if err := <-called; status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}
