package kserve

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

var full = flag.Bool("full", false, "measure long enough for docs/performance-kserve.md instead of showing that it runs")

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// way dials one address; every call sends the same message.
func way(t *testing.T, name, address string, message []byte, pid int) Way {
	t.Helper()
	client, err := load.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return Way{Name: name, Call: client.Call(message), Pid: pid}
}

// sizes of one FP32 tensor.
const (
	small  = 4       // 16 bytes
	page   = 1 << 10 // 4 KB
	medium = 3 * 224 * 224
	large  = 3 * 640 * 640
)

// TestAddedTime prints what the gateway, and an nginx, add to a call of a real Triton that is made alone.
func TestAddedTime(t *testing.T) {
	repository := t.TempDir()
	if err := os.CopyFS(filepath.Join(repository, "size"), os.DirFS(filepath.Join(parts.Root(t), "e2e/testdata/kserve/triton/size"))); err != nil {
		t.Fatal(err)
	}
	server := parts.Triton(t, repository)
	gateway := parts.Serve(t, "--triton", server.GRPC)
	_, nginx := parts.Nginx(t, server.GRPC)
	for title, c := range map[string]struct {
		elements int
		load     Load
	}{"16 bytes": {small, Load{1, 100, 60}}, "602 KB": {medium, Load{1, 50, 60}}} {
		if !*full {
			c.load.Calls, c.load.Blocks = 5, 2
		}
		message := load.Floats("size", "x", c.elements)
		ways := []Way{way(t, "bare Triton", server.GRPC, message, 0), way(t, "the gateway", gateway.GRPC, message, gateway.Pid()), way(t, "nginx grpc_pass", nginx, message, 0)}
		t.Run(title, func(t *testing.T) { print(t, title, ways, c.load, Added) })
	}
}

// TestRates prints how many calls a second go through, over a fake Triton that does nothing.
func TestRates(t *testing.T) {
	_, fake := load.Fake(t, 0, 0, "")
	gateway := parts.Serve(t, "--triton", fake)
	_, nginx := parts.Nginx(t, fake)
	for title, c := range map[string]struct {
		elements int
		load     Load
	}{"4 KB, 8 callers": {page, Load{8, 4000, 20}}, "4.9 MB, 2 callers": {large, Load{2, 60, 20}}} {
		if !*full {
			c.load.Calls, c.load.Blocks = 10, 2
		}
		message := load.Floats(load.FakeModel, "IN", c.elements)
		ways := []Way{way(t, "direct", fake, message, 0), way(t, "the gateway", gateway.GRPC, message, gateway.Pid()), way(t, "nginx grpc_pass", nginx, message, 0)}
		t.Run(title, func(t *testing.T) { print(t, title, ways, c.load, Rates) })
	}
}

func print(t *testing.T, title string, ways []Way, l Load, table func(string, []Way, [][]Block) string) {
	t.Helper()
	blocks, err := Measure(t.Context(), ways, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table(title, ways, blocks))
}

func slow(d time.Duration) load.Call {
	return func(context.Context, int) (load.Verdict, string) {
		time.Sleep(d)
		return load.Answered, ""
	}
}

func TestWaysThatAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ways := []Way{{Name: "a", Call: slow(100 * time.Microsecond)}, {Name: "b", Call: slow(150 * time.Microsecond)}}
		blocks, err := Measure(t.Context(), ways, Load{2, 20, 5})
		if err != nil || len(blocks) != 2 || len(blocks[0]) != 5 {
			t.Fatalf("%d blocks, %v", len(blocks), err)
		}
		if table := Added("x", ways, blocks); !strings.Contains(table, "| b | 150 us | 50 us (50 - 50) | 0 us |") {
			t.Error(table)
		}
		if table := Rates("x", ways, blocks); !strings.Contains(table, "| b | 13333 | 0.67 (0.67 - 0.67) | 150 us | 0 us |") {
			t.Error(table)
		}
		ways[1].Call = func(context.Context, int) (load.Verdict, string) { return load.Failed, "why" }
		if _, err := Measure(t.Context(), ways, Load{1, 3, 1}); err == nil || !strings.Contains(err.Error(), "b: 0 of 3 calls answered: map[why:3]") {
			t.Errorf("got %v", err)
		}
	})
}
