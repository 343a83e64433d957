package parts

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Prometheus reads a page of metrics that this test serves, and answers with what stood there.
func TestPrometheusScrapes(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("apples 7\n")) }))
	defer page.Close()
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	text := "scrape_configs:\n  - {job_name: fruit, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: ['" + strings.TrimPrefix(page.URL, "http://") + "']}]}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(PromTool(t), "check", "config", config).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	_, url := Prometheus(t, config)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for timeout := time.After(readyWithin); ; {
		var answer struct {
			Status string
			Data   struct{ Result []struct{ Value [2]any } }
		}
		resp, err := http.Get(url + "/api/v1/query?query=sum(apples)")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err != nil || answer.Status != "success" {
			t.Fatalf("%+v, %v", answer, err)
		}
		if len(answer.Data.Result) == 1 {
			if got := answer.Data.Result[0].Value[1]; got != "7" {
				t.Errorf("apples are %v, not 7", got)
			}
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatal("nothing was scraped")
		}
	}
}
