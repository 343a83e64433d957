package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// tritons starts some at once: one takes seconds.
func tritons(t *testing.T, count int, models ...string) []*parts.TritonServer {
	t.Helper()
	repository := kserveModels(t, "triton")
	servers, faults := make([]*parts.TritonServer, count), make([]error, count)
	var wait sync.WaitGroup
	for i := range servers {
		wait.Go(func() { servers[i], faults[i] = parts.StartTriton(repository, parts.WithModels(models...)) })
	}
	wait.Wait()
	for i, s := range servers {
		parts.Check(t, faults[i])
		t.Cleanup(func() { _ = s.Close() })
	}
	return servers
}

func pool(t *testing.T, servers []*parts.TritonServer, settings ...string) *parts.GatewayServer {
	t.Helper()
	for _, s := range servers {
		settings = append(settings, "--triton", s.GRPC)
	}
	return parts.Serve(t, settings...)
}

// endpoint is a Triton of the pool, as /v1/stats tells it.
type endpoint struct {
	Name  string
	Ready bool
	Calls struct{ Running, Count, Failures, Retries, Ejected int }
}

func endpoints(t *testing.T, g *parts.GatewayServer) []endpoint {
	t.Helper()
	r := do(t, "GET", "http://"+g.HTTP+"/v1/stats", "", nil)
	var stats struct{ Backends []endpoint }
	if err := json.Unmarshal(r.body, &stats); err != nil || len(stats.Backends) == 0 {
		t.Fatalf("%v: %s", err, r.body)
	}
	return stats.Backends
}

// becomes waits until a Triton is in the pool, or out of it, and says how long that took.
func becomes(t *testing.T, g *parts.GatewayServer, n int, ready bool) time.Duration {
	t.Helper()
	start := time.Now()
	what := "the pool takes a server out"
	if ready {
		what = "the pool takes a server back"
	}
	eventually(t, what, func() bool { return endpoints(t, g)[n].Ready == ready })
	return time.Since(start)
}

func calls(t *testing.T, g *parts.GatewayServer) (n int) {
	t.Helper()
	for _, e := range endpoints(t, g) {
		n += e.Calls.Count
	}
	return n
}

// background runs a closed loop until the returned function ends it and gives what came of it. The start of the loop is the origin of its times.
func background(t *testing.T, g *parts.GatewayServer, callers int, message []byte) (stop func() *load.Result) {
	t.Helper()
	client, err := load.Dial(g.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = patience
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan *load.Result, 1)
	go func() { got <- load.Closed(ctx, callers, 0, 0, client.Call(message)) }()
	return func() *load.Result {
		cancel()
		defer client.Close()
		return <-got
	}
}

func figures(t *testing.T, name string, r *load.Result) {
	t.Helper()
	t.Logf("%s: %d calls in %v, %.0f/s answered, %d not; p50 %v, p99 %v, max %v; %v", name, len(r.Samples), r.Elapsed.Round(time.Millisecond),
		r.Rate(load.Answered), len(r.Samples)-r.Count(load.Answered), r.Quantile(0.5), r.Quantile(0.99), r.Quantile(1), r.Texts)
}

// A Triton is killed under load and comes back: hardly a caller notices.
func TestPoolLosesOneOfThree(t *testing.T) {
	const callers = 8
	servers := tritons(t, 3, "slow")
	g := pool(t, servers)
	stop := background(t, g, callers, load.Floats("slow", "ms", 1))
	eventually(t, "all three are used", func() bool {
		return !slices.ContainsFunc(endpoints(t, g), func(e endpoint) bool { return !e.Ready || e.Calls.Count < 50 })
	})
	servers[1].Kill()
	out := becomes(t, g, 1, false)
	if err := servers[1].Restart(); err != nil {
		t.Fatal(err)
	}
	back := becomes(t, g, 1, true)
	before := endpoints(t, g)[1].Calls.Count
	eventually(t, "the one that came back is used", func() bool { return endpoints(t, g)[1].Calls.Count > before+20 })
	r := stop()
	figures(t, fmt.Sprintf("one of three killed: out after %v, back after %v", out, back), r)
	if failed := len(r.Samples) - r.Count(load.Answered); failed > max(callers, len(r.Samples)/1000) {
		t.Errorf("%d of %d calls failed: %v", failed, len(r.Samples), r.Texts)
	}
}

// Where nobody is left, callers are told at once, and are not sent round and round.
func TestPoolOfTheDead(t *testing.T) {
	servers := tritons(t, 3, "slow")
	g := pool(t, servers)
	message := load.Floats("slow", "ms", 1)
	warm := background(t, g, 4, message)
	eventually(t, "the pool is used", func() bool { return calls(t, g) > 50 })
	warm()
	for _, s := range servers {
		s.Kill()
	}
	for n := range servers {
		becomes(t, g, n, false)
	}
	before := calls(t, g)
	caller, err := load.Dial(g.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	r := load.Closed(t.Context(), 4, 1000, 0, caller.Call(message))
	figures(t, "all dead, gRPC", r)
	if r.Count(load.Down) != 1000 {
		t.Errorf("%d of 1000 calls were told that nobody is there: %v", r.Count(load.Down), r.Texts)
	}
	if sent := calls(t, g) - before; sent > 1500 {
		t.Errorf("1000 calls made %d", sent)
	}
	body, header := load.FloatsHTTP("ms", 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.HTTP+"/v2/models/slow/infer", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("over HTTP: %s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
}

// A Triton that hangs with its connections open costs those that wait for it, and soon nobody.
func TestPoolWithOneThatHangs(t *testing.T) {
	servers := tritons(t, 3, "slow")
	g := pool(t, servers)
	began := time.Now()
	stop := background(t, g, 8, load.Floats("slow", "ms", 1))
	eventually(t, "all three are used", func() bool {
		return !slices.ContainsFunc(endpoints(t, g), func(e endpoint) bool { return !e.Ready || e.Calls.Count < 50 })
	})
	paused := time.Since(began)
	if err := servers[2].Pause(); err != nil {
		t.Fatal(err)
	}
	out := becomes(t, g, 2, false)
	before := calls(t, g)
	eventually(t, "the others go on", func() bool {
		return calls(t, g) > before+300 && (os.Getenv(longEnv) != "1" || time.Since(began) > paused+8*time.Second)
	})
	resumed := time.Since(began)
	if err := servers[2].Resume(); err != nil {
		t.Fatal(err)
	}
	back := becomes(t, g, 2, true)
	r := stop()
	figures(t, fmt.Sprintf("one of three hung for %v: out after %v, back after %v", resumed-paused, out, back), r)
	figures(t, "before", r.Between(0, paused))
	figures(t, "from 2 s after it hung", r.Between(min(paused+2*time.Second, resumed), resumed))
	if failed := len(r.Samples) - r.Count(load.Answered); failed > 8 {
		t.Errorf("%d calls failed, more than there were callers: %v", failed, r.Texts)
	}
}
