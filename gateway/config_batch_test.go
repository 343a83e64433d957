package gateway

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/batch"
	"triton-gateway/gateway/catalog"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

func TestBatchingSettings(t *testing.T) {
	c, err := load(t, "batching: {size: 50, bound: 200ms}")
	if err != nil || c.Batching != (Batching{50, 200 * time.Millisecond}) {
		t.Errorf("%+v, %v", c.Batching, err)
	}
	if c, err = load(t, "{}"); err != nil || c.Batching != (Batching{32, 50 * time.Millisecond}) {
		t.Errorf("%+v, %v", c.Batching, err)
	}
	if c, err = LoadConfig("", []string{"GATEWAY_BATCHING__SIZE=1", "GATEWAY_BATCHING__BOUND=5ms"}); err != nil || c.Batching != (Batching{1, 5 * time.Millisecond}) {
		t.Errorf("%+v, %v", c.Batching, err)
	}
	for text, want := range map[string]string{
		"batching: {size: 0}":      "batching.size: must be 1 to 4096",
		"batching: {size: 5000}":   "batching.size: must be 1 to 4096",
		"batching: {bound: 0s}":    "batching.bound: must be above 0s",
		"batching: {bound: -1s}":   "batching.bound: must be above 0s",
		"batching: {bound: 1h}":    "at most 10s",
		"batching: {window: 50ms}": "unknown",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

func TestBatchRule(t *testing.T) {
	const head, tail = "max_batch_size: 64\n", `input [{name: "i" data_type: TYPE_FP32 dims: [1]}] output [{name: "o" data_type: TYPE_FP32 dims: [1]}]`
	const ms = time.Millisecond
	both := []string{"a:1"}
	for name, c := range map[string]struct {
		config  string
		own     task.Batching
		tritons []string
		threads int
		want    batch.Rule
	}{
		"the engine batches what takes batches": {head, task.Batching{}, nil, 1, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 1}},
		"not more than the model takes":         {"max_batch_size: 8\n", task.Batching{}, nil, 1, batch.Rule{Size: 8, Bound: 50 * ms, Parallel: 1}},
		"a model without batches":               {"max_batch_size: 0\n", task.Batching{}, nil, 1, batch.Rule{}},
		"a model with batches of one":           {"max_batch_size: 1\n", task.Batching{}, nil, 1, batch.Rule{}},
		"the model's own":                       {head, task.Batching{Size: 50, Bound: 200 * ms, Inexact: true}, nil, 1, batch.Rule{Size: 50, Bound: 200 * ms, Parallel: 1, Inexact: true}},
		"the model's own off":                   {head, task.Batching{Size: 50, Off: true}, nil, 1, batch.Rule{}},
		"Triton's batcher is not the engine's":  {head + "dynamic_batching {}\n", task.Batching{}, nil, 1, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 1}},
		"sequences are one caller's":            {head + "sequence_batching {}\n", task.Batching{}, nil, 1, batch.Rule{}},
		"instances run side by side":            {head + "instance_group [{count: 3 kind: KIND_CPU}]\n", task.Batching{}, nil, 4, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 3}},
		"as far as there are threads":           {head + "instance_group [{count: 3 kind: KIND_CPU}]\n", task.Batching{}, nil, 2, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 2}},
		"each with several": {head + "instance_group [{count: 3 kind: KIND_CPU}]\n" + `parameters [{key: "intra_op_thread_count" value {string_value: "2"}}]` + "\n",
			task.Batching{}, nil, 4, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 2}},
		"each with all": {head + "instance_group [{count: 3 kind: KIND_CPU}]\n" + `parameters [{key: "intra_op_thread_count" value {string_value: "0"}}]` + "\n",
			task.Batching{}, nil, 4, batch.Rule{Size: 32, Bound: 50 * ms, Parallel: 1}},
		"a Triton does it itself":             {head, task.Batching{}, both, 1, batch.Rule{}},
		"unless it is asked for":              {head, task.Batching{Size: 16}, both, 1, batch.Rule{Size: 16, Bound: 50 * ms, Parallel: 1, Load: "e2"}},
		"and there is no batcher":             {head + "dynamic_batching {}\n", task.Batching{Size: 16}, both, 1, batch.Rule{}},
		"each response has its own":           {head + "model_transaction_policy {decoupled: true}\n", task.Batching{Size: 16}, both, 1, batch.Rule{}},
		"a bound alone does not ask a Triton": {head, task.Batching{Bound: ms}, both, 1, batch.Rule{}},
	} {
		config, err := modelconfig.Parse("m", []byte(c.config+tail))
		if err != nil {
			t.Fatal(err)
		}
		settings := DefaultConfig()
		settings.Triton.Endpoints, settings.Embedded.Threads = c.tritons, c.threads
		m := &catalog.Model{Name: "m", Config: config, Spec: &task.Spec{Task: task.Raw, Batching: c.own},
			Versions: []catalog.Version{{Number: "2", State: backend.Ready, Epoch: "e2"}, {Number: "1", State: backend.Ready, Epoch: "e1"}}}
		if got := settings.batchRule(m, "2"); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
	settings := DefaultConfig()
	if got := settings.batchRule(&catalog.Model{}, "1"); got.Size != 0 {
		t.Errorf("a model without a config: %+v", got)
	}
	if n := (&Embedded{}).beside(1<<20, ""); n != runtime.GOMAXPROCS(0) {
		t.Errorf("%d side by side", n)
	}
	shaped, err := modelconfig.Parse("m", []byte(head+`input [{name: "i" data_type: TYPE_INT64 dims: [1] is_shape_tensor: true}] output [{name: "o" data_type: TYPE_FP32 dims: [1]}]`))
	if err != nil {
		t.Fatal(err)
	}
	if got := settings.batchRule(&catalog.Model{Config: shaped}, "1"); got.Size != 0 {
		t.Errorf("a shape is not made of items: %+v", got)
	}
}
