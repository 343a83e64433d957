// Package monitoring asks a real Prometheus, which reads real gateways and Tritons under traffic, every question of the dashboard: it exists because a query
// can be right in every name and still never have an answer.
package monitoring

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"triton-gateway/internal/parts"
)

// rig is two Tritons, two gateways in front of both, a Redis for answers and one for jobs, somebody who takes webhooks and spans, and a Prometheus that reads all
// every few seconds by the configuration of deploy/prometheus.
type rig struct {
	tritons    [2]*parts.TritonServer
	gateways   [2]*parts.GatewayServer
	prometheus string // URL
	webhook    string // URL
}

func newRig(t *testing.T, every time.Duration) *rig {
	r := &rig{}
	var faults [2]error
	var wait sync.WaitGroup
	for i := range r.tritons {
		wait.Go(func() {
			r.tritons[i], faults[i] = parts.StartTriton("model_repository", parts.WithModels("shapes", "iris"))
		})
	}
	wait.Wait()
	for i, s := range r.tritons {
		parts.Check(t, faults[i])
		t.Cleanup(func() {
			if log := s.Log(); t.Failed() {
				t.Logf("the end of the log of a Triton:\n%s", log[max(len(log)-8000, 0):])
			}
			_ = s.Close()
		})
	}
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	where, err := url.Parse(hook.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.webhook = hook.URL + "/done"
	answers, queue := parts.Redis(t), parts.Redis(t, parts.WithPersistence())
	for i := range r.gateways {
		r.gateways[i] = parts.Serve(t, "--triton", r.tritons[0].GRPC, "--triton", r.tritons[1].GRPC, "GATEWAY_CACHE__REDIS="+answers.URL(), "GATEWAY_JOBS__QUEUE="+queue.URL(),
			"GATEWAY_LOG__LEVEL=warn", "GATEWAY_TELEMETRY__OTLP="+hook.URL, "GATEWAY_JOBS__WEBHOOK_SECRET=a long random text for tests", "GATEWAY_JOBS__WEBHOOK_ALLOW=127.0.0.0/8", "GATEWAY_JOBS__WEBHOOK_PORTS="+where.Port())
	}
	_, r.prometheus = parts.Prometheus(t, r.config(t, every))
	return r
}

// config is deploy/prometheus with these targets, without names to look up, and in seconds instead of a quarter of a minute.
func (r *rig) config(t *testing.T, every time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(parts.Root(t), "deploy", "prometheus"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "prometheus.yml")
	var config map[string]any
	if err := yaml.Unmarshal(read(t, path), &config); err != nil {
		t.Fatal(err)
	}
	config["global"] = map[string]any{"scrape_interval": every.String(), "scrape_timeout": every.String(), "evaluation_interval": every.String()}
	for _, job := range config["scrape_configs"].([]any) {
		delete(job.(map[string]any), "dns_sd_configs")
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		path: text,
		filepath.Join(dir, "targets", "gateway.yml"): targets(r.gateways[0].Admin, r.gateways[1].Admin),
		filepath.Join(dir, "targets", "triton.yml"):  targets(r.tritons[0].Metrics, r.tritons[1].Metrics),
	} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func targets(addresses ...string) []byte {
	text, _ := json.Marshal([]map[string][]string{{"targets": addresses}}) // JSON is YAML
	return text
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sample is one series of an answer. Value is the moment and the number, as text.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

func (s sample) number() string { text, _ := s.Value[1].(string); return text }

// ask puts a PromQL query for now.
func (r *rig) ask(t *testing.T, query string) []sample {
	t.Helper()
	var answer struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	r.get(t, "/api/v1/query?query="+url.QueryEscape(query), &answer)
	if answer.Status != "success" {
		t.Fatalf("%s: %s", query, answer.Error)
	}
	return answer.Data.Result
}

func (r *rig) get(t *testing.T, path string, into any) {
	t.Helper()
	resp, err := http.Get(r.prometheus + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// eventually looks again and again until nothing is missing.
func eventually(t *testing.T, missing func() []string) {
	t.Helper()
	const within = 4 * time.Minute // far more than any machine needs
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(within); ; {
		left := missing()
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v:\n%s", within, strings.Join(left, "\n"))
		}
	}
}
