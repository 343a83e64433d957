package tritontest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"triton-gateway/tritonpb"
)

// Texts of Triton 2.51.
const controlOff = "explicit model load / unload is not allowed if polling is enabled"

// control is what was asked of one model.
type control struct {
	loads, unloads int
	params         map[string]any // of the last load or unload
}

// WithoutControl refuses to load and unload, as Triton does in the modes none and poll.
func WithoutControl() Option { return func(s *settings) { s.noControl = true } }

// Loads counts the loads that were asked for by RepositoryModelLoad and done.
func (s *Server) Loads(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.control(name).loads
}

// Unloads counts the unloads that were asked for and done.
func (s *Server) Unloads(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.control(name).unloads
}

// ControlParams gives the parameters of the last load or unload of a model: bool, int64, string or []byte.
func (s *Server) ControlParams(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.control(name).params)
}

// control finds or makes the entry. The caller holds the lock.
func (s *Server) control(name string) *control {
	c := s.loads[name]
	if c == nil {
		c = new(control)
		s.loads[name] = c
	}
	return c
}

// RepositoryModelLoad makes every version of a model READY, with counters at zero. It knows the models that [Server.Model] has added. A
// [Fault] of this method makes it fail.
func (s *Server) RepositoryModelLoad(ctx context.Context, r *tritonpb.RepositoryModelLoadRequest) (*tritonpb.RepositoryModelLoadResponse, error) {
	name := r.GetModelName()
	if err := s.controls(ctx, "RepositoryModelLoad", name); err != nil {
		return nil, err
	}
	known, chosen := false, chosenVersions(r)
	s.each(name, func(m *model) {
		known = true
		if chosen != nil && !chosen[m.version] {
			m.state, m.reason = "UNAVAILABLE", "unloaded"
			return
		}
		if chosen != nil && m.state == "READY" {
			return
		}
		m.state, m.reason = "READY", ""
		m.load()
	})
	if !known {
		return nil, status.Errorf(codes.Internal, "failed to load '%s', failed to poll from model repository", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.control(name)
	c.loads++
	c.params = controlParams(r.GetParameters())
	return &tritonpb.RepositoryModelLoadResponse{}, nil
}

// RepositoryModelUnload makes every version of a model UNAVAILABLE. Triton takes names that it does not know.
func (s *Server) RepositoryModelUnload(ctx context.Context, r *tritonpb.RepositoryModelUnloadRequest) (*tritonpb.RepositoryModelUnloadResponse, error) {
	name := r.GetModelName()
	if err := s.controls(ctx, "RepositoryModelUnload", name); err != nil {
		return nil, err
	}
	s.each(name, func(m *model) { m.state, m.reason = "UNAVAILABLE", "unloaded" })
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.control(name)
	c.unloads++
	c.params = controlParams(r.GetParameters())
	return &tritonpb.RepositoryModelUnloadResponse{}, nil
}

func (s *Server) controls(ctx context.Context, method, name string) error {
	if s.settings.noControl {
		return status.Error(codes.Unavailable, controlOff)
	}
	return s.before(ctx, method, name)
}

func controlParams(in map[string]*tritonpb.ModelRepositoryParameter) map[string]any {
	out := make(map[string]any, len(in))
	for key, p := range in {
		switch v := p.GetParameterChoice().(type) {
		case *tritonpb.ModelRepositoryParameter_BoolParam:
			out[key] = v.BoolParam
		case *tritonpb.ModelRepositoryParameter_Int64Param:
			out[key] = v.Int64Param
		case *tritonpb.ModelRepositoryParameter_StringParam:
			out[key] = v.StringParam
		case *tritonpb.ModelRepositoryParameter_BytesParam:
			out[key] = v.BytesParam
		}
	}
	return out
}

// chosenVersions are those that a load's config names in version_policy {specific}; nil where it names none, and all are loaded anew. As in Triton 2.51, one that is loaded stays as
// it is.
func chosenVersions(r *tritonpb.RepositoryModelLoadRequest) map[string]bool {
	config := new(tritonpb.ModelConfig)
	if protojson.Unmarshal([]byte(r.GetParameters()["config"].GetStringParam()), config) != nil {
		return nil
	}
	specific := config.GetVersionPolicy().GetSpecific()
	if specific == nil {
		return nil
	}
	chosen := map[string]bool{}
	for _, v := range specific.GetVersions() {
		chosen[strconv.FormatInt(v, 10)] = true
	}
	return chosen
}

// SetVersions makes just these versions of a model READY, as if the server had come up so.
func (s *Server) SetVersions(name string, versions ...string) {
	s.each(name, func(m *model) {
		switch ready := slices.Contains(versions, m.version); {
		case !ready:
			m.state, m.reason = "UNAVAILABLE", "unloaded"
		case m.state != "READY":
			m.state, m.reason = "READY", ""
			m.load()
		}
	})
}

// Ready lists the versions of a model that are READY, sorted, with + between them.
func (s *Server) Ready(name string) string {
	var list []string
	s.each(name, func(m *model) {
		if m.state == "READY" {
			list = append(list, m.version)
		}
	})
	slices.Sort(list)
	return strings.Join(list, "+")
}
