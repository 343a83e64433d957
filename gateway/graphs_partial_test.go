package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// floats is an output of FP32.
func floats(name string, shape []int64, values ...float32) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.FP32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

// fakeModel is a model of pictures of 8 x 8 pixels that describes itself.
func fakeModel(name, task string, dims ...int64) tritontest.ModelOption {
	return tritontest.Config(&tritonpb.ModelConfig{Name: name, Backend: "fake", MaxBatchSize: 8,
		Input:      []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{3, 8, 8}}},
		Output:     []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: dims}},
		Parameters: map[string]*tritonpb.ModelParameter{"task": {StringValue: "input: {layout: NCHW}\npreprocess: {resize: {mode: stretch, size: 8, resample: pil-nearest}}\nlabels: [thing, other]\n" + task}}})
}

// One node's failure gives the partial result that its on_error promises, and nothing of it is kept.
func TestGraphPartialResult(t *testing.T) {
	fake := tritontest.New(t)
	var classified, mode atomic.Int64
	fake.Model("finder", func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
		return []tensor.Tensor{floats("y", []int64{1, 2, 6}, 0, 0, 4, 4, 0.75, 0, 4, 4, 8, 8, 0.5, 1)}, nil
	}, fakeModel("finder", "task: object-detection\noutput: {head: end2end, confidence: 0.25}", 2, 6))
	fake.Model("namer", func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
		classified.Add(1)
		switch mode.Load() {
		case 1:
			return nil, errors.New("it broke")
		case 2:
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return []tensor.Tensor{floats("y", []int64{1, 2}, 0.25, 0.75)}, nil
	}, fakeModel("namer", "task: image-classification\noutput: {activation: none}", 2))
	const text = "nodes:\n  - {name: find, model: finder, from: input}\n  - {name: cut, crop: {}, from: find}\n  - {name: kind, model: namer, from: cut, timeout: 20s, on_error: skip}\n"
	r := newRouteRig(t, func(c *Config) {
		c.ModelRepository, c.Triton.Endpoints = "", []string{fake.Addr()}
		c.Graphs = Graphs{"partly": graphFile(t, text), "late": graphFile(t, strings.Replace(text, "20s", "500ms", 1)), "wholly": graphFile(t, strings.Replace(text, ", on_error: skip", "", 1))}
	})
	ask := func(status int, graph string) (graphAnswer, http.Header, string) {
		res, body := r.want(status, "POST", r.public+"/v1/models/"+graph+"/infer", "image/png", string(picture(1)))
		return decode[graphAnswer](t, body), res.Header, body
	}
	mode.Store(1)
	for range 2 {
		a, h, body := ask(200, "partly")
		if a.FromCache || len(a.Detections) != 2 || a.Detections[0].Predictions != nil || a.Nodes["find"].State != "done" || a.Nodes["kind"].State != "partial" || a.Nodes["kind"].Failed != 2 ||
			a.Errors["kind"].Code != "upstream_error" || strings.Contains(h.Get("Cache-Status"), "stored") {
			t.Errorf("%s %s", h.Get("Cache-Status"), body)
		}
	}
	if _, _, body := ask(502, "wholly"); !strings.Contains(body, `node \"kind\"`) || !strings.Contains(body, "upstream_error") {
		t.Errorf("%s", body)
	}
	mode.Store(0)
	r.want(200, "POST", r.public+"/v1/models/namer/infer", "image/png", string(picture(7))) // its breaker counts anew
	mode.Store(2)
	start := time.Now()
	if a, _, body := ask(200, "late"); a.Errors["kind"].Code != "deadline_exceeded" || len(a.Detections) != 2 || time.Since(start) > 20*time.Second {
		t.Errorf("after %v: %s", time.Since(start), body)
	}
	mode.Store(0)
	a, _, body := ask(200, "partly")
	if a.Errors != nil || a.FromCache || len(a.Detections[1].Predictions) != 2 || a.Detections[1].Predictions[0].Label != "other" || a.Detections[0].Label != "thing" {
		t.Errorf("%s", body)
	}
	n := classified.Load()
	if a, _, body := ask(200, "partly"); !a.FromCache || classified.Load() != n {
		t.Errorf("%s", body)
	}
}
