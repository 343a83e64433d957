package kserve

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// documents answers a picture by its bytes: a class name for each letter, with scores that fall.
func documents(r *pipeline.Request) string {
	picture := string(r.Item.Image.Bytes)
	var list []string
	for i, c := range picture {
		one := fmt.Sprintf(`{"label":%q,"index":%d,"score":%v`, string(c), i+1, float32(1)/float32(i+3))
		if r.Model == "boxes" {
			one += fmt.Sprintf(`,"box":{"x1":%d.5,"y1":0.1,"x2":3,"y2":4}`, i)
		}
		list = append(list, one+"}")
	}
	return fmt.Sprintf(`{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","model":%q,"%s":[%s],"from_cache":`, r.Model, map[bool]string{true: "detections", false: "predictions"}[r.Model == "boxes"], strings.Join(list, ","))
}

func newImageRig(t *testing.T) *rig {
	r := newRig(t, nil)
	r.runner.run = func(_ context.Context, q *pipeline.Request) (*pipeline.Answer, error) {
		if string(q.Item.Image.Bytes) == "!" {
			return nil, fault.New(fault.Invalid, "invalid_image", "this is no picture")
		}
		return &pipeline.Answer{Body: []byte(documents(q)), Version: "1", FromCache: strings.HasPrefix(string(q.Item.Image.Bytes), "k"),
			Timings: []pipeline.Timing{{Stage: "queue", Duration: 1000}, {Stage: "decode", Duration: 2000}, {Stage: "preprocess", Duration: 3000}, {Stage: "infer", Duration: 4000}, {Stage: "postprocess", Duration: 5000}}}, nil
	}
	return r
}

func pictures(model string, shape []int64, list ...string) *tritonpb.ModelInferRequest {
	r := raw(ask(input("image", "BYTES", shape...)), words(list...))
	r.ModelName = model
	return r
}

// outputs reads an answer: name, shape and elements of each output.
func outputs(t *testing.T, a *tritonpb.ModelInferResponse) map[string]string {
	t.Helper()
	out := map[string]string{}
	le := binary.LittleEndian
	for i, o := range a.GetOutputs() {
		data := a.RawOutputContents[i]
		d, _ := tensor.ParseDType(o.Datatype)
		one := tensor.Tensor{Name: o.Name, DType: d, Shape: o.Shape, Data: data}
		if err := one.Validate(); err != nil {
			t.Error(err)
		}
		var list []string
		for len(data) > 0 {
			n := max(d.Size(), 4)
			switch o.Datatype {
			case "BYTES":
				n = 4 + int(le.Uint32(data))
				list = append(list, string(data[4:n]))
			case "FP32":
				list = append(list, fmt.Sprint(math.Float32frombits(le.Uint32(data))))
			case "INT64":
				list = append(list, fmt.Sprint(int64(le.Uint64(data))))
			}
			data = data[n:]
		}
		out[o.Name] = fmt.Sprint(o.Shape, " ", strings.Join(list, " "))
	}
	return out
}

