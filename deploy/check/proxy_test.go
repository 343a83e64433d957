package check

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

// replica is what the proxy sees of one gateway.
type replica struct {
	ready, alive atomic.Bool
	calls        atomic.Int64 // gRPC
}

// start listens on the ports that all replicas share, at an address of its own.
func (g *replica) start(t *testing.T, host string, httpPort, grpcPort int) {
	t.Helper()
	g.alive.Store(true)
	g.ready.Store(true)
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, httpPort))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && !g.ready.Load() || r.URL.Path == "/livez" && !g.alive.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, host)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	if l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", host, grpcPort)); err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, ok := peer.FromContext(ctx); ok {
			g.calls.Add(1)
		}
		return next(ctx, req)
	}))
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go s.Serve(l)
	t.Cleanup(s.Stop)
}

// nameServer answers each question for an address with these, as the engine's does for a service with several containers.
func nameServer(t *testing.T, hosts ...string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA && q.Name.String() == "gateway." {
				for _, host := range hosts {
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(host).To4())}})
				}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// patience is when a test gives up: far more than any machine needs.
const patience = 3 * time.Minute

// freePorts gives ports on which nothing listens, all different, and below those that Linux gives to outgoing connections.
func freePorts(t *testing.T, count int) (ports []int) {
	t.Helper()
	for len(ports) < count {
		port := 18000 + rand.IntN(14000)
		l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, port)
	}
	return ports
}

// proxy runs the real haproxy with the real settings, but for ports and name server, and gives its addresses for HTTP, gRPC and its own health.
func proxy(t *testing.T, dns string, httpPort, grpcPort int, ports []int) (web, rpc, self string) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join(root, ".cache", "haproxy"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "usr/sbin/haproxy")
	_, err = os.Stat(program)
	need(t, "haproxy", err == nil)
	settings, err := os.ReadFile(filepath.Join(root, "deploy/haproxy/haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(settings)
	for _, change := range [][2]string{{"127.0.0.11:53", dns}, {"bind :8080", fmt.Sprintf("bind 127.0.0.1:%d", ports[0])}, {"bind :8081", fmt.Sprintf("bind 127.0.0.1:%d", ports[1])},
		{"bind 127.0.0.1:8404", fmt.Sprintf("bind 127.0.0.1:%d", ports[2])}, {"gateway:8080", fmt.Sprintf("gateway:%d", httpPort)}, {"gateway:8081", fmt.Sprintf("gateway:%d", grpcPort)},
		{"connect port 8080", fmt.Sprintf("connect port %d", httpPort)}} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the settings have no %q", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-db", "-f", file)
	libraries, _ := filepath.Glob(filepath.Join(folder, "usr/lib/*-linux-gnu"))
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	log := new(strings.Builder)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	return fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1]), fmt.Sprintf("http://127.0.0.1:%d/health", ports[2])
}

func get(url string) (int, string) {
	client := http.Client{Timeout: patience}
	response, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// eventually asks until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-ticker.C {
		if holds() {
			return
		}
	}
	t.Fatal(what + " did not come")
}

func TestTheProxy(t *testing.T) {
	hosts := []string{"127.0.0.2", "127.0.0.3"}
	ports := freePorts(t, 5)
	httpPort, grpcPort := ports[3], ports[4]
	var replicas [2]replica
	for i, host := range hosts {
		replicas[i].start(t, host, httpPort, grpcPort)
	}
	web, rpc, self := proxy(t, nameServer(t, hosts...), httpPort, grpcPort, ports[:3])
	eventually(t, "the proxy's own health", func() bool { status, _ := get(self); return status == 200 })
	answering := func() map[string]bool {
		seen := map[string]bool{}
		for range 8 {
			if status, body := get(web + "/v1/models"); status == 200 {
				seen[body] = true
			}
		}
		return seen
	}
	eventually(t, "both gateways", func() bool { s := answering(); return s[hosts[0]] && s[hosts[1]] })
	if status, _ := get(web + "/metrics"); status != http.StatusNotFound {
		t.Errorf("metrics are passed on: %d", status)
	}

	conn, err := grpc.NewClient(rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err
	}
	eventually(t, "gRPC by both", func() bool { return check() == nil && replicas[0].calls.Load() > 0 && replicas[1].calls.Load() > 0 })

	// One says that it is going: all goes to the other.
	replicas[0].ready.Store(false)
	eventually(t, "the second alone", func() bool { s := answering(); return len(s) == 1 && s[hosts[1]] })
	eventually(t, "gRPC by the second alone", func() bool {
		before := replicas[0].calls.Load()
		for range 8 {
			if err := check(); err != nil { // the proxy's own looks at the second may be late, on a machine with much else to do
				t.Logf("gRPC while one is going: %v", err)
				return false
			}
		}
		return replicas[0].calls.Load() == before
	})

	// None is ready, as without any Triton: all that live answer what they can.
	replicas[1].ready.Store(false)
	eventually(t, "both again", func() bool { s := answering(); return len(s) == 2 })
	eventually(t, "gRPC while none is ready", func() bool { return check() == nil })
	replicas[0].alive.Store(false)
	eventually(t, "the one that lives", func() bool { s := answering(); return len(s) == 1 && s[hosts[1]] })
}
