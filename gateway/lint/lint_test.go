package lint

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"triton-gateway/internal/committed"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

var update = flag.Bool("update", false, "write the list of codes in docs/guide/lint.md anew")

// tensors are an input and an output that nothing is odd about.
const tensors = `input [{name: "i" data_type: TYPE_FP32 dims: [4]}] output [{name: "o" data_type: TYPE_FP32 dims: [3]}] `

// cases are configs and tasks by the codes that they give; each code is in one at least, and beside it a case that is nearly the same and gives none.
var cases = []struct {
	config  string
	spec    *task.Spec
	labels  []string
	problem string
	backend string // "": both
	want    string // codes
	place   string // of the first
}{
	{config: tensors},
	{config: tensors + "max_batch_size: 8 dynamic_batching {preferred_batch_size: [4, 8]}"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {preferred_batch_size: [4, 16]}", want: "preferred_batch_size_above_max", place: "config.pbtxt: dynamic_batching.preferred_batch_size"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {preferred_batch_size: [0]}", want: "preferred_batch_size_above_max"},
	{config: tensors + "max_batch_size: 8 sequence_batching {oldest {preferred_batch_size: [16]}}", backend: Triton, want: "preferred_batch_size_above_max", place: "config.pbtxt: sequence_batching.oldest.preferred_batch_size"},
	{config: tensors + "max_batch_size: 0 dynamic_batching {}", want: "batcher_without_batches", place: "config.pbtxt: dynamic_batching"},
	{config: tensors + "max_batch_size: 1 dynamic_batching {}", want: "batcher_without_batches"},
	{config: `input [{name: "i" data_type: TYPE_FP32 dims: [-1] allow_ragged_batch: true}] max_batch_size: 8`, want: "ragged_without_batcher"},
	{config: `input [{name: "i" data_type: TYPE_FP32 dims: [-1] allow_ragged_batch: true}] max_batch_size: 8 dynamic_batching {}`},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 2 default_priority_level: 1 priority_queue_policy {key: 2 value {max_queue_size: 9}}}", backend: Triton},
	{config: tensors + "max_batch_size: 8 dynamic_batching {default_priority_level: 1}", want: "priority_without_levels", place: "config.pbtxt: dynamic_batching.default_priority_level"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_queue_policy {key: 1 value {allow_timeout_override: true}}}", want: "priority_without_levels", place: "config.pbtxt: dynamic_batching.priority_queue_policy"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 1 default_priority_level: 1}", backend: Triton, want: "single_priority_level"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 3 default_priority_level: 2}", backend: Triton},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 3 default_priority_level: 1}", backend: Triton, want: "priority_level_not_reached", place: "config.pbtxt: dynamic_batching.priority_levels"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 5 default_priority_level: 3}", backend: Triton, want: "priority_level_not_reached"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 2}", backend: Triton, want: "priority_level_out_of_range"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 2 default_priority_level: 3 priority_queue_policy {key: 0 value {}}}", backend: Triton, want: "priority_level_out_of_range priority_level_out_of_range"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {preserve_ordering: true priority_levels: 2 default_priority_level: 1}", backend: Triton, want: "ordering_against_priorities"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {preserve_ordering: true default_queue_policy {timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true}}", backend: Triton,
		want: "ordering_against_priorities", place: "config.pbtxt: dynamic_batching.default_queue_policy.timeout_action"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {default_queue_policy {default_timeout_microseconds: 5 allow_timeout_override: true}}", backend: Triton},
	{config: tensors + "max_batch_size: 8 dynamic_batching {default_queue_policy {allow_timeout_override: true}}", backend: Triton, want: "timeout_override_without_default",
		place: "config.pbtxt: dynamic_batching.default_queue_policy.allow_timeout_override"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {priority_levels: 2 default_priority_level: 1 priority_queue_policy {key: 2 value {allow_timeout_override: true}}}", backend: Triton,
		want: "timeout_override_without_default", place: "config.pbtxt: dynamic_batching.priority_queue_policy[2].allow_timeout_override"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {default_queue_policy {default_timeout_microseconds: 5}}", backend: Triton, want: "timeout_not_overridable"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {default_queue_policy {timeout_action: DELAY}}", backend: Triton, want: "timeout_action_without_timeout"},
	{config: tensors + "response_cache {enable: true}", backend: Triton, want: "response_cache_keeps_old_answers"},
	{config: tensors + "response_cache {enable: true} model_transaction_policy {decoupled: true}", backend: Triton, want: "response_cache_decoupled"},
	{config: tensors + "response_cache {enable: true} sequence_batching {}", backend: Triton, want: "response_cache_sequences"},
	{config: tensors + "response_cache {enable: false} model_transaction_policy {decoupled: true}"},
	{config: tensors + "instance_group [{kind: KIND_CPU gpus: [0]}]", backend: Triton, want: "gpus_without_gpu_kind", place: "config.pbtxt: instance_group[0].gpus"},
	{config: tensors + `instance_group [{kind: KIND_GPU gpus: [0]}] model_warmup [{name: "w" batch_size: 1}]`, backend: Triton},
	{config: tensors + "instance_group [{kind: KIND_CPU}, {kind: KIND_GPU gpus: [0]}]", backend: Embedded, want: "gpu_instances_without_gpu", place: "config.pbtxt: instance_group[1]"},
	{config: tensors + "instance_group [{kind: KIND_CPU passive: true}]", backend: Triton, want: "all_instances_passive"},
	{config: tensors + "instance_group [{kind: KIND_CPU passive: true}, {kind: KIND_CPU}]", backend: Triton},
	{config: tensors + "ensemble_scheduling {} instance_group [{kind: KIND_CPU}]", backend: Triton, want: "instances_of_ensemble"},
	{config: tensors + `instance_group [{kind: KIND_CPU rate_limiter {resources [{name: "R" count: 1}] priority: 2}}]`, backend: Triton, want: "rate_limiter_needs_flag"},
	{config: tensors + `model_warmup [{name: "w"}]`, backend: Triton, want: "warmup_skipped"},
	{config: tensors + "instance_group [{kind: KIND_GPU}]", backend: Triton, want: "no_warmup"},
	{config: tensors + `backend: "onnxruntime" optimization {priority: PRIORITY_MAX}`, want: "priority_of_tensorrt_alone"},
	{config: tensors + `backend: "tensorrt" optimization {priority: PRIORITY_MAX}`},
	{config: "", problem: "no version is ready", want: "not_served"},
	{config: tensors + "max_batch_size: 8", spec: &task.Spec{Task: task.TabularClassification, Output: task.Output{Name: "o"}}, labels: []string{"a", "b", "c"}},
	{config: tensors + "max_batch_size: 8", spec: &task.Spec{Task: task.TabularClassification, Output: task.Output{Name: "o"}}, labels: []string{"a", "b"}, want: "labels_count", place: "task.yaml: labels"},
	{config: `input [{name: "i" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [3, 224, 224]}]`},
	{config: `input [{name: "i" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [224, 224, 3]}]`, want: "format_against_dims", place: `config.pbtxt: input "i"`},
	{config: `input [{name: "i" data_type: TYPE_FP32 format: FORMAT_NHWC dims: [3, 224, 224]}]`, want: "format_against_dims"},
	{config: tensors, spec: &task.Spec{Task: task.ImageClassification, Output: task.Output{Name: "Probabilities", Activation: "softmax"}}, want: "activation_on_probabilities"},
	{config: tensors, spec: &task.Spec{Task: task.ImageClassification, Output: task.Output{Name: "probabilities", Activation: "none"}}},
	{config: tensors, spec: &task.Spec{Task: task.ImageClassification, Output: task.Output{Name: "logits", Activation: "softmax"}}},
	{config: tensors, spec: &task.Spec{Task: task.TabularClassification, Output: task.Output{Name: "logits", Activation: "none"}}, want: "no_activation_on_logits"},
	{config: `input [{name: "i" data_type: TYPE_FP32 dims: [4]}, {name: "mask" data_type: TYPE_FP32 dims: [4] optional: true}]`,
		spec: &task.Spec{Task: task.TabularRegression, Input: task.Input{Name: "i"}}, want: "optional_input_not_fed", place: `config.pbtxt: input "mask"`},
	{config: `input [{name: "i" data_type: TYPE_FP32 dims: [4]}, {name: "mask" data_type: TYPE_FP32 dims: [4] optional: true}]`, spec: &task.Spec{Task: task.Raw}},
	{config: tensors + "max_batch_size: 8", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 8}}},
	{config: tensors + "max_batch_size: 8 dynamic_batching {}", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 8}}, backend: Triton, want: "batching_beside_batcher"},
	{config: tensors + "max_batch_size: 8 dynamic_batching {}", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 8}}, backend: Embedded},
	{config: tensors + "max_batch_size: 8 dynamic_batching {}", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 8, Off: true}}, backend: Triton},
	{config: tensors + "max_batch_size: 8 model_transaction_policy {decoupled: true}", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 8}}, want: "batching_beside_batcher"},
	{config: tensors + "max_batch_size: 8", spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 9}}, want: "batching_above_max", place: "task.yaml: batching.size"},
	{config: tensors, spec: &task.Spec{Task: task.Raw, Batching: task.Batching{Size: 9}}, want: "batching_above_max"},
	{config: tensors + `max_batch_size: 8 dynamic_batching {max_queue_delay_microseconds: 5} response_cache {enable: true} model_warmup [{name: "w" batch_size: 1}]`, backend: Embedded,
		want: "not_used_by_embedded not_used_by_embedded not_used_by_embedded", place: "config.pbtxt: dynamic_batching.max_queue_delay_microseconds"},
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range cases {
		config, err := modelconfig.Parse("m", []byte(c.config))
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		backends := []string{Triton, Embedded}
		if c.backend != "" {
			backends = []string{c.backend}
		}
		for _, backend := range backends {
			var codes []string
			list := Check(&Model{Config: config, Spec: c.spec, Labels: c.labels, Problem: c.problem, Backend: backend})
			for _, f := range list {
				codes = append(codes, f.Code)
				seen[f.Code] = true
				if f.Place == "" || f.Text == "" || f.Do == "" || rank(f.Severity) < 0 {
					t.Errorf("%d: %+v is not whole", i, f)
				}
			}
			if got := strings.Join(codes, " "); got != c.want {
				t.Errorf("%d, %s: %s %v: %q, not %q", i, backend, c.config, c.spec, got, c.want)
			}
			if c.place != "" && (len(list) == 0 || list[0].Place != c.place) {
				t.Errorf("%d, %s: %+v, not at %s", i, backend, list, c.place)
			}
		}
	}
	for _, r := range Rules() {
		if !seen[r.Code] {
			t.Errorf("no case gives %s", r.Code)
		}
	}
}

