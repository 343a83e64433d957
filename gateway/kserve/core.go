package kserve

import (
	"context"
	"slices"
	"strings"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
)

// tensorInfo is one input or output in a model's metadata. Its shape has the batch dimension, as -1, where the model has one.
type tensorInfo struct {
	Name, Datatype string
	Shape          []int64
}

// modelInfo is a model's metadata.
type modelInfo struct {
	Name, Platform  string
	Versions        []string
	Inputs, Outputs []tensorInfo
}

// extensions is what the server's metadata lists, by the names that Triton gives them.
func extensions() []string {
	return []string{"classification", "sequence", "model_repository", "model_configuration", "binary_tensor_data", "parameters", "statistics"}
}

// ready is nil if the backend answers. That one model of many is not ready does not count: ask for the model.
func (s *Server) ready() error { return s.Models.Ready() }

// modelReady is nil if the model, or this version of it, can be asked.
func (s *Server) modelReady(model, version string) error {
	m, err := s.Models.Lookup(model)
	if err != nil {
		return err
	}
	_, err = m.Resolve(version)
	return err
}

// metadata describes a model, or one version of it.
func (s *Server) metadata(model, version string) (*modelInfo, error) {
	m, err := s.Models.Lookup(model)
	if err != nil {
		return nil, err
	}
	if _, err = m.Resolve(version); err != nil {
		return nil, err
	}
	info := &modelInfo{Name: m.Name, Platform: m.Config.Platform, Versions: []string{version}}
	if version == "" {
		info.Versions = readyVersions(m)
	}
	batched := m.Config.MaxBatchSize > 0
	for i := range m.Config.Inputs {
		io := &m.Config.Inputs[i]
		info.Inputs = append(info.Inputs, tensorInfo{io.Name, io.DType.String(), shapeOf(io.Dims, batched)})
	}
	for i := range m.Config.Outputs {
		io := &m.Config.Outputs[i]
		info.Outputs = append(info.Outputs, tensorInfo{io.Name, io.DType.String(), shapeOf(io.Dims, batched)})
	}
	return info, nil
}

// readyVersions lists a model's ready versions, lowest first, as Triton does.
func readyVersions(m *catalog.Model) (list []string) {
	for _, v := range m.Versions {
		if v.State == backend.Ready {
			list = append(list, v.Number)
		}
	}
	slices.Reverse(list)
	return list
}

func shapeOf(dims []int64, batched bool) []int64 {
	if batched {
		return append([]int64{-1}, dims...)
	}
	return slices.Clone(dims)
}

// infer runs one request of one response. timings are for Server-Timing.
func (s *Server) infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	passed, err := s.Runner.Pass(ctx, r)
	if err != nil {
		return nil, err
	}
	return passed.Response, nil
}

// statistics gives the counters of a model, of one version of it, or of all where model is "".
func (s *Server) statistics(ctx context.Context, model, version string) ([]backend.Statistics, error) {
	teller, ok := s.Backend.(backend.Teller)
	if !ok {
		return nil, fault.New(fault.Unsupported, "unsupported_model", "this backend keeps no statistics")
	}
	return teller.Statistics(ctx, model, version)
}

// index lists the versions of all models; with ready only those that can be asked.
func (s *Server) index(ready bool) (list []backend.ModelStatus) {
	for _, m := range s.Models.Models() {
		for _, v := range m.Versions {
			if !ready || v.State == backend.Ready {
				list = append(list, backend.ModelStatus{Name: m.Name, Version: v.Number, State: v.State, Reason: v.Reason})
			}
		}
		if len(m.Versions) == 0 && !ready {
			list = append(list, backend.ModelStatus{Name: m.Name, State: backend.Unavailable, Reason: m.Error})
		}
	}
	slices.SortStableFunc(list, func(a, b backend.ModelStatus) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// controller gives what loads models, to admins alone.
func (s *Server) controller(admin bool) (backend.Controller, error) {
	if !admin {
		return nil, fault.New(fault.Forbidden, "forbidden", "models are loaded and unloaded on the admin listener (listen.admin) alone")
	}
	c, ok := s.Backend.(backend.Controller)
	if !ok {
		return nil, fault.New(fault.Unsupported, "unsupported_model", "this backend loads models by itself, from its folder")
	}
	return c, nil
}
