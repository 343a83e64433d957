package kserve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
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

// ready is nil if the backend answers and no end is near. That one model of many is not ready does not count: ask for the model.
func (s *Server) ready() error {
	if s.isDraining() {
		return fault.New(fault.Draining, "draining", "the gateway is shutting down")
	}
	return s.Models.Ready()
}

// target is what a caller names: a model of the catalog, or the image model over one.
type target struct {
	*catalog.Model
	name   string              // as the caller says it
	config *modelconfig.Config // the image model's own where image is true
	image  bool
}

// target finds what a caller names. A model of the catalog comes before an image model of the same name.
func (s *Server) target(name string) (target, error) {
	if base, ok := strings.CutSuffix(name, imageSuffix); ok && !s.listed(name) {
		if m, err := s.Models.Lookup(base); err == nil && takesPictures(m) {
			return target{m, name, s.images.config(m), true}, nil
		} else if err != nil && fault.KindOf(err) != fault.NotFound {
			return target{}, err
		}
	}
	m, err := s.Models.Lookup(name)
	if err != nil {
		return target{}, err
	}
	return target{m, name, m.Config, false}, nil
}

// listed reports whether the catalog has a model of that name.
func (s *Server) listed(name string) bool {
	_, found := slices.BinarySearchFunc(s.Models.Models(), name, func(m *catalog.Model, name string) int { return strings.Compare(m.Name, name) })
	return found
}

// modelReady is nil if the model, or this version of it, can be asked.
func (s *Server) modelReady(model, version string) error {
	t, err := s.target(model)
	if err != nil {
		return err
	}
	_, err = t.Resolve(version)
	return err
}

// configuration gives a model's config. Its Wire is for gRPC, its JSON for HTTP.
func (s *Server) configuration(model, version string) (*modelconfig.Config, error) {
	t, err := s.target(model)
	if err != nil {
		return nil, err
	}
	if _, err = t.Resolve(version); err != nil {
		return nil, err
	}
	return t.config, nil
}

// metadata describes a model, or one version of it.
func (s *Server) metadata(model, version string) (*modelInfo, error) {
	t, err := s.target(model)
	if err != nil {
		return nil, err
	}
	if _, err = t.Resolve(version); err != nil {
		return nil, err
	}
	info := &modelInfo{Name: t.name, Platform: t.config.Platform, Versions: []string{version}}
	if info.Platform == "" {
		info.Platform = t.config.Backend // as Triton does
	}
	if version == "" {
		info.Versions = readyVersions(t.Model)
	}
	batched := t.config.MaxBatchSize > 0
	for i := range t.config.Inputs {
		io := &t.config.Inputs[i]
		info.Inputs = append(info.Inputs, tensorInfo{io.Name, io.DType.String(), shapeOf(io.Dims, batched)})
	}
	for i := range t.config.Outputs {
		io := &t.config.Outputs[i]
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

// infer runs one request that has one response. The request's parameters have been checked by checkParams. Errors are for blame.
func (s *Server) infer(ctx context.Context, r *backend.Request) (*pipeline.Passed, error) {
	t, err := s.target(r.Model)
	if err != nil {
		return nil, err
	}
	if t.Source == catalog.FromRoute {
		ctx = withMetadata(ctx)
	}
	if t.image {
		return s.inferImages(ctx, t, r)
	}
	if t.config.Decoupled {
		return nil, fault.New(fault.Unsupported, "unsupported_model", "ModelInfer RPC doesn't support models with decoupled transaction policy")
	}
	return s.Runner.Pass(ctx, r)
}

// blame gives the error that the caller of KServe has to see. A backend says Contract where a model refused its tensors, since the gateway made them; here
// the caller did, so what the model says of them counts: the Invalid fault in its cause, in Triton's words. So does what a model that failed says.
func blame(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Contract && f.Kind != fault.Upstream {
		return err
	}
	words := fault.Invalid
	if f.Kind == fault.Upstream {
		words = fault.Upstream
	}
	for cause := f.Err; errors.As(cause, &f); cause = f.Err {
		if f.Kind == words {
			return f
		}
	}
	return err
}

// failure is what the caller is told of an error.
func (s *Server) failure(err error) (code Code, text string, retryAfter time.Duration) {
	return s.Codes(blame(err))
}

// statistics gives the counters of a model, of one version of it, or of all where model is "".
func (s *Server) statistics(ctx context.Context, model, version string) ([]backend.Statistics, error) {
	teller, ok := s.Backend.(backend.Teller)
	if model != "" {
		t, err := s.target(model)
		switch {
		case err != nil:
			return nil, err
		case t.image:
			return s.images.statistics(t, version)
		case t.Source == catalog.FromRoute || t.Source == catalog.FromGraph:
			return nil, noStatistics(&t)
		}
	}
	if !ok {
		if model == "" {
			return s.allImages(nil), nil
		}
		return nil, fault.New(fault.Unsupported, "unsupported_model", "this backend keeps no statistics")
	}
	list, err := teller.Statistics(ctx, model, version)
	if err != nil || model != "" {
		return list, err
	}
	return s.allImages(list), nil
}

// noStatistics refuses what runs nothing itself: Triton's counters are those of a model's version.
func noStatistics(t *target) error {
	where := "GET /v1/routes/" + clip(t.Name) + " names them"
	if t.Source == catalog.FromGraph {
		where = "its file names them"
	}
	f := fault.New(fault.Invalid, "invalid_request", "'%s' is a %s and has no statistics of its own: ask for those of its models (%s), or look at /metrics", clip(t.name), t.Source, where)
	return f.At("path.model", "a "+t.Source)
}

// index lists the versions of all models by name, lowest first, an image model after the model that it is over; with ready only those that can be asked.
func (s *Server) index(ready bool) (list []backend.ModelStatus) {
	for _, m := range s.Models.Models() {
		names := []string{m.Name}
		if image := m.Name + imageSuffix; takesPictures(m) && !s.listed(image) {
			names = append(names, image)
		}
		for _, name := range names {
			for _, v := range slices.Backward(m.Versions) {
				if !ready || v.State == backend.Ready {
					list = append(list, backend.ModelStatus{Name: name, Version: v.Number, State: v.State, Reason: v.Reason})
				}
			}
			if len(m.Versions) == 0 && !ready {
				list = append(list, backend.ModelStatus{Name: name, State: backend.Unavailable, Reason: m.Error})
			}
		}
	}
	return list
}

// controller gives what loads models, to admins alone.
func (s *Server) controller(admin bool) (backend.Controller, error) {
	if !admin {
		return nil, fault.New(fault.Forbidden, "forbidden", "models are loaded and unloaded on the admin listener (listen.admin), or with a key of scope admin")
	}
	c, ok := s.Backend.(backend.Controller)
	if !ok {
		return nil, fault.New(fault.Unsupported, "unsupported_model", "this backend loads models by itself, from its folder")
	}
	if s.Audit == nil {
		return c, nil
	}
	return audited{c, s.Audit}, nil
}
