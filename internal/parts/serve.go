package parts

import (
	"os"
	"strings"
	"testing"
)

// GatewayServer is a running gateway, found by its own banner.
type GatewayServer struct {
	HTTP  string // host:port of the public listener
	GRPC  string // host:port of KServe v2 over gRPC
	Admin string // host:port of the admin listener
	*Process
}

// Serve runs the built program as `serve` on free ports of this machine for the length of one test, and returns when it has said where it
// listens. Settings that begin with GATEWAY_ are variables, all others are flags. It ends without waiting for load balancers to notice, and has no jobs unless
// GATEWAY_JOBS__QUEUE is given.
func Serve(tb testing.TB, settings ...string) *GatewayServer {
	tb.Helper()
	command := Command{
		Path: Gateway(tb), Dir: Root(tb), Env: append(os.Environ(), "GATEWAY_LISTEN__DRAIN=0s", "GATEWAY_JOBS__QUEUE=off"),
		Args: []string{"serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
	}
	for _, s := range settings {
		if strings.HasPrefix(s, "GATEWAY_") {
			command.Env = append(command.Env, s)
		} else {
			command.Args = append(command.Args, s)
		}
	}
	var found banner
	said := make(chan banner, 1)
	command.Ready = func(line string) bool {
		if !found.read(line) {
			return false
		}
		said <- found
		return true
	}
	server := &GatewayServer{Process: Start(tb, command)}
	where := <-said
	server.HTTP, server.GRPC, server.Admin = where.http, where.grpc, where.admin
	return server
}

// banner is what the program writes about its listeners when it is ready, as in "  grpc      localhost:8081".
type banner struct{ http, grpc, admin string }

// read looks at one line, and says whether all is known. The line of the admin listener is the last one.
func (b *banner) read(line string) bool {
	fields := strings.Fields(line)
	if len(fields) != 2 || !strings.HasPrefix(line, "  ") {
		return false
	}
	address := strings.Replace(strings.TrimPrefix(fields[1], "http://"), "localhost:", "127.0.0.1:", 1)
	switch fields[0] {
	case "page":
		b.http = strings.TrimSuffix(address, "/")
	case "grpc":
		b.grpc = address
	case "admin":
		b.admin = strings.TrimSuffix(address, "/metrics")
	}
	return b.http != "" && b.grpc != "" && b.admin != ""
}
