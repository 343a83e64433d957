package kserve

import (
	"sync"

	"triton-gateway/gateway/catalog"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

const (
	imageSuffix    = ".image"
	imageInput     = "image"
	documentOutput = "json"
	imagePlatform  = "triton_gateway"
	// mostImages bounds the pictures of one request; it is the image models' max_batch_size.
	mostImages = 32
)

// images are the image models: one over every model that takes pictures. Their configs and counters are made when they are first asked for.
type images struct {
	configs sync.Map // name of the model below -> *imageConfig
	counts  sync.Map // imageVersion -> *imageCounts
}

type imageConfig struct {
	of     *catalog.Model
	config *modelconfig.Config
}

// takesPictures reports whether there is an image model over m.
func takesPictures(m *catalog.Model) bool { return m.Spec != nil && m.Spec.Preprocess != nil }

// config gives the config of the image model over m.
func (i *images) config(m *catalog.Model) *modelconfig.Config {
	if got, ok := i.configs.Load(m.Name); ok {
		if c := got.(*imageConfig); c.of == m {
			return c.config
		}
	}
	c := &imageConfig{m, describe(m)}
	i.configs.Store(m.Name, c)
	return c.config
}

// describe writes the config that an image model would have on a Triton.
func describe(m *catalog.Model) *modelconfig.Config {
	pb := &tritonpb.ModelConfig{
		Name: m.Name + imageSuffix, Platform: imagePlatform, Backend: imagePlatform, MaxBatchSize: mostImages,
		Input: []*tritonpb.ModelInput{{Name: imageInput, DataType: tritonpb.DataType_TYPE_STRING, Dims: []int64{1}}},
		Output: []*tritonpb.ModelOutput{
			{Name: documentOutput, DataType: tritonpb.DataType_TYPE_STRING, Dims: []int64{1}},
		},
		Parameters: map[string]*tritonpb.ModelParameter{"model": {StringValue: m.Name}, "task": {StringValue: "task: raw\n"}},
	}
	if !m.Spec.Cache.Disable {
		pb.ResponseCache = &tritonpb.ModelResponseCache{Enable: true}
	}
	for _, c := range columns(m.Spec.Task) {
		pb.Output = append(pb.Output, &tritonpb.ModelOutput{Name: c.name, DataType: c.wire, Dims: append([]int64{-1}, c.tail...)})
	}
	config, err := modelconfig.FromProto(pb)
	if err != nil { // the config is ours, and tested for every task
		return &modelconfig.Config{Name: pb.Name, Platform: imagePlatform, MaxBatchSize: mostImages,
			Inputs:  []modelconfig.IO{{Name: imageInput, DType: tensor.Bytes, Dims: []int64{1}}},
			Outputs: []modelconfig.IO{{Name: documentOutput, DType: tensor.Bytes, Dims: []int64{1}}}}
	}
	return config
}

// column is a typed output of an image model: one value, or a row of values, for each thing that was found.
type column struct {
	name  string
	dtype tensor.DType
	wire  tritonpb.DataType
	tail  []int64 // the shape of one value; nil for a number or a text
	// add appends value i of a picture, or what stands in its place where the picture has fewer values than another one of the request.
	add func(b []byte, f *findings, i int) []byte
}

// columns are the typed outputs of a task, in the order in which they are answered.
func columns(name task.Name) []column {
	labels := column{"labels", tensor.Bytes, tritonpb.DataType_TYPE_STRING, nil, addLabel}
	scores := column{"scores", tensor.FP32, tritonpb.DataType_TYPE_FP32, nil, addScore}
	indices := column{"indices", tensor.Int64, tritonpb.DataType_TYPE_INT64, nil, addIndex}
	switch name {
	case task.ImageClassification:
		return []column{labels, scores, indices}
	case task.ObjectDetection:
		return []column{{"boxes", tensor.FP32, tritonpb.DataType_TYPE_FP32, []int64{4}, addBox}, scores, labels, indices}
	case task.ImageSegmentation:
		return []column{labels, indices, {"areas", tensor.Int64, tritonpb.DataType_TYPE_INT64, nil, addArea}}
	case task.ImageFeatureExtraction:
		return []column{{"embedding", tensor.FP32, tritonpb.DataType_TYPE_FP32, nil, addNumber}}
	}
	return nil
}
