package modelconfig

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// MaxBytes is the largest config.pbtxt that is read.
const MaxBytes = 4 << 20

// Parse reads a config.pbtxt. name is the model's folder: a config without a name takes it, a config with another name is
// refused, as in Triton. An unknown field is refused with its line. Inputs and outputs may be missing (see Complete).
func Parse(name string, pbtxt []byte) (*Config, error) {
	if len(pbtxt) > MaxBytes {
		return nil, fmt.Errorf("config.pbtxt of model %q has %d bytes; at most %d are read", name, len(pbtxt), MaxBytes)
	}
	pb := new(tritonpb.ModelConfig)
	if err := prototext.Unmarshal(pbtxt, pb); err != nil {
		return nil, fmt.Errorf("config.pbtxt of model %q: %s", name, plain(err))
	}
	if pb.Name == "" {
		pb.Name = name
	}
	if name != "" && pb.Name != name {
		return nil, fmt.Errorf("config.pbtxt of model %q: name is %q; it must be the folder's name, or left out", name, pb.Name)
	}
	return FromProto(pb)
}

// plain gives a protobuf error's text without the prefix, whose blank is at random an ordinary or a no-break space.
func plain(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return strings.TrimPrefix(text, "proto: ")
}

// FromProto reads a config that came from Triton's ModelConfig call or from Parse. All faults are reported at once.
func FromProto(pb *tritonpb.ModelConfig) (*Config, error) {
	if pb == nil {
		return nil, errors.New("no model config")
	}
	c := &Config{
		Name:          pb.Name,
		Platform:      pb.Platform,
		Backend:       pb.Backend,
		MaxBatchSize:  int(pb.MaxBatchSize),
		Policy:        policy(pb.VersionPolicy),
		Parameters:    make(map[string]string, len(pb.Parameters)),
		Decoupled:     pb.GetModelTransactionPolicy().GetDecoupled(),
		ResponseCache: pb.GetResponseCache().GetEnable(),
		Ensemble:      pb.GetEnsembleScheduling() != nil,
		Batcher:       batcher(pb),

		PriorityLevels:  pb.GetDynamicBatching().GetPriorityLevels(),
		PriorityDefault: pb.GetDynamicBatching().GetDefaultPriorityLevel(),

		Filename: pb.DefaultModelFilename,
	}
	for _, in := range pb.Input {
		io := IO{Name: in.Name, DType: dtype(in.DataType), Dims: in.Dims, Reshape: reshape(in.Reshape), Optional: in.Optional,
			ShapeTensor: in.IsShapeTensor, NonLinear: in.IsNonLinearFormatIo}
		if in.Format != tritonpb.ModelInput_FORMAT_NONE {
			io.Format = in.Format.String()
		}
		c.Inputs = append(c.Inputs, io)
	}
	for _, out := range pb.Output {
		c.Outputs = append(c.Outputs, IO{Name: out.Name, DType: dtype(out.DataType), Dims: out.Dims,
			Reshape: reshape(out.Reshape), LabelFilename: out.LabelFilename, ShapeTensor: out.IsShapeTensor, NonLinear: out.IsNonLinearFormatIo})
	}
	for key, value := range pb.Parameters {
		c.Parameters[key] = value.GetStringValue()
	}
	c.Instances = instances(pb)
	if err := errors.Join(faults(c, pb)...); err != nil {
		return nil, fmt.Errorf("config of model %q: %w", c.Name, err)
	}
	if c.whole = wire(pb); c.whole == nil {
		return nil, fmt.Errorf("config of model %q holds text that is not UTF-8", c.Name)
	}
	c.Digest = sha256.Sum256(c.whole)
	return c, nil
}

// batcher names the member of the scheduling choice that is set.
func batcher(pb *tritonpb.ModelConfig) string {
	switch {
	case pb.GetDynamicBatching() != nil:
		return DynamicBatching
	case pb.GetSequenceBatching() != nil:
		return SequenceBatching
	case pb.GetEnsembleScheduling() != nil:
		return EnsembleScheduling
	}
	return ""
}

func instances(pb *tritonpb.ModelConfig) (n int) {
	for _, group := range pb.InstanceGroup {
		n += count(group)
	}
	return n
}

// count is the number of instances of a group: Triton starts count on each GPU that is listed, and one where count is left out.
func count(group *tritonpb.ModelInstanceGroup) int {
	n := max(1, int(group.Count))
	if group.Kind == tritonpb.ModelInstanceGroup_KIND_GPU && len(group.Gpus) > 1 {
		n *= len(group.Gpus)
	}
	return n
}

// reshape tells "no reshape" (nil) from the empty reshape of a tensor that has nothing but a batch dimension.
func reshape(r *tritonpb.ModelTensorReshape) []int64 {
	if r == nil {
		return nil
	}
	return append([]int64{}, r.Shape...)
}

// dtype reads TYPE_FP32 and the like; TYPE_STRING is KServe's BYTES.
func dtype(t tritonpb.DataType) tensor.DType {
	if t == tritonpb.DataType_TYPE_STRING {
		return tensor.Bytes
	}
	d, _ := tensor.ParseDType(strings.TrimPrefix(t.String(), "TYPE_"))
	return d
}
