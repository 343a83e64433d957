package kserve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
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

// sleeper is a model that takes as many seconds as its input says, one request after the other. The file began says that it has begun.
const sleeper = `import os, time
import triton_python_backend_utils as pb
class TritonPythonModel:
    def execute(self, requests):
        out = []
        for r in requests:
            a = pb.get_input_tensor_by_name(r, "IN")
            open(os.path.join(os.path.dirname(__file__), "began"), "w").close()
            time.sleep(float(a.as_numpy().flat[0]))
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
		for path, text := range map[string]string{filepath.Join(folder, "model.py"): sleeper, filepath.Join(repository, model, "config.pbtxt"): config} {
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

	ends := make(chan string, 10)
	sent := 0
	call := func(name, model, class string, own any, seconds float32) {
		t.Helper()
		request := raw(ask(input("IN", "FP32", 1, 1)), floats(seconds))
		request.ModelName = model
		if own != nil {
			request.Parameters = map[string]*tritonpb.InferParameter{"priority": param(own)}
		}
		ctx := t.Context()
		if class != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-priority", class)
		}
		go func() {
			_, err := client.ModelInfer(ctx, request)
			ends <- fmt.Sprint(name, err)
		}()
		sent++
		parts.Until(t, name+" has come to the backend", 20*time.Second, func() bool { return b.count() == sent })
	}
	const batch = 8
	call("first", "levels", "", nil, 2) // the others come meanwhile
	parts.Until(t, "the model has begun", 20*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(repository, "levels", "1", "began"))
		return err == nil
	})
	for range batch {
		call("batch", "levels", "batch", nil, 0.05)
	}
	call("own", "levels", "realtime", uint64(2), 0.05)
	call("realtime", "levels", "realtime", nil, 0.05)
	after := map[string]int{} // batch calls that ended after it
	ended := 0
	for range batch + 3 {
		got := strings.TrimSuffix(<-ends, "<nil>")
		if got == "batch" {
			ended++
		}
		after[got] = batch - ended
	}
	// One or two may be on their way to the model already, out of the queue.
	if after["first"] != batch || after["own"] < batch/2 || after["realtime"] < after["own"] {
		t.Errorf("of %d batch calls, so many ended after the others: %v", batch, after)
	}
	for _, class := range []string{"", "batch", "realtime"} {
		call("plain", "plain", class, nil, 0)
		if got := <-ends; got != "plain<nil>" {
			t.Error(got)
		}
	}
	want := append(append([]any{nil}, slices.Repeat([]any{uint64(3)}, batch)...), uint64(2), uint64(1), nil, nil, nil)
	for i := range want {
		if b.seen[i] != want[i] {
			t.Errorf("call %d goes on with %v, want %v", i, b.seen[i], want[i])
		}
	}
}
