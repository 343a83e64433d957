package gateway

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// adder is a Triton whose model m answers with its input.
func adder(t *testing.T) *tritontest.Server {
	t.Helper()
	fake := tritontest.New(t)
	fake.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		out := in[0]
		out.Name = "y"
		return []tensor.Tensor{out}, nil
	}, tritontest.Config(&tritonpb.ModelConfig{Name: "m", Backend: "fake", MaxBatchSize: 8,
		Input:  []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}},
		Output: []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}}}))
	return fake
}

// run runs a whole gateway in front of a Triton, until stop.
func run(t *testing.T, fake *tritontest.Server, queue Queue, roles Roles) (g *Gateway, stop func()) {
	t.Helper()
	c := DefaultConfig()
	c.Listen = Listen{HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	c.ModelRepository, c.Triton.Endpoints, c.Jobs.Queue, c.Roles = "", []string{fake.Addr()}, queue, roles
	ctx, cancel := context.WithCancel(context.Background())
	g, err := New(ctx, c, Build{Version: "test"}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	once := false
	stop = func() {
		if once {
			return
		}
		once = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
	t.Cleanup(stop)
	return g, stop
}

func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", typeJSON)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// What one process took in is there for the next one, which works on it; so it is for others on a Redis.
func TestJobsOutliveTheProcess(t *testing.T) {
	for name, queue := range map[string]func(t *testing.T) Queue{
		"sqlite": func(t *testing.T) Queue { return Queue("sqlite:" + filepath.Join(t.TempDir(), "deep", "jobs.db")) },
		"redis":  func(t *testing.T) Queue { return Queue("redis://" + parts.Redis(t).Addr + "/1") },
	} {
		t.Run(name, func(t *testing.T) {
			fake, store := adder(t), queue(t)
			api, stop := run(t, fake, store, Roles{API: true})
			status, text := ask(t, "POST", "http://"+api.Addr()+"/v1/jobs?model=m", tensorCall)
			job := decode[jobDoc](t, text)
			if status != 202 || job.State != "queued" || job.Position == nil || *job.Position != 0 {
				t.Fatalf("%d %s", status, text)
			}
			if status, text = ask(t, "GET", "http://"+api.Addr()+"/v1/jobs/"+job.ID+"?wait=50ms", ""); status != 200 || decode[jobDoc](t, text).State != "queued" {
				t.Fatalf("a process without the role works: %d %s", status, text)
			}
			if status, text = ask(t, "POST", "http://"+api.Addr()+"/v1/jobs?model=m&top_k=3", tensorCall); status != 400 || !strings.Contains(text, "query.top_k") {
				t.Errorf("an option that the task does not have: %d %s", status, text)
			}
			if status, text = ask(t, "POST", "http://"+api.Addr()+"/v1/jobs?model=m", `{"row":[1]}`); status != 400 || !strings.Contains(text, "wrong kind of input") {
				t.Errorf("a row: %d %s", status, text)
			}
			stop()
			worker, _ := run(t, fake, store, Roles{Jobs: true})
			base := "http://" + worker.Addr()
			_, text = ask(t, "GET", base+"/v1/jobs/"+job.ID+"?wait=30s", "")
			if got := decode[jobDoc](t, text); got.State != "succeeded" || !strings.Contains(string(got.Result), `"outputs"`) {
				t.Errorf("%s", text)
			}
			if status, text = ask(t, "GET", base+"/readyz", ""); status != 200 || !strings.Contains(text, `"jobs":{"ready":true}`) {
				t.Errorf("%d %s", status, text)
			}
			for _, want := range []string{`gateway_job_attempts_total{outcome="succeeded",priority="interactive"} 1`, `gateway_job_duration_seconds_count{priority="interactive",state="succeeded"} 1`, "gateway_job_store_up 1"} {
				parts.Until(t, want, time.Minute, func() bool { // counted just after the job is known to have ended
					_, text := ask(t, "GET", base+"/metrics", "")
					return strings.Contains(text, want)
				})
			}
			if b := worker.Banner(); strings.Contains(b, "page") || !strings.Contains(b, "jobs      "+queueText(store)) {
				t.Errorf("%s", b)
			}
		})
	}
}

func queueText(q Queue) string { return q.String() }

// A default store that cannot be made keeps nothing else from working; one that was asked for is an error.
func TestAStoreThatCannotBeMade(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("data", []byte("a file where the folder would be"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake := adder(t)
	g, stop := run(t, fake, defaultQueue, Roles{true, true})
	status, text := ask(t, "POST", "http://"+g.Addr()+"/v1/jobs?model=m", tensorCall)
	if status != 503 || !strings.Contains(text, "job_store_unavailable") || !strings.Contains(text, "jobs.queue") {
		t.Errorf("%d %s", status, text)
	}
	if status, text = ask(t, "POST", "http://"+g.Addr()+"/v1/models/m/infer", tensorCall); status != 200 {
		t.Errorf("infer: %d %s", status, text)
	}
	if status, text = ask(t, "GET", "http://"+g.Addr()+"/readyz", ""); status != 200 || !strings.Contains(text, `"jobs":{"ready":false`) {
		t.Errorf("%d %s", status, text)
	}
	stop()
	c := DefaultConfig()
	c.Listen = Listen{HTTP: "127.0.0.1:0"}
	c.ModelRepository, c.Triton.Endpoints, c.Jobs.Queue = "", []string{fake.Addr()}, "sqlite:data/other.db"
	if _, err := New(t.Context(), c, Build{}, quietLog()); err == nil || !strings.Contains(err.Error(), "jobs.queue") {
		t.Errorf("%v", err)
	}
}

// A Redis that is away does not keep the gateway from starting, and jobs are refused until it is there.
func TestARedisThatIsAway(t *testing.T) {
	began := time.Now()
	g, _ := run(t, adder(t), Queue("redis://"+parts.FreeAddr(t)+"/0"), Roles{true, true})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the start took %v", took)
	}
	status, text := ask(t, "POST", "http://"+g.Addr()+"/v1/jobs?model=m", tensorCall)
	if status != 503 || !strings.Contains(text, "job_store_unavailable") {
		t.Errorf("%d %s", status, text)
	}
	if status, text = ask(t, "GET", "http://"+g.Addr()+"/v1/stats", ""); status != 200 || !strings.Contains(text, `"jobs":{"ready":false`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text = ask(t, "POST", "http://"+g.Addr()+"/v1/models/m/infer", tensorCall); status != 200 {
		t.Errorf("infer: %d %s", status, text)
	}
}