func TestImageModelAnswersOnePicture(t *testing.T) {
	client := newImageRig(t).client(t)
	for name, c := range map[string]struct {
		r    *tritonpb.ModelInferRequest
		want map[string]string
	}{
		"labels": {pictures("shapes.image", []int64{1, 1}, "ab"), map[string]string{"labels": "[1 2] a b", "scores": "[1 2] 0.33333334 0.25", "indices": "[1 2] 1 2",
			"json": `[1 1] {"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","model":"shapes","predictions":[{"label":"a","index":1,"score":0.33333334},{"label":"b","index":2,"score":0.25}],"from_cache":false}`}},
		"without a batch": {pictures("shapes.image", []int64{1}, "k"), map[string]string{"labels": "[1] k", "scores": "[1] 0.33333334", "indices": "[1] 1",
			"json": `[1] {"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","model":"shapes","predictions":[{"label":"k","index":1,"score":0.33333334}],"from_cache":true}`}},
		"boxes":  {pictures("boxes.image", []int64{1, 1}, "ab"), map[string]string{"labels": "[1 2] a b", "scores": "[1 2] 0.33333334 0.25", "indices": "[1 2] 1 2", "boxes": "[1 2 4] 0.5 0.1 3 4 1.5 0.1 3 4"}},
		"no box": {pictures("boxes.image", []int64{1}, ""), map[string]string{"labels": "[0] ", "scores": "[0] ", "indices": "[0] ", "boxes": "[0 4] "}},
	} {
		a, err := client.ModelInfer(call(t), c.r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := outputs(t, a)
		for output, want := range c.want {
			if got[output] != want {
				t.Errorf("%s: output %s is %q, want %q", name, output, got[output], want)
			}
		}
		if a.ModelName != c.r.ModelName || a.ModelVersion != "1" || a.Id != "i7" || len(got) != len(columnsOf(c.r.ModelName))+1 {
			t.Errorf("%s: got %v", name, a)
		}
	}
}

func columnsOf(name string) []column {
	if name == "boxes.image" {
		return columns(task.ObjectDetection)
	}
	return columns(task.ImageClassification)
}

func TestImageModelFillsTheRowsOfABatch(t *testing.T) {
	client := newImageRig(t).client(t)
	r := pictures("boxes.image", []int64{3, 1}, "ab", "", "c")
	r.Outputs = []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "boxes"}, {Name: "labels"}, {Name: "indices"}, {Name: "scores"}}
	a, err := client.ModelInfer(call(t), r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"boxes": "[3 2 4] 0.5 0.1 3 4 1.5 0.1 3 4 0 0 0 0 0 0 0 0 0.5 0.1 3 4 0 0 0 0", "labels": "[3 2] a b   c ", "indices": "[3 2] 1 2 -1 -1 1 -1", "scores": "[3 2] 0.33333334 0.25 0 0 0.33333334 0"}
	if got := outputs(t, a); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestImageModelTakesOptions(t *testing.T) {
	r := newImageRig(t)
	var got *pipeline.Request
	run := r.runner.run
	r.runner.run = func(ctx context.Context, q *pipeline.Request) (*pipeline.Answer, error) { got = q; return run(ctx, q) }
	client := r.client(t)
	q := pictures("shapes.image", []int64{1}, "a")
	q.ModelVersion = "1"
	q.Parameters = map[string]*tritonpb.InferParameter{"top_k": param(int64(3)), "confidence": param(0.5), "iou": param("0.25"), "max_detections": param("7"), "classes": param("a, 4"),
		"cache": param("no-store"), "priority": param(int64(1))}
	if _, err := client.ModelInfer(call(t), q); err != nil {
		t.Fatal(err)
	}
	o := got.Options
	if got.Model != "shapes" || got.Version != "1" || got.ID != "i7" || got.Cache != cache.NoStore || *o.TopK != 3 || *o.Confidence != 0.5 || *o.IoU != 0.25 || *o.MaxDetections != 7 || !slices.Equal(o.Classes, []string{"a", "4"}) {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []struct {
		name  string
		value any
		want  string
	}{{"top_k", int64(0), "top_k is a whole number"}, {"top_k", true, "top_k"}, {"top_k", "x", "top_k"}, {"confidence", 1.5, "confidence is a number from 0 to 1"}, {"iou", math.NaN(), "iou"},
		{"confidence", "0x1p-2", "confidence"}, {"classes", ",", "entry 1 is empty"}, {"classes", true, "classes is a text"}, {"cache", "maybe", "default, no-cache or no-store"}, {"topk", int64(1), "no parameter 'topk'"}} {
		q.Parameters = map[string]*tritonpb.InferParameter{bad.name: param(bad.value)}
		if _, err := client.ModelInfer(call(t), q); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s %v: got %v, want %q", bad.name, bad.value, err, bad.want)
		}
	}
}

