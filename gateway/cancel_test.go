package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

const tensorCall = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}`

// slowTriton is a Triton whose model m answers when its caller leaves, and tells when that was.
func slowTriton(t *testing.T) (_ *tritontest.Server, begun chan time.Duration, left chan time.Time) {
	t.Helper()
	begun, left = make(chan time.Duration, 16), make(chan time.Time, 16)
	fake := tritontest.New(t)
	fake.Model("m", func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
		end, _ := ctx.Deadline()
		begun <- time.Until(end)
		<-ctx.Done()
		left <- time.Now()
		return nil, ctx.Err()
	}, tritontest.Config(&tritonpb.ModelConfig{Name: "m", Backend: "fake", MaxBatchSize: 8,
		Input:  []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}},
		Output: []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}}}))
	return fake, begun, left
}

// serveBefore runs a whole gateway in front of a Triton until the test ends.
func serveBefore(t *testing.T, fake *tritontest.Server) *Gateway {
	t.Helper()
	c := DefaultConfig()
	c.Jobs.Queue = queueOff
	c.Listen = Listen{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0"}
	c.ModelRepository, c.Triton.Endpoints = "", []string{fake.Addr()}
	ctx, stop := context.WithCancel(context.Background())
	g, err := New(ctx, c, Build{Version: "test"}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return g
}

// A client that leaves ends its call of Triton, within 50 ms and what a busy machine adds.
func TestALeavingClientCancelsItsCall(t *testing.T) {
	fake, begun, left := slowTriton(t)
	g := serveBefore(t, fake)
	for _, path := range []string{"/v2/models/m/infer", "/v1/models/m/infer", "/v1/models/m/infer?cache=no-store"} {
		conn, err := net.Dial("tcp", g.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(tensorCall), tensorCall)
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Fatalf("%s: Triton was not asked", path)
		}
		start := time.Now()
		_ = conn.Close()
		select {
		case at := <-left:
			t.Logf("%s: cancelled after %v", path, at.Sub(start))
		case <-time.After(time.Minute):
			t.Fatalf("%s: the call goes on", path)
		}
	}
}

// The caller's time goes down to Triton, and ends the call there. A time in which a busy machine did not get as far as Triton says nothing, and a longer one is given.
func TestTheCallersTimeReachesTriton(t *testing.T) {
	fake, begun, left := slowTriton(t)
	g := serveBefore(t, fake)
	for _, path := range []string{"/v2/models/m/infer", "/v1/models/m/infer"} {
		for limit := 300 * time.Millisecond; ; limit *= 10 {
			askWithin(t, g, path, limit)
			had, asked := given(begun, left)
			if had > limit {
				t.Errorf("%s: Triton was given %v of %v", path, had, limit)
			}
			if asked && had > 0 {
				break
			}
			if limit > time.Minute {
				t.Fatalf("%s: Triton was not asked in %v", path, limit)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// askWithin sends a call that no model answers, and checks that its time ends it.
func askWithin(t *testing.T, g *Gateway, path string, limit time.Duration) {
	t.Helper()
	request, err := http.NewRequest("POST", "http://"+g.Addr()+path, strings.NewReader(tensorCall))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Content-Type": {"application/json"}, "X-Request-Timeout": {limit.String()}}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), "time") {
		t.Errorf("%s: %d %s", path, res.StatusCode, body)
	}
}

// given is the time that Triton was given for the call that has just ended; false where it was not asked.
func given(begun chan time.Duration, left chan time.Time) (time.Duration, bool) {
	select {
	case d := <-begun:
		<-left
		return d, true
	default:
		return 0, false
	}
}
