package gateway

import (
	"testing"

	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/route"
	"triton-gateway/tritonpb"
)

// TestARouteOverGRPC: rules see the metadata, the answer has the route's name and the version that answered, and a version of a route is refused.
func TestARouteOverGRPC(t *testing.T) {
	r := newRouteRig(t, func(c *Config) {
		c.Listen.GRPC = "127.0.0.1:0"
		spec := shapesAB(1)
		spec.Rules = []route.Rule{{When: route.When{Header: map[string]string{"X-Canary": "yes"}}, Use: route.Target{Model: "shapes", Version: "2"}}}
		c.Routes = Routes{"shapes-ab": spec}
	})
	conn, err := grpc.NewClient(r.grpc.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	canary := metadata.AppendToOutgoingContext(t.Context(), "x-canary", "yes")
	request := func(version string) *tritonpb.ModelInferRequest {
		return &tritonpb.ModelInferRequest{ModelName: "shapes-ab", ModelVersion: version,
			Inputs:           []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 3, 64, 64}}},
			RawInputContents: [][]byte{make([]byte, 4*3*64*64)}}
	}
	var trailer metadata.MD
	plain, err := client.ModelInfer(t.Context(), request(""), grpc.Trailer(&trailer))
	if got := trailer.Get("x-route"); len(got) != 1 || got[0] != "shapes/1; reason=weight; route=shapes-ab" {
		t.Errorf("x-route %q", got)
	}
	if err != nil || plain.GetModelName() != "shapes-ab" || plain.GetModelVersion() != "1" {
		t.Errorf("%s/%s %v", plain.GetModelName(), plain.GetModelVersion(), err)
	}
	ruled, err := client.ModelInfer(canary, request(""))
	if err != nil || ruled.GetModelVersion() != "2" {
		t.Errorf("with the metadata: version %s, %v", ruled.GetModelVersion(), err)
	}
	if _, err := client.ModelInfer(t.Context(), request("1")); status.Code(err) != grpccodes.InvalidArgument {
		t.Errorf("%v", err)
	}
	stream, err := client.ModelStreamInfer(canary)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(request("")); err != nil {
		t.Fatal(err)
	}
	one, err := stream.Recv()
	if err != nil || one.GetErrorMessage() != "" || one.GetInferResponse().GetModelVersion() != "2" {
		t.Errorf("on a stream: %v %v", one, err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	ready, err := client.ModelReady(t.Context(), &tritonpb.ModelReadyRequest{Name: "shapes-ab"})
	if err != nil || !ready.GetReady() {
		t.Errorf("%v %v", ready, err)
	}
}