func TestImageModelRefusesBadRequests(t *testing.T) {
	client := newImageRig(t).client(t)
	many := pictures("shapes.image", []int64{33, 1}, strings.Split(strings.Repeat("a", 33), "")...)
	change := func(f func(*tritonpb.ModelInferRequest)) *tritonpb.ModelInferRequest {
		r := pictures("shapes.image", []int64{1, 1}, "a")
		f(r)
		return r
	}
	for name, c := range map[string]struct {
		r    *tritonpb.ModelInferRequest
		want string
	}{
		"another input": {change(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Name = "x" }), "takes one input, 'image'"},
		"another type":  {change(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Datatype = "UINT8" }), "data-type is 'UINT8', but model 'shapes.image' expects 'BYTES'"},
		"shape":         {change(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Shape = []int64{1, 1, 1} }), "unexpected shape for input 'image'"},
		"two in a row":  {pictures("shapes.image", []int64{2}, "a", "b"), "Expected [-1,1], or [1] for one picture, got [2]"},
		"none":          {pictures("shapes.image", []int64{0, 1}), "unexpected shape"},
		"33 pictures":   {many, "batch-size must be <= 32 for 'shapes.image'"},
		"fewer":         {pictures("shapes.image", []int64{2, 1}, "a"), "image"},
		"past the end":  {change(func(r *tritonpb.ModelInferRequest) { r.RawInputContents = [][]byte{{9, 0, 0, 0}} }), "image"},
		"bad picture":   {pictures("shapes.image", []int64{2, 1}, "a", "!"), "image[1]: this is no picture"},
		"unknown output": {change(func(r *tritonpb.ModelInferRequest) {
			r.Outputs = []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "boxes"}}
		}), "unexpected inference output 'boxes'"},
		"classification": {change(func(r *tritonpb.ModelInferRequest) {
			r.Outputs = []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "scores", Parameters: map[string]*tritonpb.InferParameter{"classification": param(int64(1))}}}
		}), "use the parameter top_k"},
	} {
		if _, err := client.ModelInfer(call(t), c.r); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for name, code := range map[string]codes.Code{"echo.image": codes.NotFound, "nope.image": codes.NotFound, ".image": codes.NotFound, "shapes.image.image": codes.NotFound} {
		if _, err := client.ModelInfer(call(t), pictures(name, []int64{1}, "a")); status.Code(err) != code {
			t.Errorf("%s: %v, want %v", name, err, code)
		}
	}
}

func TestImageModelDescribesItself(t *testing.T) {
	r := newImageRig(t)
	client := r.client(t)
	meta, err := client.ModelMetadata(call(t), &tritonpb.ModelMetadataRequest{Name: "boxes.image"})
	type info = tritonpb.ModelMetadataResponse_TensorMetadata
	want := &tritonpb.ModelMetadataResponse{Name: "boxes.image", Versions: []string{"1"}, Platform: "triton_gateway", Inputs: []*info{{Name: "image", Datatype: "BYTES", Shape: []int64{-1, 1}}},
		Outputs: []*info{{Name: "json", Datatype: "BYTES", Shape: []int64{-1, 1}}, {Name: "boxes", Datatype: "FP32", Shape: []int64{-1, -1, 4}}, {Name: "scores", Datatype: "FP32", Shape: []int64{-1, -1}},
			{Name: "labels", Datatype: "BYTES", Shape: []int64{-1, -1}}, {Name: "indices", Datatype: "INT64", Shape: []int64{-1, -1}}}}
	if err != nil || !proto.Equal(meta, want) {
		t.Errorf("metadata: %v, %v; want %v", meta, err, want)
	}
	for _, name := range []task.Name{task.ImageClassification, task.ObjectDetection, task.ImageSegmentation, task.ImageFeatureExtraction} {
		r.models.list = []*catalog.Model{pictureModel("m", name)}
		a, err := client.ModelConfig(call(t), &tritonpb.ModelConfigRequest{Name: "m.image"})
		c := a.GetConfig()
		if err != nil || c.GetName() != "m.image" || c.Platform != "triton_gateway" || c.MaxBatchSize != 32 || len(c.Input) != 1 || !slices.Equal(c.Input[0].Dims, []int64{1}) ||
			c.Input[0].DataType != tritonpb.DataType_TYPE_STRING || len(c.Output) != 1+len(columns(name)) || !c.ResponseCache.Enable {
			t.Errorf("%s: config %v, %v", name, a, err)
		}
	}
}

