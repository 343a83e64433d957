package e2e

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// bombMemory is what the gateway may have resident, in kB: Go's own limit is set below it, and what native code takes comes on top.
const bombMemory = 512 << 10

// TestBombs sends every kind of bomb, many at a time, to a gateway with little memory. Each has to be answered by a problem, 4xx, and the gateway has to live on. With
// TRITON_GATEWAY_LONG there are 500 at a time, of each kind ten.
func TestBombs(t *testing.T) {
	const seed = 8
	at, times := 60, 1
	if long() {
		at, times = 500, 10
	}
	t.Setenv("GOMEMLIMIT", "300MiB")
	g := start(t, "GATEWAY_LIMITS__BODIES=128MiB", "GATEWAY_LIMITS__MODEL_BYTES=128MiB", "GATEWAY_CACHE__MEMORY=16MiB", "GATEWAY_JOBS__ITEMS=1000",
		"GATEWAY_JOBS__QUEUE=sqlite:"+t.TempDir()+"/jobs.db", "GATEWAY_LOG__LEVEL=error")
	good := picture(t, "circle-1.png")
	g.infer(t, "shapes", "", good)
	kinds := bombs(t, rand.New(rand.NewPCG(seed, seed)))
	if len(kinds) < 40 {
		t.Fatalf("%d kinds", len(kinds))
	}
	slots := make(chan struct{}, at)
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range times {
		for _, b := range kinds {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				status, kind, text, err := b.send(g.URL)
				problem := kind == "application/problem+json" || strings.HasPrefix(b.path, "/v2/") && kind == "application/json" && strings.Contains(text, `"error"`)
				if err != nil || status < 400 || status > 499 || !problem {
					t.Errorf("%s: %d %s %.300s %v", b.name, status, kind, text, err)
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			})
		}
	}
	all.Wait()
	if r := g.infer(t, "shapes", "cache=no-cache", good); r.Predictions[0].Label != "circle" {
		t.Errorf("afterwards: %s", r.body)
	}
	peak := g.residentKB(t, "VmHWM")
	t.Logf("%d kinds, %d at a time, seed %d: statuses %v, at most %d kB resident", len(kinds), at, seed, statuses, peak)
	if peak > bombMemory {
		t.Errorf("%d kB were resident, want at most %d", peak, bombMemory)
	}
}

// send gives what the gateway says. Who is told to come again does, as a client would, so that every kind is looked at.
func (b *bomb) send(url string) (status int, kind, text string, err error) {
	for range 20 {
		request, err := http.NewRequest("POST", url+b.path, bytes.NewReader(b.body))
		if err != nil {
			return 0, "", "", err
		}
		request.Header.Set("Content-Type", b.content)
		if b.coding != "" {
			request.Header.Set("Content-Encoding", b.coding)
		}
		res, err := client.Do(request)
		if err != nil {
			return 0, "", "", err
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		status, kind, text = res.StatusCode, res.Header.Get("Content-Type"), string(body)
		if err != nil || status != http.StatusTooManyRequests {
			return status, kind, text, err
		}
		<-time.After(100 * time.Millisecond)
	}
	return status, kind, text, nil
}
