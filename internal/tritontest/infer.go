package tritontest

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// ModelInfer runs a model's Func.
func (s *Server) ModelInfer(ctx context.Context, r *tritonpb.ModelInferRequest) (*tritonpb.ModelInferResponse, error) {
	m, err := s.pick(ctx, "ModelInfer", r)
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
	if m.stream != nil {
		return nil, status.Error(codes.Unimplemented, "ModelInfer RPC doesn't support models with decoupled transaction policy")
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
func (s *Server) pick(ctx context.Context, method string, r *tritonpb.ModelInferRequest) (*model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(ctx, method, r)
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

// run does one call of a model that is not decoupled.
func (s *Server) run(ctx context.Context, m *model, r *tritonpb.ModelInferRequest) (*tritonpb.ModelInferResponse, error) {
	inputs, err := inputsOf(m, r)
	if err != nil {
		return nil, err
	}
	stats := s.statsOf(m)
	start := time.Now()
	if err := m.workers.work(ctx); err != nil {
		return nil, err
	}
	outputs, err := m.run(ctx, inputs)
	s.counted(stats, err == nil, time.Since(start))
	if err != nil {
		return nil, failed(ctx, err)
	}
	return m.answer(r, outputs), nil
}

func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

// statsOf gives the counters of the load that takes a call: what ends after a reload does not count for the next one.
func (s *Server) statsOf(m *model) *tritonpb.ModelStatistics {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.stats
}

func (s *Server) counted(stats *tritonpb.ModelStatistics, ok bool, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(stats, ok, took)
}

func inputsOf(m *model, r *tritonpb.ModelInferRequest) ([]tensor.Tensor, error) {
	if len(r.GetRawInputContents()) != len(r.GetInputs()) {
		return nil, status.Errorf(codes.InvalidArgument, "expected %d inputs but got %d inputs for model '%s'", len(r.GetInputs()), len(r.GetRawInputContents()), m.name)
	}
	var inputs []tensor.Tensor
	for i, in := range r.GetInputs() {
		dtype, _ := tensor.ParseDType(in.GetDatatype())
		t := tensor.Tensor{Name: in.GetName(), DType: dtype, Shape: in.GetShape(), Data: r.GetRawInputContents()[i]}
		if err := t.Validate(); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "[request id: %s] unexpected shape for input '%s': %v", r.GetId(), t.Name, err)
		}
		inputs = append(inputs, t)
	}
	return inputs, nil
}

// answer makes the response of those outputs that were asked for.
func (m *model) answer(r *tritonpb.ModelInferRequest, outputs []tensor.Tensor) *tritonpb.ModelInferResponse {
	answer := &tritonpb.ModelInferResponse{ModelName: m.name, ModelVersion: m.version, Id: r.GetId()}
	for key, value := range m.params {
		setParam(answer, key, value)
	}
	for _, t := range outputs {
		wanted := func(o *tritonpb.ModelInferRequest_InferRequestedOutputTensor) bool { return o.GetName() == t.Name }
		if len(r.GetOutputs()) > 0 && !slices.ContainsFunc(r.GetOutputs(), wanted) {
			continue
		}
		answer.Outputs = append(answer.Outputs, &tritonpb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
		answer.RawOutputContents = append(answer.RawOutputContents, t.Data)
	}
	return answer
}

func setParam(answer *tritonpb.ModelInferResponse, key string, value any) {
	if answer.Parameters == nil {
		answer.Parameters = map[string]*tritonpb.InferParameter{}
	}
	answer.Parameters[key] = param(value)
}
