package h2

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// plainCodec hands bytes on.
type plainCodec struct{}

func (plainCodec) Name() string { return "proto" }

func (plainCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (plainCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// handler answers a call with bytes.
type handler func(ctx context.Context, method string, request []byte) ([]byte, error)

// serve starts a server of grpc-go that does every method alike.
func serve(tb testing.TB, h handler, options ...grpc.ServerOption) (*grpc.Server, string) {
	tb.Helper()
	options = append(options, grpc.ForceServerCodecV2(plainCodec{}), grpc.MaxRecvMsgSize(1<<30), grpc.MaxSendMsgSize(1<<30),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			var in []byte
			if err := stream.RecvMsg(&in); err != nil {
				return err
			}
			out, err := h(stream.Context(), method, in)
			if err != nil {
				return err
			}
			return stream.SendMsg(&out)
		}))
	server := grpc.NewServer(options...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	tb.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			tb.Error(err)
		}
	})
	return server, listener.Addr().String()
}

func echo(_ context.Context, _ string, request []byte) ([]byte, error) { return request, nil }

// connect dials and says hello.
func connect(tb testing.TB, address string, o Options) *Conn {
	tb.Helper()
	nc, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	o.Authority = address
	c, err := New(context.Background(), nc, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// noise is n bytes that differ from their neighbours and from those of another seed.
func noise(seed, n int) []byte {
	out := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}

// cut makes pieces of b, of sizes that grow, with an empty one between.
func cut(b []byte) (pieces [][]byte) {
	for size := 1; len(b) > 0; size *= 7 {
		n := min(size, len(b))
		pieces = append(pieces, b[:n:n], nil)
		b = b[n:]
	}
	return pieces
}

// script is a server that does what a test says, frame by frame.
type script struct {
	net.Conn
	tb testing.TB
}

// scripted connects a Conn to a script whose hello is said: first is what it sends.
func scripted(tb testing.TB, o Options, first []byte, play func(*script)) (*Conn, error) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer listener.Close()
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		s := &script{nc, tb}
		s.send(first)
		if hello := make([]byte, len(preface)); !s.read(hello) || string(hello) != preface {
			return
		}
		play(s)
	}()
	nc, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	c, err := New(context.Background(), nc, o)
	if err == nil {
		tb.Cleanup(func() {
			c.Close()
			<-done
		})
	}
	return c, err
}

func (s *script) read(b []byte) bool {
	_, err := io.ReadFull(s.Conn, b)
	return err == nil
}

func (s *script) send(b []byte) { _, _ = s.Write(b) }

// next reads a frame; its kind is 255 at the end.
func (s *script) next() (frame, []byte) {
	head := make([]byte, headSize)
	if !s.read(head) {
		return frame{kind: 255}, nil
	}
	f := parseFrame(head)
	body := make([]byte, f.length)
	s.read(body)
	return f, body
}

// until reads frames up to one of the kind, with one of the flags if any is given.
func (s *script) until(kind, flags byte) (frame, []byte) {
	for {
		f, body := s.next()
		if f.kind == 255 || f.kind == kind && (flags == 0 || f.flags&flags != 0) {
			return f, body
		}
	}
}

// hold reads until the other side closes.
func (s *script) hold() { _, _ = io.Copy(io.Discard, s.Conn) }

func sorted(list []Field) []Field {
	out := make([]Field, 0, len(list))
	for _, f := range list {
		if f.Name != "content-type" {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}
