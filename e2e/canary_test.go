package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// canaryRoute is a route of the program, from old to new.
func canaryRoute(old, young, every string, steps ...float64) map[string]any {
	return map[string]any{
		"candidates": []map[string]any{{"model": old, "weight": 1}, {"model": young, "weight": 0}},
		"canary":     map[string]any{"model": young, "steps": steps, "every": every, "samples": 20},
	}
}

func canaryRoutes(t *testing.T, routes map[string]any) string {
	text, err := json.Marshal(routes)
	if err != nil {
		t.Fatal(err)
	}
	return "GATEWAY_ROUTES=" + string(text)
}

// canaryState is what the program says of a route's canary.
type canaryState struct {
	State, Rule, Reason string
	Share               float64
	Answers             struct {
		Canary   struct{ Answers, Failures int }
		Compared struct{ Inputs, Otherwise int }
	}
}

// TestCanaries has 50 requests a second come to each of five routes of the real program, and waits for what becomes of their canaries. The short form of it is in gateway.
func TestCanaries(t *testing.T) {
	if !long() {
		t.Skip("it takes a minute; TRITON_GATEWAY_LONG=1 runs it")
	}
	fake := tritontest.New(t)
	for name, m := range map[string]struct {
		service time.Duration
		failing float64
	}{"old": {10 * time.Millisecond, 0}, "good": {10 * time.Millisecond, 0}, "failing": {10 * time.Millisecond, 0.1}, "slow": {30 * time.Millisecond, 0}} {
		fake.Model(name, func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			time.Sleep(m.service)
			if rand.Float64() < m.failing {
				return nil, errors.New("the model has failed")
			}
			return []tensor.Tensor{{Name: "OUT", DType: tensor.FP32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, uint32(in[0].Data[0]))}}, nil
		}, tritontest.Config(&tritonpb.ModelConfig{Name: name, Backend: "fake",
			Input:  []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}},
			Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}))
	}
	repository := t.TempDir()
	demo := filepath.Join(parts.Root(t), "model_repository", "shapes")
	for _, name := range []string{"shapes-old", "shapes-good", "shapes-wrong"} {
		renamedModel(t, demo, filepath.Join(repository, name), name)
	}
	if err := os.WriteFile(filepath.Join(repository, "shapes-wrong", "labels.txt"), []byte("square\ntriangle\nstar\ncross\ncircle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []float64{5, 25, 50, 100}
	over := parts.Serve(t, "--triton", fake.Addr(), canaryRoutes(t, map[string]any{
		"to-failing": canaryRoute("old", "failing", "1m", 20, 100), "to-slow": canaryRoute("old", "slow", "1m", 20, 100), "to-good": canaryRoute("old", "good", "10s", good...)}))
	own := parts.Serve(t, "GATEWAY_MODEL_REPOSITORY="+repository, canaryRoutes(t, map[string]any{
		"to-wrong": canaryRoute("shapes-old", "shapes-wrong", "1m", 20, 100), "to-good": canaryRoute("shapes-old", "shapes-good", "10s", good...)}))
	picture, err := os.ReadFile(filepath.Join(demo, "golden", "circle-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	floats, floatsHeader := load.FloatsHTTP("IN", 1)
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range []struct {
		program     *parts.GatewayServer
		route       string
		url         string
		header      http.Header
		body        []byte
		state, rule string
		most        time.Duration
	}{
		{over, "to-failing", "/v2/models/to-failing/infer", floatsHeader, floats, "back", "errors", 30 * time.Second},
		{over, "to-slow", "/v2/models/to-slow/infer", floatsHeader, floats, "back", "slower", 30 * time.Second},
		{over, "to-good", "/v2/models/to-good/infer", floatsHeader, floats, "done", "", 2 * time.Minute},
		{own, "to-wrong", "/v1/models/to-wrong/infer?cache=no-store", http.Header{"Content-Type": {"image/png"}}, picture, "back", "disagreement", 30 * time.Second},
		{own, "to-good", "/v1/models/to-good/infer?cache=no-store", http.Header{"Content-Type": {"image/png"}}, picture, "done", "", 2 * time.Minute},
	} {
		all.Go(func() {
			s, took := canaryEnd(t, c.program, c.route, c.url, c.header, c.body)
			t.Logf("%s: %s after %v: %s", c.route, s.State, took.Round(time.Second/10), s.Reason)
			if s.State != c.state || s.Rule != c.rule || took > c.most || s.Share != map[string]float64{"back": 0, "done": 100}[c.state] {
				t.Errorf("%s: %+v after %v", c.route, s, took)
			}
		})
	}
}

// canaryEnd has 50 requests a second come to a route until its canary has ended.
func canaryEnd(t *testing.T, g *parts.GatewayServer, route, path string, header http.Header, body []byte) (s canaryState, took time.Duration) {
	client := load.NewHTTP("http://"+g.HTTP+path, header, 64)
	defer client.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan *load.Result, 1)
	began := time.Now()
	go func() { ended <- load.Open(ctx, 50, 3*time.Minute, 1000, client.Call(body)) }()
	defer func() {
		stop()
		r := <-ended
		t.Logf("%s: %d requests, %d answered", route, len(r.Samples), r.Count(load.Answered))
	}()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for time.Since(began) < 3*time.Minute {
		<-look.C
		r, err := try("GET", "http://"+g.Admin+"/v1/routes/"+route+"/canary", "", nil)
		if err != nil || r.status != 200 || json.Unmarshal(r.body, &s) != nil {
			t.Errorf("%v: %s", err, r.body)
			break
		}
		if s.State != "running" {
			break
		}
	}
	return s, time.Since(began)
}

// renamedModel puts a model under another name into a repository.
func renamedModel(t *testing.T, from, to, name string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, "config.pbtxt")
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(data), `name: "shapes"`, fmt.Sprintf("name: %q", name), 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
