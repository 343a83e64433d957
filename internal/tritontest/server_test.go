package tritontest

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, s *Server) tritonpb.GRPCInferenceServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return tritonpb.NewGRPCInferenceServiceClient(conn)
}

func twice(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	if in[0].Data[0] == 255 {
		return nil, errors.New("too much")
	}
	return []tensor.Tensor{{Name: "OUT", DType: tensor.Uint8, Shape: in[0].Shape, Data: []byte{2 * in[0].Data[0]}}, {Name: "REST", DType: tensor.Uint8, Shape: []int64{0}}}, nil
}

func ask(model string, value byte) *tritonpb.ModelInferRequest {
	return &tritonpb.ModelInferRequest{ModelName: model, Inputs: []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "IN", Datatype: "UINT8", Shape: []int64{1}}},
		Outputs: []*tritonpb.ModelInferRequest_InferRequestedOutputTensor{{Name: "OUT"}}, RawInputContents: [][]byte{{value}}}
}

func counts(t *testing.T, c tritonpb.GRPCInferenceServiceClient) (success, fail uint64) {
	t.Helper()
	stats, err := c.ModelStatistics(t.Context(), &tritonpb.ModelStatisticsRequest{Name: "m"})
	if err != nil || len(stats.ModelStats) != 1 {
		t.Fatal(stats, err)
	}
	i := stats.ModelStats[0].InferenceStats
	return i.Success.Count, i.Fail.Count
}

func TestItComputesAndCountsAsTritonDoes(t *testing.T) {
	s := New(t)
	s.Model("m", twice)
	c := dial(t, s)
	got, err := c.ModelInfer(t.Context(), ask("m", 4))
	if err != nil || got.ModelVersion != "1" || len(got.Outputs) != 1 || got.RawOutputContents[0][0] != 8 {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := c.ModelInfer(t.Context(), ask("m", 255)); status.Code(err) != codes.Internal {
		t.Errorf("a model's error is %v", err)
	}
	if _, err := c.ModelInfer(t.Context(), ask("n", 1)); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown model is %v", err)
	}
	bad := ask("m", 1)
	bad.Inputs[0].Shape = []int64{2}
	if _, err := c.ModelInfer(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a wrong shape is %v", err)
	}
	s.Foreign("m", 5)
	if success, fail := counts(t, c); success != 6 || fail != 1 {
		t.Errorf("%d successes, %d failures counted; want 6 and 1", success, fail)
	}
	s.Reload("m")
	if success, fail := counts(t, c); success != 0 || fail != 0 {
		t.Errorf("%d successes, %d failures after a reload", success, fail)
	}
	if s.Calls("m") != 3 {
		t.Errorf("%d calls, want 3", s.Calls("m"))
	}
}

func TestFaultsComeInOrderAndEnd(t *testing.T) {
	s := New(t)
	s.Model("m", twice)
	s.Model("other", twice)
	c := dial(t, s)
	s.Fail(Fault{Model: "m", Times: 1, Code: codes.Unavailable, Text: QueueFull})
	s.Fail(Fault{Times: 1, Code: codes.Internal, Text: "second", After: true})
	for i, want := range []codes.Code{codes.Unavailable, codes.Internal, codes.OK} {
		if _, err := c.ModelInfer(t.Context(), ask("m", 1)); status.Code(err) != want {
			t.Errorf("call %d: %v, want %s", i, err, want)
		}
	}
	if success, _ := counts(t, c); success != 2 {
		t.Errorf("%d counted; the failure after the model ran counts too", success)
	}
	s.Fail(Fault{Method: "RepositoryIndex", Code: codes.Unimplemented})
	if _, err := c.RepositoryIndex(t.Context(), &tritonpb.RepositoryIndexRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
	s.Heal()
	index, err := c.RepositoryIndex(t.Context(), &tritonpb.RepositoryIndexRequest{})
	if err != nil || len(index.Models) != 2 || index.Models[0].Name != "m" {
		t.Errorf("got %v, %v", index, err)
	}
}

func TestKillBreaksRunningCallsAndStartForgetsCounts(t *testing.T) {
	s := New(t)
	started := make(chan struct{}, 1)
	s.Model("m", func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		if in[0].Data[0] == 9 {
			started <- struct{}{}
			<-ctx.Done()
		}
		return twice(ctx, in)
	})
	c := dial(t, s)
	address := s.Addr()
	failed := make(chan error)
	go func() {
		_, err := c.ModelInfer(t.Context(), ask("m", 9))
		failed <- err
	}()
	<-started
	s.Kill()
	if err := <-failed; status.Code(err) != codes.Unavailable {
		t.Errorf("the running call ended with %v", err)
	}
	s.Start()
	if s.Addr() != address {
		t.Errorf("%s became %s", address, s.Addr())
	}
	if _, err := c.ModelInfer(t.Context(), ask("m", 1), grpc.WaitForReady(true)); err != nil {
		t.Error(err)
	}
	if success, _ := counts(t, c); success != 1 {
		t.Errorf("%d counted by the new server", success)
	}
}

func TestMetadataHasTheBatch(t *testing.T) {
	s := New(t)
	s.Model("m", twice, Config(&tritonpb.ModelConfig{Name: "m", MaxBatchSize: 8,
		Input:  []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_STRING, Dims: []int64{3}}},
		Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}), Version("4"))
	got, err := dial(t, s).ModelMetadata(t.Context(), &tritonpb.ModelMetadataRequest{Name: "m"})
	if err != nil || got.Versions[0] != "4" || got.Inputs[0].Datatype != "BYTES" || len(got.Inputs[0].Shape) != 2 || got.Inputs[0].Shape[0] != -1 || got.Outputs[0].Datatype != "FP32" {
		t.Errorf("got %v, %v", got, err)
	}
}
