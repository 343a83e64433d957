package tritontest

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

// before does the faults of the calls that are not ModelInfer.
func (s *Server) before(ctx context.Context, method, model string) error {
	f := s.fault(method, model)
	if err := f.wait(ctx); err != nil {
		return err
	}
	return s.end(f)
}

// RepositoryIndex lists the models by name and version.
func (s *Server) RepositoryIndex(ctx context.Context, _ *tritonpb.RepositoryIndexRequest) (*tritonpb.RepositoryIndexResponse, error) {
	if err := s.before(ctx, "RepositoryIndex", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &tritonpb.RepositoryIndexResponse{}
	for _, m := range s.models {
		out.Models = append(out.Models, &tritonpb.RepositoryIndexResponse_ModelIndex{Name: m.name, Version: m.version, State: m.state, Reason: m.reason})
	}
	slices.SortFunc(out.Models, func(a, b *tritonpb.RepositoryIndexResponse_ModelIndex) int {
		return strings.Compare(a.Name+"/"+a.Version, b.Name+"/"+b.Version)
	})
	return out, nil
}

// ModelStatistics gives the counters of the models that are ready. As in Triton, asking for one that is not is INVALID_ARGUMENT.
func (s *Server) ModelStatistics(ctx context.Context, r *tritonpb.ModelStatisticsRequest) (*tritonpb.ModelStatisticsResponse, error) {
	if s.settings.noStats {
		return nil, status.Error(codes.Unimplemented, "unknown method ModelStatistics")
	}
	if err := s.before(ctx, "ModelStatistics", r.GetName()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &tritonpb.ModelStatisticsResponse{}
	known := false
	for _, m := range s.models {
		if m.state != "READY" || (r.GetName() != "" && r.GetName() != m.name) {
			continue
		}
		known = true
		if r.GetVersion() == "" || r.GetVersion() == m.version {
			out.ModelStats = append(out.ModelStats, proto.CloneOf(m.stats))
		}
	}
	switch {
	case len(out.ModelStats) > 0 || r.GetName() == "":
		return out, nil
	case known:
		return nil, status.Errorf(codes.InvalidArgument, "requested model version is not available for model '%s'", r.GetName())
	}
	return nil, status.Errorf(codes.InvalidArgument, "requested model '%s' is not available", r.GetName())
}

// ModelConfig gives the config that the model was added with.
func (s *Server) ModelConfig(ctx context.Context, r *tritonpb.ModelConfigRequest) (*tritonpb.ModelConfigResponse, error) {
	if err := s.before(ctx, "ModelConfig", r.GetName()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.models {
		if m.name == r.GetName() && (r.GetVersion() == "" || r.GetVersion() == m.version) {
			return &tritonpb.ModelConfigResponse{Config: proto.CloneOf(m.config)}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Request for unknown model: '%s' is not found", r.GetName())
}

// ServerMetadata names the fake.
func (s *Server) ServerMetadata(ctx context.Context, _ *tritonpb.ServerMetadataRequest) (*tritonpb.ServerMetadataResponse, error) {
	return &tritonpb.ServerMetadataResponse{Name: "tritontest", Version: "2.51.0", Extensions: []string{"statistics", "model_configuration", "model_repository"}}, s.before(ctx, "ServerMetadata", "")
}

// ModelMetadata gives names, datatypes and shapes out of the config.
func (s *Server) ModelMetadata(ctx context.Context, r *tritonpb.ModelMetadataRequest) (*tritonpb.ModelMetadataResponse, error) {
	if err := s.before(ctx, "ModelMetadata", r.GetName()); err != nil {
		return nil, err
	}
	var out *tritonpb.ModelMetadataResponse
	s.each(r.GetName(), func(m *model) { out = m.metadata() })
	if out == nil {
		return nil, status.Errorf(codes.NotFound, "Request for unknown model: '%s' is not found", r.GetName())
	}
	return out, nil
}

func (m *model) metadata() *tritonpb.ModelMetadataResponse {
	out := &tritonpb.ModelMetadataResponse{Name: m.name, Versions: []string{m.version}, Platform: m.config.GetPlatform()}
	add := func(name string, d tritonpb.DataType, dims []int64) *tritonpb.ModelMetadataResponse_TensorMetadata {
		if m.config.GetMaxBatchSize() > 0 {
			dims = append([]int64{-1}, dims...)
		}
		dtype := strings.TrimPrefix(d.String(), "TYPE_")
		if dtype == "STRING" {
			dtype = "BYTES"
		}
		return &tritonpb.ModelMetadataResponse_TensorMetadata{Name: name, Datatype: dtype, Shape: dims}
	}
	for _, in := range m.config.GetInput() {
		out.Inputs = append(out.Inputs, add(in.GetName(), in.GetDataType(), in.GetDims()))
	}
	for _, o := range m.config.GetOutput() {
		out.Outputs = append(out.Outputs, add(o.GetName(), o.GetDataType(), o.GetDims()))
	}
	return out
}
