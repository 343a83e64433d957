package kserve

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/tritonpb"
)

// modelConfig is the handler of the call ModelConfig. The config goes out as the bytes that it is kept as.
func modelConfig(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
	request := new(tritonpb.ModelConfigRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: tritonpb.GRPCInferenceService_ModelConfig_FullMethodName}
	return around(ctx, request, info, func(context.Context, any) (any, error) {
		config, err := srv.(*calls).configuration(request.GetName(), request.GetVersion())
		if err != nil {
			return nil, err
		}
		return wireConfig(config.Wire()), nil
	})
}

// ModelStatistics gives the counters of models.
func (c *calls) ModelStatistics(ctx context.Context, r *tritonpb.ModelStatisticsRequest) (*tritonpb.ModelStatisticsResponse, error) {
	list, err := c.statistics(ctx, r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	out := &tritonpb.ModelStatisticsResponse{}
	for i := range list {
		out.ModelStats = append(out.ModelStats, wireStatistics(&list[i]))
	}
	return out, nil
}

func wireStatistics(s *backend.Statistics) *tritonpb.ModelStatistics {
	out := &tritonpb.ModelStatistics{Name: s.Model, Version: s.Version, InferenceCount: s.Inferences, ExecutionCount: s.Executions,
		InferenceStats: &tritonpb.InferStatistics{
			Success: wireDuration(s.Success), Fail: wireDuration(s.Fail), Queue: wireDuration(s.Queue),
			ComputeInput: wireDuration(s.ComputeInput), ComputeInfer: wireDuration(s.ComputeInfer), ComputeOutput: wireDuration(s.ComputeOutput),
			CacheHit: wireDuration(s.CacheHit), CacheMiss: wireDuration(s.CacheMiss),
		}}
	if !s.LastInference.IsZero() {
		out.LastInference = uint64(max(0, s.LastInference.UnixMilli()))
	}
	for i := range s.Batches {
		b := &s.Batches[i]
		out.BatchStats = append(out.BatchStats, &tritonpb.InferBatchStatistics{BatchSize: b.Size,
			ComputeInput: wireDuration(b.ComputeInput), ComputeInfer: wireDuration(b.ComputeInfer), ComputeOutput: wireDuration(b.ComputeOutput)})
	}
	if len(s.Responses) > 0 {
		out.ResponseStats = map[string]*tritonpb.InferResponseStatistics{}
	}
	for index, r := range s.Responses {
		out.ResponseStats[index] = &tritonpb.InferResponseStatistics{
			ComputeInfer: wireDuration(r.ComputeInfer), ComputeOutput: wireDuration(r.ComputeOutput), Success: wireDuration(r.Success),
			Fail: wireDuration(r.Fail), EmptyResponse: wireDuration(r.EmptyResponse), Cancel: wireDuration(r.Cancel)}
	}
	return out
}

func wireDuration(d backend.Duration) *tritonpb.StatisticDuration {
	return &tritonpb.StatisticDuration{Count: d.Count, Ns: uint64(max(0, d.Total/time.Nanosecond))}
}

// oneRepository refuses the name of a repository: there is one.
func oneRepository(name string) error {
	if name == "" {
		return nil
	}
	return status.Error(codes.Unimplemented, "'repository_name' specification is not supported")
}

// RepositoryIndex lists the models.
func (c *calls) RepositoryIndex(_ context.Context, r *tritonpb.RepositoryIndexRequest) (*tritonpb.RepositoryIndexResponse, error) {
	if err := oneRepository(r.GetRepositoryName()); err != nil {
		return nil, err
	}
	out := &tritonpb.RepositoryIndexResponse{}
	for _, m := range c.index(r.GetReady()) {
		out.Models = append(out.Models, &tritonpb.RepositoryIndexResponse_ModelIndex{Name: m.Name, Version: m.Version, State: string(m.State), Reason: m.Reason})
	}
	return out, nil
}

// RepositoryModelLoad loads a model, for admins.
func (c *calls) RepositoryModelLoad(ctx context.Context, r *tritonpb.RepositoryModelLoadRequest) (*tritonpb.RepositoryModelLoadResponse, error) {
	controller, err := c.control(ctx, operator(ctx, c.admin), actLoad, r.GetModelName())
	if err == nil {
		err = oneRepository(r.GetRepositoryName())
	}
	if err != nil {
		return nil, err
	}
	params := map[string]any{}
	for name, p := range r.GetParameters() {
		switch v := p.GetParameterChoice().(type) {
		case *tritonpb.ModelRepositoryParameter_BoolParam:
			params[name] = v.BoolParam
		case *tritonpb.ModelRepositoryParameter_Int64Param:
			params[name] = v.Int64Param
		case *tritonpb.ModelRepositoryParameter_StringParam:
			params[name] = v.StringParam
		case *tritonpb.ModelRepositoryParameter_BytesParam:
			params[name] = slices.Clip(v.BytesParam)
		default:
			return nil, badParam(name, "the parameter '"+clip(name)+"' has no value")
		}
	}
	if err := c.notImage(r.GetModelName()); err != nil {
		return nil, err
	}
	return &tritonpb.RepositoryModelLoadResponse{}, controller.Load(ctx, r.GetModelName(), params)
}

// RepositoryModelUnload takes a model out of service, for admins.
func (c *calls) RepositoryModelUnload(ctx context.Context, r *tritonpb.RepositoryModelUnloadRequest) (*tritonpb.RepositoryModelUnloadResponse, error) {
	controller, err := c.control(ctx, operator(ctx, c.admin), actUnload, r.GetModelName())
	if err == nil {
		err = oneRepository(r.GetRepositoryName())
	}
	if err != nil {
		return nil, err
	}
	const name = "unload_dependents"
	dependents := false
	for key, p := range r.GetParameters() {
		v, ok := p.GetParameterChoice().(*tritonpb.ModelRepositoryParameter_BoolParam)
		if key != name || !ok {
			return nil, badParam(key, "the one parameter of unload is '"+name+"', with a bool_param")
		}
		dependents = v.BoolParam
	}
	if err := c.notImage(r.GetModelName()); err != nil {
		return nil, err
	}
	return &tritonpb.RepositoryModelUnloadResponse{}, controller.Unload(ctx, r.GetModelName(), dependents)
}

// notImage refuses an image model, which comes and goes with the model that it is over.
func (s *Server) notImage(name string) error {
	if t, err := s.target(name); err == nil && t.image {
		return invalid("model_name", "'%s' is there as long as '%s' is; load or unload that one", clip(name), t.Name)
	}
	return nil
}
