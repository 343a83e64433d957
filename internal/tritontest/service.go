package tritontest

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// ModelInfer runs a model's Func.
func (s *Server) ModelInfer(ctx context.Context, r *tritonpb.ModelInferRequest) (*tritonpb.ModelInferResponse, error) {
	m, err := s.pick(ctx, r)
	if err != nil {
		return nil, err
	}
	f := s.fault("ModelInfer", m.name)
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if !f.After {
		if err := s.end(f); err != nil {
			return nil, err
		}
	}
	answer, err := s.run(ctx, m, r)
	if err != nil {
		return nil, err
	}
	if f.Spoil != nil {
		f.Spoil(answer)
	}
	return answer, s.end(f)
}

// pick finds the model and counts the call.
func (s *Server) pick(ctx context.Context, r *tritonpb.ModelInferRequest) (*model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		s.headers = append(s.headers, md.Get("x-test")...)
	}
	version := r.GetModelVersion()
	var m *model
	for _, candidate := range s.models {
		if candidate.name == r.GetModelName() && (version == "" || version == candidate.version) && (m == nil || newer(candidate.version, m.version)) {
			m = candidate
		}
	}
	switch {
	case m == nil && version != "":
		return nil, status.Errorf(codes.NotFound, "Request for unknown model: '%s' version %s is not found", r.GetModelName(), version)
	case m == nil:
		return nil, status.Errorf(codes.NotFound, "Request for unknown model: '%s' is not found", r.GetModelName())
	}
	m.calls++
	if m.state != "READY" {
		return nil, status.Errorf(codes.Unavailable, "Request for unknown model: '%s' version %s is not at ready state", m.name, m.version)
	}
	return m, nil
}

func newer(a, b string) bool { return len(a) > len(b) || (len(a) == len(b) && a > b) }

func (s *Server) run(ctx context.Context, m *model, r *tritonpb.ModelInferRequest) (*tritonpb.ModelInferResponse, error) {
	if len(r.GetRawInputContents()) != len(r.GetInputs()) {
		return nil, status.Errorf(codes.InvalidArgument, "expected %d inputs but got %d inputs for model '%s'", len(r.GetInputs()), len(r.GetRawInputContents()), m.name)
	}
	var inputs []tensor.Tensor
	for i, in := range r.GetInputs() {
		dtype, _ := tensor.ParseDType(in.GetDatatype())
		t := tensor.Tensor{Name: in.GetName(), DType: dtype, Shape: in.GetShape(), Data: r.GetRawInputContents()[i]}
		if err := t.Validate(); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "[request id: %s] %v", r.GetId(), err)
		}
		inputs = append(inputs, t)
	}
	s.mu.Lock()
	stats := m.stats // of the load that took the call: what ends after a reload does not count for the next one
	s.mu.Unlock()
	start := time.Now()
	outputs, err := m.run(ctx, inputs)
	s.mu.Lock()
	count(stats, err == nil, time.Since(start))
	s.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	answer := &tritonpb.ModelInferResponse{ModelName: m.name, ModelVersion: m.version, Id: r.GetId()}
	for _, t := range outputs {
		wanted := func(o *tritonpb.ModelInferRequest_InferRequestedOutputTensor) bool { return o.GetName() == t.Name }
		if len(r.GetOutputs()) > 0 && !slices.ContainsFunc(r.GetOutputs(), wanted) {
			continue
		}
		answer.Outputs = append(answer.Outputs, &tritonpb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
		answer.RawOutputContents = append(answer.RawOutputContents, t.Data)
	}
	return answer, nil
}

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

// ModelStatistics gives the counters of the models that are ready.
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
	for _, m := range s.models {
		if m.state == "READY" && (r.GetName() == "" || r.GetName() == m.name) {
			out.ModelStats = append(out.ModelStats, proto.CloneOf(m.stats))
		}
	}
	return out, nil
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

// ModelReady tells whether a model is ready.
func (s *Server) ModelReady(ctx context.Context, r *tritonpb.ModelReadyRequest) (*tritonpb.ModelReadyResponse, error) {
	if err := s.before(ctx, "ModelReady", r.GetName()); err != nil {
		return nil, err
	}
	ready := false
	s.each(r.GetName(), func(m *model) {
		ready = ready || (m.state == "READY" && (r.GetVersion() == "" || r.GetVersion() == m.version))
	})
	return &tritonpb.ModelReadyResponse{Ready: ready}, nil
}

// ServerLive is true.
func (s *Server) ServerLive(ctx context.Context, _ *tritonpb.ServerLiveRequest) (*tritonpb.ServerLiveResponse, error) {
	return &tritonpb.ServerLiveResponse{Live: true}, s.before(ctx, "ServerLive", "")
}

// ServerReady is true.
func (s *Server) ServerReady(ctx context.Context, _ *tritonpb.ServerReadyRequest) (*tritonpb.ServerReadyResponse, error) {
	return &tritonpb.ServerReadyResponse{Ready: true}, s.before(ctx, "ServerReady", "")
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
