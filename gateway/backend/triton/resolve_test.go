package triton

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
)

// names is a name server that tests change.
type names struct {
	mu      sync.Mutex
	hosts   []string
	err     error
	lookups int
}

func (n *names) set(err error, hosts ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts, n.err = hosts, err
}

func (n *names) resolve(_ context.Context, host string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host != "tritons.test" {
		return nil, errors.New("another name: " + host)
	}
	n.lookups++
	return slices.Clone(n.hosts), n.err
}

func (n *names) asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lookups
}

// onPort gives servers on 127.0.0.1, 127.0.0.2 and so on, with the same port.
func onPort(t *testing.T, n int) (port string, servers []*tritontest.Server) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		free := true
		var held []net.Listener
		for i := 2; i <= n; i++ {
			h, err := net.Listen("tcp", net.JoinHostPort(host(i), port))
			if free = free && err == nil; err == nil {
				held = append(held, h)
			}
		}
		for _, h := range append(held, l) {
			_ = h.Close()
		}
		if !free {
			continue
		}
		for i := 1; i <= n; i++ {
			servers = append(servers, fake(t, tritontest.WithAddr(net.JoinHostPort(host(i), port))))
		}
		return port, servers
	}
	t.Skip("no port is free on several addresses of this machine")
	return "", nil
}

func host(i int) string { return "127.0.0." + string(rune('0'+i)) }

func TestEndpointsOfAName(t *testing.T) {
	port, servers := onPort(t, 3)
	n := &names{}
	n.set(errors.New("no such host"))
	entry := "dns:///tritons.test:" + port
	c := client(t, Config{Endpoints: []string{entry}, Resolve: 20 * time.Millisecond,
		EndpointHeaders: map[string]map[string]string{entry: {"x-test": "named"}}, MetricsEndpoints: []string{"http://tritons.test:8002/metrics"}}, Deps{Resolve: n.resolve})
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	_, err = c.Index(t.Context())
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	_, err = c.Config(t.Context(), "m")
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	wantFault(t, c.Full(t.Context(), "m", "1"), fault.Unavailable, "backend_unavailable")

	have := func(want int) {
		t.Helper()
		until(t, "so many endpoints", time.Minute, func() bool { return len(c.list()) == want })
	}
	n.set(nil, host(2), host(1), host(2))
	have(2)
	states := c.Endpoints()
	if want := entry + " (127.0.0.1:" + port + ")"; states[0].Name != want || !states[0].Ready {
		t.Errorf("got %+v, want the name %q", states[0], want)
	}
	if e := c.list()[1]; e.metrics != "http://127.0.0.2:8002/metrics" {
		t.Errorf("metrics at %q", e.metrics)
	}
	for range 40 {
		must(t, c, requestOf("m", 1))
	}
	if servers[0].Calls("m") == 0 || servers[1].Calls("m") == 0 {
		t.Errorf("%d and %d calls", servers[0].Calls("m"), servers[1].Calls("m"))
	}
	if got := servers[0].Headers(); len(got) == 0 || got[0] != "named" {
		t.Errorf("headers %q", got)
	}
	first := statusOf(t, c, "m").Epoch
	kept := c.list()[1]

	// One comes and one goes, with a call under way.
	g := newGate()
	servers[0].Model("m", g.model)
	servers[1].Model("m", g.model)
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.Infer(t.Context(), requestOf("m", 1)); done <- err }()
		<-g.came
	}
	n.set(nil, host(2), host(3))
	until(t, "the first has gone", time.Minute, func() bool { return c.list()[0] == kept })
	c.part(c.nanos()) // it has a call under way
	close(g.leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("a call on an endpoint whose address went: %v", err)
		}
	}
	for _, e := range c.Endpoints() {
		if e.Retries != 0 {
			t.Errorf("a call under way had to be made again: %+v", e)
		}
	}
	changed(t, "another server", statusOf(t, c, "m").Epoch, first)
	before := servers[0].Calls("m")
	until(t, "the one that came gets calls", time.Minute, func() bool { must(t, c, requestOf("m", 1)); return servers[2].Calls("m") > 0 })
	if servers[0].Calls("m") != before {
		t.Errorf("%d calls of the one that went", servers[0].Calls("m")-before)
	}
	until(t, "its connection is closed", time.Minute, func() bool {
		c.judging.Lock()
		defer c.judging.Unlock()
		return len(c.parting) == 0
	})

	// The name server fails, or knows nothing: the last answer stays.
	for _, err := range []error{errors.New("timeout"), nil} {
		n.set(err)
		asked := n.asked()
		until(t, "it is asked", time.Minute, func() bool { return n.asked() > asked+1 })
		if len(c.list()) != 2 {
			t.Errorf("%d endpoints while the name server fails", len(c.list()))
		}
		must(t, c, requestOf("m", 1))
	}
}

func TestNamesInTheSettings(t *testing.T) {
	for name, want := range map[string]string{"dns:///a.test:1": "a.test:1", "dns://a.test:1": "a.test:1", "dns:///a.test:1/": "a.test:1"} {
		got, err := parseTarget(name, false)
		if err != nil || got.address != want || got.host != "a.test" || got.tls {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"dns:///", "dns:///a", "dns:///:1", "dns:////a:1:2"} {
		if got, err := parseTarget(name, false); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, _ := parseTarget("dns:///a.test:1", true); !got.tls {
		t.Error("TLS is set, and not used")
	}
	_, err := New(Config{Endpoints: []string{"a:1"}, Queue: -1}, Deps{})
	if f := wantFault(t, err, fault.Invalid, "invalid_config"); !strings.Contains(f.Detail, "queue") {
		t.Error(f.Detail)
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"a:1", "grpc://[::1]:8001/", "grpcs://a:1", "dns:///a:1", "dns://", "://", "x://a:1", "a:1://b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := parseTarget(name, false)
		if err != nil {
			return
		}
		if host, port, err := net.SplitHostPort(got.address); err != nil || host == "" || port == "" || got.host != "" && got.host != host {
			t.Errorf("%q: %+v", name, got)
		}
	})
}
