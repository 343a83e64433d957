package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func rawModel(batch int, inputs ...modelconfig.IO) *modelInfo {
	return &modelInfo{Name: "m", Spec: &task.Spec{Task: task.Raw}, Config: &modelconfig.Config{Name: "m", MaxBatchSize: batch, Inputs: inputs}}
}

// TestRawExampleIsTaken sends what the page shows back to the reader of requests.
func TestRawExampleIsTaken(t *testing.T) {
	fp32 := func(dims ...int64) modelconfig.IO { return modelconfig.IO{Name: "x", DType: tensor.FP32, Dims: dims} }
	for want, m := range map[string]*modelInfo{
		"x FP32 [1 4]":               rawModel(8, fp32(4)),
		"x FP32 [4]":                 rawModel(0, fp32(4)),
		"x FP32 [1 1 3]":             rawModel(0, fp32(-1, 1, 3)),
		"x FP32 [1 1 16]":            rawModel(1, fp32(-1, 16)),
		"x FP32 [64 64]":             rawModel(0, fp32(64, 64)),
		"x FP32 []":                  rawModel(0, fp32()),
		"x FP32 [1 2], b BOOL [1 3]": rawModel(4, fp32(2), modelconfig.IO{Name: "b", DType: tensor.Bool, Dims: []int64{3}}),
		"x FP32 [1 2], s BYTES [1 1]": rawModel(4, fp32(2), modelconfig.IO{Name: "s", DType: tensor.Bytes, Dims: []int64{1}},
			modelconfig.IO{Name: "o", DType: tensor.FP32, Dims: []int64{1}, Optional: true}),
	} {
		e := example(m, nil, "localhost")
		_, rest, _ := strings.Cut(e.Curl, "-d '")
		body, _, _ := strings.Cut(rest, "'")
		c, err := readJSONBody(body)
		if err != nil {
			t.Errorf("%s: %v in %s", want, err, e.Curl)
			continue
		}
		var got []string
		for _, x := range c.items[0].Tensors {
			if err := x.Validate(); err != nil {
				t.Errorf("%s: %v", want, err)
			}
			got = append(got, fmt.Sprint(x.Name, " ", x.DType, " ", x.Shape))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for name, m := range map[string]*modelInfo{
		"large":      rawModel(0, fp32(64, 65)),
		"together":   rawModel(0, fp32(4000), fp32(97)),
		"overflow":   rawModel(0, fp32(1<<40, 1<<40)),
		"half float": rawModel(0, modelconfig.IO{Name: "x", DType: tensor.FP16, Dims: []int64{2}}),
	} {
		e := example(m, nil, "localhost")
		body, err := json.Marshal(e.Body)
		if err != nil || e.Curl != "" || !strings.Contains(string(body), `"shape":[`) || len(body) > 20_000 {
			t.Errorf("%s: %v, %s, %.200s", name, err, e.Curl, body)
		}
	}
}

func TestTheExampleOfAModelThatStreamsIsAStream(t *testing.T) {
	m := rawModel(0, modelconfig.IO{Name: "text_input", DType: tensor.Bytes, Dims: []int64{1}})
	m.Config.Decoupled = true
	v := describe(m, "localhost:8080")
	const want = `curl -N -H 'Content-Type: application/json' -d '{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":[""]}]}' 'http://localhost:8080/v1/models/m/stream'`
	if !v.Streams || v.Example.Path != "/v1/models/m/stream" || v.Example.Curl != want {
		t.Errorf("%v %+v", v.Streams, v.Example)
	}
}
