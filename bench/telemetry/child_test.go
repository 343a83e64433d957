package telemetry

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"triton-gateway/gateway"
	"triton-gateway/internal/parts"
)

// mode is what one gateway has switched on.
type mode struct {
	name               string
	metrics, log, otlp bool
}

// modes begins with the one that the others are compared with.
var modes = []mode{
	{name: "off"},
	{name: "off, a second process: what chance does"},
	{name: "metrics", metrics: true},
	{name: "log", log: true},
	{name: "metrics and log, as is the default", metrics: true, log: true},
	{name: "metrics, log, traces of 10 %", metrics: true, log: true, otlp: true},
}

// childEnv holds what a child shall be: the mode's number, the collector, the fake Triton or "-", the model repository, the file of its log.
const childEnv = "TRITON_GATEWAY_BENCH"

var (
	httpLine = regexp.MustCompile(`http://(\S+)`)
	grpcLine = regexp.MustCompile(`^ +grpc +(\S+)`)
)

// child is a gateway in a process of its own.
type child struct {
	*parts.Process
	http, grpc, admin string
}

func start(t *testing.T, number int, otlp, triton string) *child {
	t.Helper()
	c := &child{}
	c.Process = parts.Start(t, parts.Command{
		Path: os.Args[0], Args: []string{"-test.run=^TestGateway$", "-test.timeout=1h"}, Dir: parts.Root(t),
		Env: append(os.Environ(), fmt.Sprintf("%s=%d %s %s %s", childEnv, number, otlp, triton, t.TempDir())),
		Ready: func(line string) bool {
			if m := grpcLine.FindStringSubmatch(line); m != nil {
				c.grpc = m[1]
			}
			if m := httpLine.FindStringSubmatch(line); m != nil {
				if c.http == "" {
					c.http = strings.TrimSuffix(m[1], "/")
				} else if strings.Contains(line, "admin") {
					c.admin = m[1]
				}
			}
			return line == "ready"
		},
	})
	return c
}

// TestGateway is the child's side of start.
func TestGateway(t *testing.T) {
	text, isChild := os.LookupEnv(childEnv)
	if !isChild {
		t.Skip("for the child processes of TestFigures")
	}
	var number int
	var otlp, triton, folder string
	if _, err := fmt.Sscan(text, &number, &otlp, &triton, &folder); err != nil {
		t.Fatalf("%s=%q: %v", childEnv, text, err)
	}
	m := modes[number]
	c := gateway.DefaultConfig()
	c.Listen = gateway.Listen{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	c.ModelRepository = "model_repository"
	if triton != "-" {
		c.ModelRepository, c.Triton.Endpoints = "", []string{triton}
	}
	c.Jobs.Queue = "off"
	c.Telemetry.Off = !m.metrics
	if m.otlp {
		c.Telemetry.OTLP = otlp
	}
	c.Log.Format, c.Log.Level = "json", "error"
	if m.log {
		c.Log.Level = "info"
	}
	log, err := os.Create(folder + "/log") // a file, as a service manager would have it
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	logger, end := gateway.NewLog(log, c.Log)
	defer end()
	debug.SetGCPercent(400) // as `triton-gateway serve` does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	g, err := gateway.New(ctx, c, gateway.Build{Version: "bench"}, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	fmt.Print(g.Banner(), "\nready\n")
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
}
