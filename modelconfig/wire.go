package modelconfig

import (
	"google.golang.org/protobuf/proto"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// Wire gives the whole config, with what the gateway itself does not use, as the bytes of an inference.ModelConfig, fields in the order of
// their numbers. The caller owns the bytes.
func (c *Config) Wire() []byte { return wire(c.message()) }

// wire is the deterministic form: comments, order of fields and spelling of the text don't matter. nil: a text in it is not UTF-8.
func wire(pb *tritonpb.ModelConfig) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(pb)
	if err != nil {
		return nil
	}
	return b
}

// message gives the whole message, a new one each time: what was read, and the present values of what this package has of it.
func (c *Config) message() *tritonpb.ModelConfig {
	pb := new(tritonpb.ModelConfig)
	_ = proto.Unmarshal(c.whole, pb) // what wire wrote
	if c.whole == nil {              // made by hand
		pb.Parameters = make(map[string]*tritonpb.ModelParameter, len(c.Parameters))
		for key, value := range c.Parameters {
			pb.Parameters[key] = &tritonpb.ModelParameter{StringValue: value}
		}
		if c.Decoupled {
			pb.ModelTransactionPolicy = &tritonpb.ModelTransactionPolicy{Decoupled: true}
		}
	}
	pb.Name, pb.Platform, pb.Backend = c.Name, c.Platform, c.Backend
	pb.MaxBatchSize = int32(c.MaxBatchSize)
	pb.DefaultModelFilename = c.Filename
	if len(pb.Input) == 0 {
		for i := range c.Inputs {
			io := &c.Inputs[i]
			pb.Input = append(pb.Input, &tritonpb.ModelInput{Name: io.Name, DataType: datatype(io.DType), Dims: io.Dims, Reshape: reshaped(io.Reshape),
				Format: tritonpb.ModelInput_Format(tritonpb.ModelInput_Format_value[io.Format]), Optional: io.Optional,
				IsShapeTensor: io.ShapeTensor, IsNonLinearFormatIo: io.NonLinear})
		}
	}
	if len(pb.Output) == 0 {
		for i := range c.Outputs {
			io := &c.Outputs[i]
			pb.Output = append(pb.Output, &tritonpb.ModelOutput{Name: io.Name, DataType: datatype(io.DType), Dims: io.Dims, Reshape: reshaped(io.Reshape),
				LabelFilename: io.LabelFilename, IsShapeTensor: io.ShapeTensor, IsNonLinearFormatIo: io.NonLinear})
		}
	}
	return pb
}

func datatype(d tensor.DType) tritonpb.DataType {
	if d == tensor.Bytes {
		return tritonpb.DataType_TYPE_STRING
	}
	return tritonpb.DataType(tritonpb.DataType_value["TYPE_"+d.String()])
}

func reshaped(shape []int64) *tritonpb.ModelTensorReshape {
	if shape == nil {
		return nil
	}
	return &tritonpb.ModelTensorReshape{Shape: shape}
}
