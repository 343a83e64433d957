package triton

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
)

// fakes are n servers with a model m, and a client of them all.
func fakes(t testing.TB, n int, change func(*Config)) (*Client, []*tritontest.Server) {
	t.Helper()
	var servers []*tritontest.Server
	config := Config{}
	for range n {
		s := fake(t)
		servers = append(servers, s)
		config.Endpoints = append(config.Endpoints, s.Addr())
	}
	if change != nil {
		change(&config)
	}
	return client(t, config, Deps{}), servers
}

// until waits for something that comes by itself, and fails the test where it does not within the time, which is for a machine that is busy.
func until(t testing.TB, what string, within time.Duration, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(time.Millisecond):
		}
	}
	return time.Since(start)
}

// serves waits until an endpoint is in service, or is not.
func serves(t testing.TB, c *Client, endpoint int, want bool) time.Duration {
	t.Helper()
	return until(t, fmt.Sprintf("endpoint %d in service: %v", endpoint, want), time.Minute,
		func() bool { return c.Endpoints()[endpoint].Ready == want })
}

// gate is a model that says when a call has come, and answers when it is told to.
type gate struct{ came, leave chan struct{} }

func newGate() *gate {
	return &gate{came: make(chan struct{}, 1000), leave: make(chan struct{})}
}

func (g *gate) model(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	g.came <- struct{}{}
	select {
	case <-g.leave:
		return echo(ctx, in)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCallsGoWhereTheFewestAreUnderWay(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	g := newGate()
	for _, s := range servers {
		s.Model("m", g.model)
	}
	var wait sync.WaitGroup
	for i := range 9 {
		wait.Go(func() { must(t, c, requestOf("m", 1)) })
		<-g.came
		least, most := 9, 0
		for _, e := range c.Endpoints() {
			least, most = min(least, e.Running), max(most, e.Running)
		}
		if most-least > 1 {
			t.Errorf("after %d calls: %+v", i+1, c.Endpoints())
		}
	}
	close(g.leave)
	wait.Wait()
	for i, e := range c.Endpoints() {
		if e.Calls != 3 || e.Running != 0 || e.Failures+e.Retries+e.Hedges+e.Ejected != 0 || e.Limit != firstLimit || e.Name != servers[i].Addr() {
			t.Errorf("got %+v", e)
		}
	}
}

func TestTiesAreBrokenByChance(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	for range 300 {
		must(t, c, requestOf("m", 1))
	}
	for i, s := range servers {
		if n := s.Calls("m"); n < 30 { // fewer come once in 10^19 runs
			t.Errorf("endpoint %d got %d of 300 calls", i, n)
		}
	}
}

func TestCallsGoWhereTheModelIsReady(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	servers[0].SetState("m", "LOADING", "")
	servers[1].Model("m", echo, tritontest.Version("2"))
	servers[2].SetState("m", "UNAVAILABLE", "broken")
	statusOf(t, c, "m") // the look
	r := requestOf("m", 1)
	for range 20 {
		must(t, c, r)
	}
	r.Version = "2"
	for range 20 {
		must(t, c, r)
	}
	if servers[0].Calls("m") != 0 || servers[1].Calls("m") != 40 || servers[2].Calls("m") != 0 {
		t.Errorf("%d, %d and %d calls", servers[0].Calls("m"), servers[1].Calls("m"), servers[2].Calls("m"))
	}
	for _, e := range c.Endpoints() {
		if !e.Ready {
			t.Errorf("a model that is not ready makes no server so: %+v", e)
		}
	}
	// The look says that nobody has it, and it may lag: it is tried.
	servers[1].SetState("m", "LOADING", "")
	statusOf(t, c, "m")
	servers[0].SetState("m", "READY", "")
	servers[1].SetState("m", "READY", "")
	servers[2].SetState("m", "READY", "")
	must(t, c, requestOf("m", 1))
}

func TestAnAnswerThatTheModelIsNotReadyCounts(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	statusOf(t, c, "m")
	servers[0].SetState("m", "UNLOADING", "")
	for range 30 { // half of the first ones meet it
		must(t, c, requestOf("m", 1))
	}
	if n := servers[0].Calls("m"); n > 1 {
		t.Errorf("%d calls to a server that had said no", n)
	}
	servers[0].SetState("m", "READY", "")
	statusOf(t, c, "m")
	until(t, "it gets calls again", time.Minute, func() bool {
		must(t, c, requestOf("m", 1))
		return servers[0].Calls("m") > 2
	})
}

func TestAServerWithoutAnIndexIsAskedForEachModel(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	must(t, c, requestOf("m", 1))
	servers[0].Fail(tritontest.Fault{Method: "RepositoryIndex", Code: codes.Unimplemented, Text: "no"})
	servers[0].SetState("m", "LOADING", "")
	statusOf(t, c, "m")
	before := servers[0].Calls("m")
	for range 20 {
		must(t, c, requestOf("m", 1))
	}
	if servers[0].Calls("m") != before {
		t.Errorf("%d calls to a server that is loading the model", servers[0].Calls("m")-before)
	}
}

func TestCancellationReachesTheServer(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	came, ended := make(chan struct{}), make(chan struct{})
	for _, s := range servers {
		s.Model("m", func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
			came <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return nil, ctx.Err()
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { _, err := c.Infer(ctx, requestOf("m", 1)); failed <- err }()
	<-came
	leave()
	<-ended
	wantFault(t, <-failed, fault.Canceled, "client_closed")
	for _, e := range c.Endpoints() {
		if e.Failures != 0 || e.Running != 0 {
			t.Errorf("a caller that leaves is no failure: %+v", e)
		}
	}
}

func TestWhatHasEndedIsNotSent(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	over, leave := context.WithTimeout(t.Context(), -time.Second)
	defer leave()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		_, err := c.Infer(over, requestOf("m", 1))
		wantFault(t, err, fault.Timeout, "deadline_exceeded")
		_, err = c.Infer(gone, requestOf("m", 1))
		wantFault(t, err, fault.Canceled, "client_closed")
		wantFault(t, c.Full(over, "m", "1"), fault.Timeout, "deadline_exceeded")
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m"); n != 0 {
		t.Errorf("%d calls were sent", n)
	}
	for _, e := range c.Endpoints() {
		if e.Calls+e.Failures != 0 || e.Running != 0 {
			t.Errorf("got %+v", e)
		}
	}
}

func TestEndpointsShowTheLedgerOfEveryAttempt(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	servers[0].Fail(tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull, Times: 2})
	for range 20 {
		must(t, c, requestOf("m", 1))
	}
	var sum tally
	for _, e := range c.list() {
		n := e.calls.of("m", "1").read()
		sum = tally{sum.started + n.started, sum.succeeded + n.succeeded, sum.refused + n.refused, sum.unknown + n.unknown}
	}
	if want := (tally{22, 20, 2, 0}); sum != want {
		t.Errorf("noted %+v, want %+v", sum, want)
	}
}

func TestNamesWithoutEndDoNotFillTheMemory(t *testing.T) {
	c, _ := fakes(t, 1, nil)
	for i := range mostPools + 10 {
		c.pools.of(c, fmt.Sprint("x", i), "1")
	}
	if n := len(c.pools.all()); n > mostPools+1 {
		t.Errorf("%d pools", n)
	}
	must(t, c, requestOf("m", 1))
	if _, err := c.Infer(t.Context(), requestOf("n", 1)); !errors.Is(err, &fault.Error{Kind: fault.NotFound}) {
		t.Errorf("got %v", err)
	}
}
