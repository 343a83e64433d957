package triton

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// Config gives the config as Triton runs it, by ModelConfig. What Triton did not complete, and the whole of it on servers without that call, comes
// from ModelMetadata.
func (c *Client) Config(ctx context.Context, model string) (*modelconfig.Config, error) {
	var config *modelconfig.Config
	err := c.ask(ctx, func(ctx context.Context, e *endpoint) error {
		answer, err := e.service.ModelConfig(ctx, &tritonpb.ModelConfigRequest{Name: model})
		pb := answer.GetConfig()
		if status.Code(err) == codes.Unimplemented {
			pb, err = &tritonpb.ModelConfig{Name: model}, nil
		}
		if err != nil {
			return err
		}
		if len(pb.GetInput()) == 0 || len(pb.GetOutput()) == 0 {
			if err := fromMetadata(ctx, e, pb); err != nil {
				return err
			}
		}
		config, err = modelconfig.FromProto(pb)
		if err != nil {
			return fault.New(fault.Contract, "upstream_contract", "the model server's config of %q cannot be used", model).Wrap(err)
		}
		return nil
	})
	return config, err
}

// ask calls one endpoint after the other until one does not fail for want of a connection: those in service first.
func (c *Client) ask(ctx context.Context, call func(context.Context, *endpoint) error) error {
	last := error(nowhere())
	for _, e := range c.order() {
		if !e.reconnect(ctx, c.reconnect) {
			last = status.Error(codes.Unavailable, "connection refused or timed out")
			continue
		}
		last = call(e.outgoing(ctx), e)
		if s, _ := status.FromError(last); last == nil || s.Code() != codes.Unavailable {
			break
		}
	}
	if last == nil {
		return nil
	}
	return translate(ctx, last)
}

// order is the endpoints, those that are ejected last.
func (c *Client) order() []*endpoint {
	list := slices.Clone(c.list())
	slices.SortStableFunc(list, func(a, b *endpoint) int {
		switch x, y := a.ejected.Load(), b.ejected.Load(); {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	return list
}

// fromMetadata asks for what the config lacks.
func fromMetadata(ctx context.Context, e *endpoint, pb *tritonpb.ModelConfig) error {
	meta, err := e.service.ModelMetadata(ctx, &tritonpb.ModelMetadataRequest{Name: pb.Name})
	if err != nil {
		return err
	}
	complete(pb, meta)
	return nil
}

// complete fills in inputs or outputs where there are none. Metadata shapes include the batch dimension, config dims do not.
func complete(pb *tritonpb.ModelConfig, meta *tritonpb.ModelMetadataResponse) {
	batched := pb.MaxBatchSize > 0
	if len(pb.Input) == 0 {
		for _, t := range meta.GetInputs() {
			pb.Input = append(pb.Input, &tritonpb.ModelInput{Name: t.GetName(), DataType: dataType(t.GetDatatype()), Dims: dims(t.GetShape(), batched)})
		}
	}
	if len(pb.Output) == 0 {
		for _, t := range meta.GetOutputs() {
			pb.Output = append(pb.Output, &tritonpb.ModelOutput{Name: t.GetName(), DataType: dataType(t.GetDatatype()), Dims: dims(t.GetShape(), batched)})
		}
	}
	if pb.Platform == "" && pb.Backend == "" {
		pb.Platform = meta.GetPlatform()
	}
}

func dims(shape []int64, batched bool) []int64 {
	if batched && len(shape) > 0 {
		return shape[1:]
	}
	return shape
}

// dataType turns FP32 into TYPE_FP32; BYTES is TYPE_STRING. Unknown names give TYPE_INVALID.
func dataType(name string) tritonpb.DataType {
	if d, ok := tensor.ParseDType(name); ok && d == tensor.Bytes {
		return tritonpb.DataType_TYPE_STRING
	}
	return tritonpb.DataType(tritonpb.DataType_value["TYPE_"+name])
}
