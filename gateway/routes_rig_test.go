package gateway

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/parts"
)

// routeRig is a whole gateway over the demo models.
type routeRig struct {
	*testing.T
	*Gateway
	public, inside string // base URLs
}

func newRouteRig(t *testing.T, edit func(*Config)) *routeRig {
	t.Helper()
	c := DefaultConfig()
	c.Listen = Listen{HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	c.ModelRepository, c.Embedded.Library = filepath.Join(parts.Root(t), "model_repository"), parts.ONNXRuntime(t)
	c.Jobs.Queue = Queue("sqlite:" + filepath.Join(t.TempDir(), "jobs.db"))
	edit(&c)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g, err := New(ctx, c, Build{Version: "test"}, quietLog())
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return &routeRig{t, g, "http://" + g.Addr(), "http://" + g.admin.Addr().String()}
}

// send gives an answer with its body read. header is pairs.
func (r *routeRig) send(method, url, kind, body string, header ...string) (*http.Response, string) {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res, string(data)
}

// want sends a request that has to be answered with a status.
func (r *routeRig) want(status int, method, url, kind, body string, header ...string) (*http.Response, string) {
	r.Helper()
	res, text := r.send(method, url, kind, body, header...)
	if res.StatusCode != status {
		r.Fatalf("%s %s: %d, not %d: %s", method, url, res.StatusCode, status, text)
	}
	return res, text
}

// shapesAB is 50 to 50 over the two versions of shapes, kept by a header.
func shapesAB(weights ...float64) route.Spec {
	s := route.Spec{Sticky: "header:X-User"}
	for i, w := range weights {
		s.Candidates = append(s.Candidates, route.Candidate{Target: route.Target{Model: "shapes", Version: route.Version('1' + rune(i))}, Weight: w})
	}
	return s
}