func TestModelOfTheCatalogComesBeforeTheImageModel(t *testing.T) {
	r := newImageRig(t)
	r.models.list = []*catalog.Model{pictureModel("shapes", task.ImageClassification), model("shapes.image", nil)}
	if _, err := r.client(t).ModelInfer(call(t), numbered("shapes.image", "a")); err != nil {
		t.Error(err)
	}
	if list := r.index(false); len(list) != 2 {
		t.Errorf("index %v", list)
	}
	if list := r.allImages(nil); len(list) != 0 {
		t.Errorf("statistics %v", list)
	}
}

func TestImageModelCounts(t *testing.T) {
	r := newImageRig(t)
	client := r.client(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			_, _ = client.ModelInfer(call(t), pictures("shapes.image", []int64{1}, "a"))
		})
	}
	wait.Wait()
	_, _ = client.ModelInfer(call(t), pictures("shapes.image", []int64{2, 1}, "a", "k")) // one of two ran
	_, _ = client.ModelInfer(call(t), pictures("shapes.image", []int64{1}, "k"))         // from the cache
	_, _ = client.ModelInfer(call(t), pictures("shapes.image", []int64{1}, "!"))         // failed
	a, err := client.ModelStatistics(call(t), &tritonpb.ModelStatisticsRequest{Name: "shapes.image", Version: "1"})
	if err != nil || len(a.ModelStats) != 1 {
		t.Fatalf("%v, %v", a, err)
	}
	s := a.ModelStats[0]
	i := s.InferenceStats
	if s.InferenceCount != 5 || s.ExecutionCount != 5 || i.Success.Count != 6 || i.Fail.Count != 1 || i.CacheHit.Count != 1 || i.CacheMiss.Count != 5 || s.LastInference == 0 || i.Success.Ns == 0 || i.CacheHit.Ns == 0 {
		t.Errorf("counts: %v", s)
	}
	for name, c := range map[string]struct {
		got   *tritonpb.StatisticDuration
		ns, n uint64
	}{"queue": {i.Queue, 6 * 1000, 5}, "input": {i.ComputeInput, 6 * 5000, 5}, "infer": {i.ComputeInfer, 6 * 4000, 5}, "output": {i.ComputeOutput, 6 * 5000, 5}, "batch": {s.BatchStats[0].ComputeInfer, 6 * 4000, 5}} {
		if c.got.Count != c.n || c.got.Ns != c.ns {
			t.Errorf("%s: %v, want %d times, %d ns", name, c.got, c.n, c.ns)
		}
	}
	next := pictureModel("shapes", task.ImageClassification)
	next.Versions = []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "e2"}}
	r.models.list = []*catalog.Model{next}
	if a, err = client.ModelStatistics(call(t), &tritonpb.ModelStatisticsRequest{Name: "shapes.image"}); err != nil || a.ModelStats[0].InferenceStats.Success.Count != 0 {
		t.Errorf("after a reload: %v, %v", a, err)
	}
}

// A computation that others share may read the picture after this request has been answered.
func TestImageModelHoldsTheBytesAsLongAsThePipelineDoes(t *testing.T) {
	r := newImageRig(t)
	later := make(chan *pipeline.Body, 1)
	r.runner.run = func(_ context.Context, q *pipeline.Request) (*pipeline.Answer, error) {
		q.Item.Image.Retain()
		later <- q.Item.Image
		return nil, fault.New(fault.Timeout, "deadline_exceeded", "too late")
	}
	client := r.client(t)
	if _, err := client.ModelInfer(call(t), pictures("shapes.image", []int64{1}, "picture")); status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	body := <-later
	if string(body.Bytes) != "picture" {
		t.Errorf("the bytes were let go: %q", body.Bytes)
	}
	body.Release()
	if string(body.Bytes) == "picture" {
		t.Error("the bytes are not used again")
	}
}
