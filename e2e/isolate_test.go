package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// childrenOf lists the decoders of a gateway, which are its only children.
func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skip("the system does not list children")
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // of a thread that may have ended
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

// isolated starts a gateway whose decoders are processes of their own.
func isolated(t *testing.T) *gateway {
	t.Helper()
	g := start(t, "GATEWAY_DECODER__ISOLATE=true", "GATEWAY_LIMITS__WORKERS=2", "GATEWAY_LOG__FORMAT=json")
	if strings.Contains(g.Log(), "missing:") {
		t.Logf("not everything is in force here: %s", g.Log())
	}
	return g
}

// Decoders are killed in a loop while pictures are asked about: at most one request fails for each, and none with a 500.
func TestDecodersKilledUnderLoad(t *testing.T) {
	g := isolated(t)
	picture, err := os.ReadFile(filepath.Join(parts.Root(t), "model_repository/shapes/golden/circle-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var answered, failed atomic.Int64
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				r, err := try(http.MethodPost, g.URL+"/v1/models/shapes/infer?cache=no-store", "image/png", picture)
				switch {
				case err != nil:
					t.Error(err)
					return
				case r.status == http.StatusOK:
					answered.Add(1)
				case r.status == http.StatusServiceUnavailable && strings.Contains(r.Detail, "no decoder is there now"): // they take longer to start than anybody waits, on a machine with much else to do
				case r.status == http.StatusUnprocessableEntity && r.Code == "invalid_image", r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
					failed.Add(1)
				default:
					t.Errorf("status %d: %s", r.status, r.body)
				}
			}
		})
	}
	const kills = 12
	dead := map[int]time.Time{}
	again := int64(0)
	for len(dead) < kills {
		eventually(t, "a decoder is there, and has worked", func() bool {
			before := answered.Load()
			for _, pid := range childrenOf(t, g.Pid()) {
				killed, known := dead[pid]
				if known && time.Since(killed) > 5*time.Second { // the first process of its namespace: what meets a thread that is not Go's may be ignored, unless it is a fault of its own
					dead[pid] = time.Now()
					again++
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				if !known && answered.Load() > int64(len(dead))*5 {
					dead[pid] = time.Now()
					_ = syscall.Kill(pid, []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV}[len(dead)%2])
					return true
				}
			}
			return answered.Load() < before
		})
	}
	stop()
	all.Wait()
	if failed.Load() > kills+again || answered.Load() < kills {
		t.Errorf("%d failed and %d were answered with %d kills", failed.Load(), answered.Load(), kills)
	}
	t.Logf("%d failed and %d were answered with %d kills", failed.Load(), answered.Load(), kills)
	metrics := do(t, http.MethodGet, g.admin(t)+"/metrics", "", nil)
	if !strings.Contains(string(metrics.body), `gateway_decoder_restarts_total{reason="crash"}`) {
		t.Errorf("no metric of restarts")
	}
}

// A gateway that is killed the hard way leaves no decoder behind, and no zombie of one while it lives.
func TestDecodersGoWithTheirGateway(t *testing.T) {
	g := isolated(t)
	var pids []int
	eventually(t, "both decoders are there", func() bool {
		pids = childrenOf(t, g.Pid())
		return len(pids) == 2
	})
	_ = syscall.Kill(g.Pid(), syscall.SIGKILL) // the gateway alone, not its group
	eventually(t, "the decoders are gone", func() bool {
		for _, pid := range pids {
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil && !strings.Contains(string(status), "State:\tZ") {
				return false
			}
		}
		return true
	})
}

// What the process of a decoder has: no variables of the gateway, no files but its own, no network.
func TestDecodersKnowNothing(t *testing.T) {
	g := isolated(t)
	var pids []int
	eventually(t, "both decoders have locked themselves in", func() bool {
		pids = childrenOf(t, g.Pid())
		for _, pid := range pids {
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil || !strings.Contains(string(status), "Seccomp:\t2") {
				return false
			}
		}
		return len(pids) == 2
	})
	for _, pid := range pids {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(environ), "GATEWAY_") || strings.Contains(string(environ), "PATH=/") {
			t.Errorf("environment %q, %v", environ, err)
		}
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, f.Name()))
			if to != "/dev/null" && !strings.HasPrefix(to, "anon_inode:[event") && !strings.HasPrefix(to, "/memfd:decoder-errors") {
				t.Errorf("file %s is %s", f.Name(), to)
			}
		}
		network, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
		if err != nil || strings.Contains(string(network), "eth") {
			t.Errorf("network %s, %v", network, err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for _, want := range []string{"NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Seccomp:\t2"} {
			if err != nil || !strings.Contains(string(status), want) {
				t.Errorf("%s is missing in %s, %v", want, status, err)
			}
		}
	}
}
