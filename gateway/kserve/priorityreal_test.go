package kserve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/backend"
	upstream "triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/priority"
	"triton-gateway/tritonpb"
)

// stopper is a model that answers one request after the other and writes the number of each into the file order; at the number 1 it waits for the file go.
const stopper = `import os, time
import triton_python_backend_utils as pb
class TritonPythonModel:
    def execute(self, requests):
        here = os.path.dirname(__file__)
        out = []
        for r in requests:
            a = pb.get_input_tensor_by_name(r, "IN")
            n = int(a.as_numpy().flat[0])
            with open(os.path.join(here, "order"), "a") as f:
                f.write("%d " % n)
            while n == 1 and not os.path.exists(os.path.join(here, "go")):
                time.sleep(0.01)
            out.append(pb.InferenceResponse([pb.Tensor("OUT", a.as_numpy())]))
        return out
`

// forwarding notes what goes to Triton.
type forwarding struct {
	backend.Backend
	mu   sync.Mutex
	seen []any // the parameter priority of each call; nil: it has none
}

func (f *forwarding) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Params["priority"])
	f.mu.Unlock()
	return f.Backend.Infer(ctx, r)
}

func (f *forwarding) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

// A Triton with levels lets a realtime call pass the batch calls that came before; the parameter goes to the model that declares levels, and to no other.
func TestRealLevels(t *testing.T) {
	repository := t.TempDir()
	for model, levels := range map[string]string{"levels": "priority_levels: 3 default_priority_level: 2", "plain": ""} {
		folder := filepath.Join(repository, model, "1")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		config := `backend: "python" max_batch_size: 1 input [{name: "IN" data_type: TYPE_FP32 dims: [1]}] output [{name: "OUT" data_type: TYPE_FP32 dims: [1]}]
			instance_group [{count: 1 kind: KIND_CPU}] dynamic_batching { ` + levels + ` }`
		for path, text := range map[string]string{filepath.Join(folder, "model.py"): stopper, filepath.Join(repository, model, "config.pbtxt"): config} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	server := parts.Triton(t, repository)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	inner := must(upstream.New(upstream.Config{Endpoints: []string{server.GRPC}}, upstream.Deps{Log: quiet}))
	t.Cleanup(func() { _ = inner.Close() })
	b := &forwarding{Backend: inner}
	models := catalog.New(inner, catalog.Options{Log: quiet})
	t.Cleanup(func() { _ = models.Close() })
	store := must(cache.New(cache.Config{Memory: 1 << 20}, quiet))
	t.Cleanup(func() { _ = store.Close() })
	p := pipeline.New(pipeline.Parts{Models: models, Backend: b, Cache: store, CPU: limit.New(2, 64), TTL: time.Hour})
	class := func(ctx context.Context, values []string) (context.Context, error) {
		c := priority.Interactive
		if len(values) > 0 {
			c, _ = priority.Parse(values[0])
		}
		return priority.With(ctx, c), nil
	}
	r := &rig{Server: New(Deps{Runner: unlimited{p}, Models: models, Backend: b, Codes: tableOf, Class: class, Log: quiet, Limits: Limits{Message: 1 << 20, Timeout: time.Minute, Streams: 100}})}
	client := tritonpb.NewGRPCInferenceServiceClient(dial(t, r.serve(t, false)))

	ends := make(chan error, 20)
	sent := 0
	call := func(model, class string, own any, number float32) {
		t.Helper()
		request := raw(ask(input("IN", "FP32", 1, 1)), floats(number))
		request.ModelName = model
		if own != nil {
			request.Parameters = map[string]*tritonpb.InferParameter{"priority": param(own)}
		}
		ctx := t.Context()
		if class != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-priority", class)
		}
		go func() { _, err := client.ModelInfer(ctx, request); ends <- err }()
		sent++
		parts.Until(t, "it has come to the backend", time.Minute, func() bool { return b.count() == sent })
	}
	folder := filepath.Join(repository, "levels", "1")
	order := func() []string {
		text, _ := os.ReadFile(filepath.Join(folder, "order"))
		return strings.Fields(string(text))
	}
	const (
		batch                    = 8
		first, many, own, urgent = "1", "2", "3", "4"
	)
	call("levels", "", nil, 1) // the others come meanwhile
	parts.Until(t, "the model has begun", time.Minute, func() bool { return len(order()) == 1 })
	for range batch {
		call("levels", "batch", nil, 2)
	}
	call("levels", "realtime", uint64(2), 3)
	call("levels", "realtime", nil, 4)
	parts.Until(t, "all wait in Triton", time.Minute, func() bool { return waiting(t, server, "levels") == batch+2 })
	if err := os.WriteFile(filepath.Join(folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range batch + 3 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	after := map[string]int{} // batch calls that the model began after it
	left := batch
	for _, number := range order() {
		if number == many {
			left--
		}
		after[number] = left
	}
	// One or two may be on their way to the model already, out of the queue.
	if after[first] != batch || after[own] < batch/2 || after[urgent] < after[own] {
		t.Errorf("of %d batch calls, so many began after the others: %v", batch, after)
	}
	for _, class := range []string{"", "batch", "realtime"} {
		call("plain", class, nil, 0)
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	want := append(append([]any{nil}, slices.Repeat([]any{uint64(3)}, batch)...), uint64(2), uint64(1), nil, nil, nil)
	for i := range want {
		if b.seen[i] != want[i] {
			t.Errorf("call %d goes on with %v, want %v", i, b.seen[i], want[i])
		}
	}
}

// waiting is how many requests of a model wait in a Triton.
func waiting(t *testing.T, server *parts.TritonServer, model string) (n int) {
	t.Helper()
	res, err := http.Get("http://" + server.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), `nv_inference_pending_request_count{model="`+model+`",version="1"} %d`, &n); err == nil {
			return n
		}
	}
	t.Fatal("no count of those that wait")
	return 0
}
