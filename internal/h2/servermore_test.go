package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/load"
	"triton-gateway/tritonpb"
)

// TestServerOwnClient has this package on both sides.
func TestServerOwnClient(t *testing.T) {
	var l ledger
	s, address := serveLean(t, ServerOptions{Buffer: l.get, CallWindow: 1 << 20, ConnWindow: 4 << 20}, echoCall)
	c := connect(t, address, Options{UserAgent: "test"})
	for _, size := range []int{0, 16, 65_535, 602_112, 10 << 20, 16} {
		want := noise(size, size)
		got, trailer, err := c.Call(t.Context(), "/a.B/Echo", []Field{{"x-a", "b"}}, cut(want))
		if err != nil || string(got) != string(want) || len(trailer) != 1 || trailer[0] != (Field{"tx-a", "b"}) {
			t.Errorf("%d bytes: %d, %v, %v", size, len(got), trailer, err)
		}
	}
	var status *Status
	if _, _, err := c.Call(t.Context(), "/a.B/Fail", nil, nil); !errors.As(err, &status) || status.Code != 9 || status.Message != "föhn 100%\n" {
		t.Error(err)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 30 { // some are given up in the middle
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*j%7+1)*time.Millisecond)
				want := noise(j, j%5*50_000)
				got, _, err := c.Call(ctx, "/a.B/Echo", nil, cut(want))
				if err == nil && string(got) != string(want) {
					t.Error("another answer")
				}
				cancel()
			}
		})
	}
	all.Wait()
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	s.Close()
	l.empty(t)
}

// TestServerGenerated has grpc-go's client with generated code and its keepalive.
func TestServerGenerated(t *testing.T) {
	_, address := serveLean(t, ServerOptions{Early: func(m string) bool { return m == tritonpb.GRPCInferenceService_ModelStreamInfer_FullMethodName }}, func(c *ServerCall) {
		for {
			b, _, err := c.Receive(c.Context())
			if err != nil {
				_ = c.End(nil, nil)
				return
			}
			var in tritonpb.ModelInferRequest
			if err := proto.Unmarshal(b.Bytes(), &in); err != nil {
				t.Error(err)
			}
			b.Release()
			out := &tritonpb.ModelInferResponse{ModelName: in.ModelName, RawOutputContents: in.RawInputContents}
			if c.Method() == tritonpb.GRPCInferenceService_ModelInfer_FullMethodName {
				data, _ := proto.Marshal(out)
				_ = c.Reply(nil, [][]byte{data}, false, nil)
				return
			}
			data, _ := proto.Marshal(&tritonpb.ModelStreamInferResponse{InferResponse: out})
			if c.Send(nil, [][]byte{data}, false) != nil {
				return
			}
		}
	})
	conn := dialGo(t, address, grpc.WithDefaultCallOptions(grpc.ForceCodecV2(nil)), grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: true}))
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	var in tritonpb.ModelInferRequest
	if err := proto.Unmarshal(load.Floats("m", "x", 1000), &in); err != nil {
		t.Fatal(err)
	}
	out, err := client.ModelInfer(t.Context(), &in)
	if err != nil || out.ModelName != "m" || len(out.RawOutputContents[0]) != 4000 {
		t.Fatal(out, err)
	}
	stream, err := client.ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := stream.Send(&in); err != nil {
			t.Fatal(err)
		}
		if out, err := stream.Recv(); err != nil || out.InferResponse.ModelName != "m" {
			t.Fatal(out, err)
		}
	}
	_ = stream.CloseSend()
}

// TestServerTLS has clients of both kinds, one without ALPN, and one that says nothing.
func TestServerTLS(t *testing.T) {
	pair, pool := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, ServerOptions{Hello: 10 * time.Second}, echoCall)
	address := l.Addr().String()
	own := connectTLS(t, address, pool)
	other := dialGo(t, address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})))
	for _, size := range []int{0, 16, 602_112, 4_915_200} {
		want, out := noise(size, size), []byte(nil)
		if got, _, err := own.Call(t.Context(), "/a.B/Echo", nil, cut(want)); err != nil || string(got) != string(want) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err := other.Invoke(t.Context(), "/a.B/Echo", &want, &out); err != nil || string(out) != string(want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	var status *Status
	if _, _, err := own.Call(t.Context(), "/a.B/Fail", nil, nil); !errors.As(err, &status) || status.Code != 9 {
		t.Error(err)
	}
	nc, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client without ALPN is served:", err)
	}
	_ = nc.Close()
}

// TestServerListener ends by the listener's error.
func TestServerListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(ServerOptions{}, echoCall)
	_ = l.Close()
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(l); err != nil {
		t.Error(err)
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{"": "", "plain": "plain", "100%": "100%25", "ä\n": "%C3%A4%0A", "\xff": "%EF%BF%BD"} {
		if got := escape(in); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if got := escape(string(make([]byte, 10_000))); len(got) > longestMessage || len(got)%3 != 0 {
		t.Error(len(got))
	}
}

// FuzzServer feeds bytes to a server behind a good hello.
func FuzzServer(f *testing.F) {
	f.Add(ask(1, "Echo"))
	f.Add(join(ask(1, "Stream"), message(1, "x"), appendReset(nil, 1, CodeCancel), ask(3, "Echo"), settings(settingWindow, 0, settingTable, 0)))
	f.Add(join(opens(1, 0), split(1, message(1, "good")[headSize:])))
	f.Add(join(whole(frameHeaders, 0, 1, nil), whole(frameContinuation, flagEndHeaders, 1, headerBlock(":method: POST"))))
	f.Add(join(appendWindow(nil, 0, 5), whole(framePing, 0, 0, make([]byte, 8)), whole(framePriority, 0, 1, make([]byte, 5))))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l ledger
		server, client := net.Pipe()
		s := NewServer(ServerOptions{Streams: 4, MaxMessage: 1 << 16, Buffer: l.get, Early: func(m string) bool { return len(m)%2 == 0 }}, echoCall)
		s.welcome(server)
		var all sync.WaitGroup
		all.Go(func() {
			b := make([]byte, 4096)
			for {
				if _, err := client.Read(b); err != nil {
					return
				}
			}
		})
		_ = client.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, _ = client.Write(join([]byte(preface), settings()))
		if _, err := client.Write(data); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the server does not read")
		}
		_ = client.Close()
		s.Close()
		all.Wait()
		l.empty(t)
	})
}