// The worst comes first, and a model without anything has no findings, nor has one without a config.
func TestOrder(t *testing.T) {
	config, err := modelconfig.Parse("m", []byte(tensors+"max_batch_size: 8 dynamic_batching {preferred_batch_size: [9] default_queue_policy {default_timeout_microseconds: 5} default_priority_level: 1}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []Severity
	for _, f := range Check(&Model{Config: config, Backend: Triton}) {
		got = append(got, f.Severity)
	}
	if !slices.Equal(got, []Severity{Error, Warning, Note}) {
		t.Errorf("%v", got)
	}
	if list := Check(&Model{Backend: Embedded}); list == nil || len(list) != 0 {
		t.Errorf("%v", list)
	}
}

// Nothing is odd about the demo models.
func TestDemoModels(t *testing.T) {
	const repository = "../../model_repository"
	found, err := filepath.Glob(filepath.Join(repository, "*", "task.yaml"))
	if err != nil || len(found) < 6 {
		t.Fatal(found, err)
	}
	for _, path := range found {
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		text, err := os.ReadFile(filepath.Join(dir, "config.pbtxt"))
		if err != nil {
			t.Fatal(err)
		}
		config, err := modelconfig.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		text, err = os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := task.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Complete(config); err != nil {
			t.Fatal(err)
		}
		for _, backend := range []string{Triton, Embedded} {
			for _, f := range Check(&Model{Config: config, Spec: spec, Labels: spec.Labels.List, Backend: backend}) {
				t.Errorf("%s, %s: %+v", name, backend, f)
			}
		}
	}
}

// A code is there once, and is written as the others are.
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Code] || strings.Trim(r.Code, "abcdefghijklmnopqrstuvwxyz_") != "" || r.Meaning == "" {
			t.Errorf("%+v", r.Code)
		}
		seen[r.Code] = true
	}
}

// The guide lists what the code has.
func TestGuide(t *testing.T) {
	var b strings.Builder
	b.WriteString("| code | severity | what |\n|---|---|---|\n")
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Code, r.Severity, r.Meaning)
	}
	committed.CheckPart(t, "../../docs/guide/lint.md", "codes", "go test ./gateway/lint -update", b.String(), *update)
}

// FuzzCheck: whatever parses is looked at without a panic.
func FuzzCheck(f *testing.F) {
	for _, c := range cases {
		f.Add(c.config)
	}
	f.Fuzz(func(t *testing.T, text string) {
		config, err := modelconfig.Parse("m", []byte(text))
		if err != nil {
			return
		}
		for _, backend := range []string{Triton, Embedded, ""} {
			for _, finding := range Check(&Model{Config: config, Spec: &task.Spec{Task: task.ImageClassification}, Labels: []string{"a"}, Backend: backend}) {
				if finding.Text == "" {
					t.Errorf("%+v", finding)
				}
			}
		}
	})
}
