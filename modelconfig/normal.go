package modelconfig

import (
	"strconv"

	"triton-gateway/tritonpb"
)

// What Triton's core names an ONNX model's platform, backend and file by itself.
const (
	onnxPlatform = "onnxruntime_onnx"
	onnxBackend  = "onnxruntime"
	onnxFilename = "model.onnx"
)

// onnxInstances is how many instances of an ONNX model run on a CPU where the config does not say.
const onnxInstances = 2

// sequenceIdle is after how many microseconds without a request a sequence ends, where the config does not say.
const sequenceIdle = 1_000_000

// normalize adds what Triton's core adds to the config of an ONNX model when it loads it on a machine without a GPU
// (triton-inference-server/core, src/model_config_utils.cc: AutoCompleteBackendFields, NormalizeModelConfig, NormalizeInstanceGroup).
func (c *Config) normalize() {
	c.Platform, c.Backend = onnxPlatform, onnxBackend
	if c.Filename == "" {
		c.Filename = onnxFilename
	}
	pb := c.message()
	if pb.VersionPolicy == nil {
		pb.VersionPolicy = &tritonpb.ModelVersionPolicy{PolicyChoice: &tritonpb.ModelVersionPolicy_Latest_{
			Latest: &tritonpb.ModelVersionPolicy_Latest{NumVersions: 1}}}
	}
	if pb.Optimization == nil {
		pb.Optimization = new(tritonpb.ModelOptimizationPolicy)
	}
	if pb.Optimization.InputPinnedMemory == nil {
		pb.Optimization.InputPinnedMemory = &tritonpb.ModelOptimizationPolicy_PinnedMemoryBuffer{Enable: true}
	}
	if pb.Optimization.OutputPinnedMemory == nil {
		pb.Optimization.OutputPinnedMemory = &tritonpb.ModelOptimizationPolicy_PinnedMemoryBuffer{Enable: true}
	}
	if b := pb.GetDynamicBatching(); b != nil {
		b.PreferredBatchSize = preferred(b.PreferredBatchSize, pb.MaxBatchSize)
	}
	if s := pb.GetSequenceBatching(); s != nil {
		if s.MaxSequenceIdleMicroseconds == 0 {
			s.MaxSequenceIdleMicroseconds = sequenceIdle
		}
		if o := s.GetOldest(); o != nil {
			o.PreferredBatchSize = preferred(o.PreferredBatchSize, pb.MaxBatchSize)
		}
	}
	normalizeGroups(pb)
	c.Instances = instances(pb)
	c.whole = wire(pb)
}

func preferred(sizes []int32, most int32) []int32 {
	if len(sizes) == 0 && most > 0 {
		return []int32{most}
	}
	return sizes
}

func normalizeGroups(pb *tritonpb.ModelConfig) {
	if len(pb.InstanceGroup) == 0 {
		pb.InstanceGroup = []*tritonpb.ModelInstanceGroup{{Name: pb.Name}}
	}
	for i, g := range pb.InstanceGroup {
		if g.Name == "" {
			g.Name = pb.Name + "_" + strconv.Itoa(i)
		}
		if g.Kind == tritonpb.ModelInstanceGroup_KIND_AUTO {
			g.Kind = tritonpb.ModelInstanceGroup_KIND_CPU
		}
		if g.Count < 1 {
			g.Count = 1
			if g.Kind == tritonpb.ModelInstanceGroup_KIND_CPU {
				g.Count = onnxInstances
			}
		}
	}
}
