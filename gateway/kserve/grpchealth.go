package kserve

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"triton-gateway/tritonpb"
)

// watchEvery is how often a watcher looks whether the backend still answers; a drain is told at once.
const watchEvery = 500 * time.Millisecond

// health is grpc.health.v1: SERVING while the backend answers and no end is near, as a whole ("") and for the inference service.
type health struct {
	healthgrpc.UnimplementedHealthServer
	*Server
}

func (h *health) now() healthgrpc.HealthCheckResponse_ServingStatus {
	if h.ready() != nil {
		return healthgrpc.HealthCheckResponse_NOT_SERVING
	}
	return healthgrpc.HealthCheckResponse_SERVING
}

func knownService(name string) bool {
	return name == "" || name == tritonpb.GRPCInferenceService_ServiceDesc.ServiceName
}

// Check tells the state. A service that there is not is NOT_FOUND.
func (h *health) Check(_ context.Context, r *healthgrpc.HealthCheckRequest) (*healthgrpc.HealthCheckResponse, error) {
	if !knownService(r.GetService()) {
		return nil, status.Errorf(codes.NotFound, "there is no service '%s' here", clip(r.GetService()))
	}
	return &healthgrpc.HealthCheckResponse{Status: h.now()}, nil
}

// List tells the state of all services.
func (h *health) List(context.Context, *healthgrpc.HealthListRequest) (*healthgrpc.HealthListResponse, error) {
	one := &healthgrpc.HealthCheckResponse{Status: h.now()}
	return &healthgrpc.HealthListResponse{Statuses: map[string]*healthgrpc.HealthCheckResponse{
		"": one, tritonpb.GRPCInferenceService_ServiceDesc.ServiceName: one}}, nil
}

// Watch tells the state, and every change of it, until the caller leaves or the server stops.
func (h *health) Watch(r *healthgrpc.HealthCheckRequest, stream healthgrpc.Health_WatchServer) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	draining := h.servers.draining
	last := healthgrpc.HealthCheckResponse_ServingStatus(-1)
	for {
		now := healthgrpc.HealthCheckResponse_SERVICE_UNKNOWN
		if knownService(r.GetService()) {
			now = h.now()
		}
		if now != last {
			if err := stream.Send(&healthgrpc.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-draining:
			draining = nil // told once
		case <-h.servers.stopping:
			return status.Error(codes.Unavailable, "the gateway is shutting down")
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
