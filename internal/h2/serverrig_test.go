package h2

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// serveLean starts a server of this package, and checks that it ends.
func serveLean(tb testing.TB, o ServerOptions, handle func(*ServerCall)) (*Server, string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, l, o, handle), l.Addr().String()
}

func serveOn(tb testing.TB, l net.Listener, o ServerOptions, handle func(*ServerCall)) *Server {
	tb.Helper()
	s := NewServer(o, handle)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	tb.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s
}

// echoCall answers what came: unary calls by Reply, methods with "Stream" in the name message by message, "Fail" with a status, "Hang" when its context ends.
func echoCall(c *ServerCall) {
	ctx := c.Context()
	switch {
	case strings.HasSuffix(c.Method(), "Fail"):
		_ = c.End(&Status{Code: 9, Message: "föhn 100%\n"}, []Field{{"why", "so"}})
		return
	case strings.HasSuffix(c.Method(), "Hang"):
		<-ctx.Done()
		code := uint32(1)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			code = statusDeadline
		}
		_ = c.End(&Status{Code: code, Message: ctx.Err().Error()}, nil)
		return
	case strings.HasSuffix(c.Method(), "Panic"):
		panic("on demand")
	}
	var header, trailer []Field
	for _, f := range c.Header() {
		if strings.HasPrefix(f.Name, "x-") {
			header = append(header, f)
			trailer = append(trailer, Field{"t" + f.Name, f.Value})
		}
	}
	stream := strings.Contains(c.Method(), "Stream")
	for {
		b, compressed, err := c.Receive(ctx)
		var status *Status
		switch {
		case err == io.EOF:
			_ = c.End(nil, trailer)
			return
		case errors.As(err, &status):
			_ = c.End(status, nil)
			return
		case err != nil:
			return
		}
		if !stream {
			_ = c.Reply(header, cut(b.Bytes()), compressed, trailer)
			b.Release()
			return
		}
		err = c.Send(header, cut(b.Bytes()), compressed)
		b.Release()
		if err != nil {
			return
		}
	}
}

// within ends a test that hangs.
func within(tb testing.TB, what string, done <-chan struct{}) {
	tb.Helper()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		tb.Fatal(what + " does not happen")
	}
}
