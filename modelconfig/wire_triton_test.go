package modelconfig

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/internal/parts"
	"triton-gateway/tritonpb"
)

const iris = `
	input { name: "input" data_type: TYPE_FP32 dims: [4] } output { name: "probabilities" data_type: TYPE_FP32 dims: [3] }`

// tritonConfigs are configs of the iris model that between them have most of what a config can have. A map has one entry, because Triton
// writes entries in an order of chance.
var tritonConfigs = map[string]string{
	"plain":    `backend: "onnxruntime"` + iris,
	"platform": `platform: "onnxruntime_onnx" max_batch_size: 8` + iris,
	"bare":     `max_batch_size: 2` + iris,
	"rich": `name: "rich" backend: "onnxruntime" max_batch_size: 8 default_model_filename: "model.onnx"
		input { name: "input" data_type: TYPE_FP32 format: FORMAT_NONE dims: [2, 2] reshape { shape: [4] } optional: false }
		output { name: "probabilities" data_type: TYPE_FP32 dims: [3] label_filename: "labels.txt" }
		version_policy { specific { versions: [1] } }
		instance_group [ { count: 1 kind: KIND_CPU }, { kind: KIND_AUTO name: "mine" rate_limiter { resources { name: "r" count: 2 } priority: 3 } } ]
		dynamic_batching { preferred_batch_size: [2, 4] max_queue_delay_microseconds: 9007199254740993 priority_levels: 3 default_priority_level: 2
			default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true max_queue_size: 7 }
			priority_queue_policy { key: 1 value { default_timeout_microseconds: 1 } } }
		optimization { priority: PRIORITY_MAX execution_accelerators { cpu_execution_accelerator { name: "a" parameters { key: "k" value: "v" } } } }
		metric_tags { key: "t" value: "u" }
		parameters { key: "task" value { string_value: "task: raw\n# <a href=\"x\"> & \\ \t\u00fc\u2028 \x7f\001" } }
		model_transaction_policy { decoupled: false } response_cache { enable: false }
		model_warmup { name: "w" batch_size: 1 inputs { key: "input" value { data_type: TYPE_FP32 dims: [2, 2] zero_data: true } } }`,
	"batching": `backend: "onnxruntime" max_batch_size: 4 dynamic_batching { } instance_group { }` + iris,
	"sequence": `backend: "onnxruntime" max_batch_size: 4 sequence_batching { oldest { max_candidate_sequences: 2 } }` + iris,
	"direct": `backend: "onnxruntime" max_batch_size: 4 version_policy { all { } }
		sequence_batching { max_sequence_idle_microseconds: 77 direct { minimum_slot_utilization: 0.1 max_queue_delay_microseconds: 3 } }` + iris,
}

// TestWholeConfigIsTritons gives the same model folders to a Triton and to Load, and compares the answers.
func TestWholeConfigIsTritons(t *testing.T) {
	dir := t.TempDir()
	model, err := os.ReadFile(filepath.Join(parts.Root(t), "model_repository", "iris", "1", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range tritonConfigs {
		for file, data := range map[string][]byte{"1/model.onnx": model, "config.pbtxt": []byte(text), "labels.txt": []byte("a\nb\nc\n")} {
			path := filepath.Join(dir, name, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	server := parts.Triton(t, dir)
	conn, err := grpc.NewClient(server.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	for name := range tritonConfigs {
		want := get(t, "http://"+server.HTTP+"/v2/models/"+name+"/config")
		answer, err := client.ModelConfig(t.Context(), &tritonpb.ModelConfigRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		remote, err := FromProto(answer.Config)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(remote.JSON()); got != want {
			t.Errorf("%s, from Triton's gRPC answer: got\n%s\nwant\n%s", name, got, want)
		}
		local, _, err := Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		inputs, outputs := []IO{own("input", -1, 4)}, []IO{own("probabilities", -1, 3)}
		if local.MaxBatchSize == 0 {
			inputs, outputs = []IO{own("input", 4)}, []IO{own("probabilities", 3)}
		}
		if err := local.Complete(inputs, outputs, 0); err != nil {
			t.Fatal(err)
		}
		if got := string(local.JSON()); got != want {
			t.Errorf("%s, from the folder: got\n%s\nwant\n%s", name, got, want)
		}
		if string(local.Wire()) != string(remote.Wire()) {
			t.Errorf("%s: the bytes differ", name)
		}
		if local.Instances != remote.Instances || local.Platform != remote.Platform || local.Filename != remote.Filename {
			t.Errorf("%s: got %+v, want %+v", name, local, remote)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, response.StatusCode, body, err)
	}
	return string(body)
}
