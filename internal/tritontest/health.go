package tritontest

import (
	"context"

	"triton-gateway/tritonpb"
)

// SetReady says what ServerReady answers; true from the start. As in Triton, models may be ready though the server is not.
func (s *Server) SetReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unready = !ready
}

// ServerLive is true.
func (s *Server) ServerLive(ctx context.Context, _ *tritonpb.ServerLiveRequest) (*tritonpb.ServerLiveResponse, error) {
	return &tritonpb.ServerLiveResponse{Live: true}, s.before(ctx, "ServerLive", "")
}

// ServerReady is what SetReady says.
func (s *Server) ServerReady(ctx context.Context, _ *tritonpb.ServerReadyRequest) (*tritonpb.ServerReadyResponse, error) {
	if err := s.before(ctx, "ServerReady", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &tritonpb.ServerReadyResponse{Ready: !s.unready}, nil
}

// ModelReady tells whether a model, or one version of it, is ready. As in Triton, an unknown one is not ready, and that is no error.
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
