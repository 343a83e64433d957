package kserve

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

var _ tritonpb.GRPCInferenceServiceServer = (*calls)(nil)

// calls are the calls of GRPCInferenceService.
type calls struct {
	tritonpb.UnimplementedGRPCInferenceServiceServer
	*Server
	admin bool
}

// ServerLive is true.
func (c *calls) ServerLive(context.Context, *tritonpb.ServerLiveRequest) (*tritonpb.ServerLiveResponse, error) {
	return &tritonpb.ServerLiveResponse{Live: true}, nil
}

// ServerReady is true while the backend answers and no end is near.
func (c *calls) ServerReady(context.Context, *tritonpb.ServerReadyRequest) (*tritonpb.ServerReadyResponse, error) {
	return &tritonpb.ServerReadyResponse{Ready: c.ready() == nil}, nil
}

// ModelReady is false for a model that there is not, as on a Triton.
func (c *calls) ModelReady(_ context.Context, r *tritonpb.ModelReadyRequest) (*tritonpb.ModelReadyResponse, error) {
	err := c.modelReady(r.GetName(), r.GetVersion())
	if err != nil && fault.KindOf(err) == fault.Invalid {
		return nil, err
	}
	return &tritonpb.ModelReadyResponse{Ready: err == nil}, nil
}

// ServerMetadata names the gateway.
func (c *calls) ServerMetadata(context.Context, *tritonpb.ServerMetadataRequest) (*tritonpb.ServerMetadataResponse, error) {
	return &tritonpb.ServerMetadataResponse{Name: serverName, Version: c.Version, Extensions: extensions()}, nil
}

// ModelMetadata describes a model.
func (c *calls) ModelMetadata(_ context.Context, r *tritonpb.ModelMetadataRequest) (*tritonpb.ModelMetadataResponse, error) {
	info, err := c.metadata(r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return &tritonpb.ModelMetadataResponse{Name: info.Name, Versions: info.Versions, Platform: info.Platform,
		Inputs: wireTensors(info.Inputs), Outputs: wireTensors(info.Outputs)}, nil
}

func wireTensors(list []tensorInfo) (out []*tritonpb.ModelMetadataResponse_TensorMetadata) {
	for _, t := range list {
		out = append(out, &tritonpb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape})
	}
	return out
}

// forbidden answers the calls that reach into the server's machine: ordinary callers may not make them, and to admins they are not offered.
func (c *calls) forbidden(ctx context.Context, what string) error {
	if !operator(ctx, c.admin) {
		return fault.New(fault.Forbidden, "forbidden", "%s is not open to callers of the gateway", what)
	}
	return status.Errorf(codes.Unimplemented, "%s is not served by the gateway; ask the Triton behind it", what)
}

const (
	systemMemory = "system shared memory"
	cudaMemory   = "CUDA shared memory"
)

// SystemSharedMemoryStatus is refused.
func (c *calls) SystemSharedMemoryStatus(ctx context.Context, _ *tritonpb.SystemSharedMemoryStatusRequest) (*tritonpb.SystemSharedMemoryStatusResponse, error) {
	return nil, c.forbidden(ctx, systemMemory)
}

// SystemSharedMemoryRegister is refused.
func (c *calls) SystemSharedMemoryRegister(ctx context.Context, _ *tritonpb.SystemSharedMemoryRegisterRequest) (*tritonpb.SystemSharedMemoryRegisterResponse, error) {
	return nil, c.forbidden(ctx, systemMemory)
}

// SystemSharedMemoryUnregister is refused.
func (c *calls) SystemSharedMemoryUnregister(ctx context.Context, _ *tritonpb.SystemSharedMemoryUnregisterRequest) (*tritonpb.SystemSharedMemoryUnregisterResponse, error) {
	return nil, c.forbidden(ctx, systemMemory)
}

// CudaSharedMemoryStatus is refused.
func (c *calls) CudaSharedMemoryStatus(ctx context.Context, _ *tritonpb.CudaSharedMemoryStatusRequest) (*tritonpb.CudaSharedMemoryStatusResponse, error) {
	return nil, c.forbidden(ctx, cudaMemory)
}

// CudaSharedMemoryRegister is refused.
func (c *calls) CudaSharedMemoryRegister(ctx context.Context, _ *tritonpb.CudaSharedMemoryRegisterRequest) (*tritonpb.CudaSharedMemoryRegisterResponse, error) {
	return nil, c.forbidden(ctx, cudaMemory)
}

// CudaSharedMemoryUnregister is refused.
func (c *calls) CudaSharedMemoryUnregister(ctx context.Context, _ *tritonpb.CudaSharedMemoryUnregisterRequest) (*tritonpb.CudaSharedMemoryUnregisterResponse, error) {
	return nil, c.forbidden(ctx, cudaMemory)
}

// TraceSetting is refused.
func (c *calls) TraceSetting(ctx context.Context, _ *tritonpb.TraceSettingRequest) (*tritonpb.TraceSettingResponse, error) {
	return nil, c.forbidden(ctx, "the trace setting")
}

// LogSettings is refused.
func (c *calls) LogSettings(ctx context.Context, _ *tritonpb.LogSettingsRequest) (*tritonpb.LogSettingsResponse, error) {
	return nil, c.forbidden(ctx, "the log settings")
}
