package gateway

import (
	"context"

	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/telemetry"
	"triton-gateway/internal/fault"
)

// attempt begins the span of one try of an inference on one Triton: a retry or a hedge is another.
func (m *metrics) attempt(ctx context.Context, endpoint string) (context.Context, func(error)) {
	ctx, span := m.tracer.Start(ctx, "triton", telemetry.Client)
	if !span.Recording() {
		return ctx, func(error) {}
	}
	span.Set(telemetry.String("rpc.system.name", "grpc"), telemetry.String("server.address", endpoint))
	return ctx, span.End
}

// trace begins the span of a gRPC call; it is what package kserve traces with. Names and attributes are those of OpenTelemetry's semantic
// conventions for RPC.
func (m *metrics) trace(ctx context.Context, method string, header func(string) string) (context.Context, func(kserve.Code, string)) {
	ctx, span := m.tracer.Start(telemetry.Extract(ctx, header), "inference.GRPCInferenceService/"+method, telemetry.Server)
	if !span.Recording() {
		return ctx, nil
	}
	span.Set(telemetry.String("rpc.system.name", "grpc"), telemetry.String("rpc.service", "inference.GRPCInferenceService"), telemetry.String("rpc.method", method))
	return ctx, func(code kserve.Code, text string) {
		name := "UNKNOWN"
		if int(code.GRPC) < len(grpcCodes) {
			name = grpcCodes[code.GRPC]
		}
		span.Set(telemetry.String("rpc.response.status_code", name))
		var err error
		switch name {
		case "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS": // the others are the caller's
			err = fault.New(fault.Upstream, name, "%s", text)
		}
		span.End(err)
	}
}
