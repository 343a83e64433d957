package kserve

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/tritonpb"
)

func TestGRPCServerCalls(t *testing.T) {
	r := newRig(t, nil)
	client := r.client(t)
	ctx := call(t)
	if a, err := client.ServerLive(ctx, &tritonpb.ServerLiveRequest{}); err != nil || !a.Live {
		t.Errorf("live: %v, %v", a, err)
	}
	if a, err := client.ServerReady(ctx, &tritonpb.ServerReadyRequest{}); err != nil || !a.Ready {
		t.Errorf("ready: %v, %v", a, err)
	}
	a, err := client.ServerMetadata(ctx, &tritonpb.ServerMetadataRequest{})
	if err != nil || a.Name != "triton-gateway" || a.Version != "9.9" || fmt.Sprint(a.Extensions) != fmt.Sprint(extensions()) {
		t.Errorf("metadata: %v, %v", a, err)
	}
	r.models.set(fault.New(fault.Unavailable, "backend_unavailable", "down"))
	if a, err := client.ServerReady(ctx, &tritonpb.ServerReadyRequest{}); err != nil || a.Ready {
		t.Errorf("ready without a backend: %v, %v", a, err)
	}
}

func TestGRPCModelCalls(t *testing.T) {
	r := newRig(t, nil)
	r.models.list = append(r.models.list, model("two", func(m *catalog.Model) {
		m.Versions = []catalog.Version{{Number: "10", State: backend.Ready}, {Number: "9", State: backend.Loading}, {Number: "2", State: backend.Ready}}
	}))
	client := r.client(t)
	ctx := call(t)
	for name, c := range map[string]struct {
		version string
		ready   bool
		code    codes.Code
	}{"echo": {"", true, 0}, "echo ": {"1", true, 0}, "echo  ": {"2", false, 0}, "echo   ": {"x", false, codes.InvalidArgument}, "nope": {"", false, 0}, "shapes.image": {"1", true, 0},
		"echo.image": {"", false, 0}, "two": {"9", false, 0}} {
		a, err := client.ModelReady(ctx, &tritonpb.ModelReadyRequest{Name: strings.TrimSpace(name), Version: c.version})
		if status.Code(err) != c.code || a.GetReady() != c.ready {
			t.Errorf("%s %q: %v, %v", name, c.version, a, err)
		}
	}
	meta, err := client.ModelMetadata(ctx, &tritonpb.ModelMetadataRequest{Name: "echo"})
	want := &tritonpb.ModelMetadataResponse{Name: "echo", Versions: []string{"1"}, Platform: "python",
		Inputs: []*tritonpb.ModelMetadataResponse_TensorMetadata{{Name: "IN", Datatype: "FP32", Shape: []int64{-1}}}}
	if err != nil || !proto.Equal(meta, want) {
		t.Errorf("metadata: %v, %v; want %v", meta, err, want)
	}
	if meta, err = client.ModelMetadata(ctx, &tritonpb.ModelMetadataRequest{Name: "two"}); err != nil || fmt.Sprint(meta.Versions) != "[2 10]" {
		t.Errorf("versions: %v, %v", meta, err)
	}
	if _, err = client.ModelMetadata(ctx, &tritonpb.ModelMetadataRequest{Name: "nope"}); status.Code(err) != codes.NotFound {
		t.Errorf("metadata of no model: %v", err)
	}
	config, err := client.ModelConfig(ctx, &tritonpb.ModelConfigRequest{Name: "echo"})
	if err != nil || config.GetConfig().GetName() != "echo" {
		t.Errorf("config: %v, %v", config, err)
	}
	if _, err = client.ModelConfig(ctx, &tritonpb.ModelConfigRequest{Name: "echo", Version: "7"}); status.Code(err) != codes.NotFound {
		t.Errorf("config of no version: %v", err)
	}
	index, err := client.RepositoryIndex(ctx, &tritonpb.RepositoryIndexRequest{})
	var lines []string
	for _, m := range index.GetModels() {
		lines = append(lines, m.Name+" "+m.Version+" "+m.State)
	}
	if got := strings.Join(lines, ", "); err != nil || got != "boxes 1 READY, boxes.image 1 READY, echo 1 READY, many 1 READY, shapes 1 READY, shapes.image 1 READY, two 2 READY, two 9 LOADING, two 10 READY" {
		t.Errorf("index: %v, %v", got, err)
	}
	if index, err = client.RepositoryIndex(ctx, &tritonpb.RepositoryIndexRequest{Ready: true}); err != nil || len(index.Models) != 8 {
		t.Errorf("ready models: %v, %v", index, err)
	}
}

func TestGRPCStatistics(t *testing.T) {
	r := newRig(t, nil)
	at := time.UnixMilli(1_700_000_000_123)
	d := func(n uint64) backend.Duration {
		return backend.Duration{Count: n, Total: time.Duration(n) * time.Microsecond}
	}
	r.backend.list = []backend.Statistics{{Model: "echo", Version: "1", LastInference: at, Inferences: 1, Executions: 2, Success: d(3), Fail: d(4), Queue: d(5),
		ComputeInput: d(6), ComputeInfer: d(7), ComputeOutput: d(8), CacheHit: d(9), CacheMiss: d(10),
		Batches:   []backend.BatchStatistics{{Size: 2, ComputeInput: d(11), ComputeInfer: d(12), ComputeOutput: d(13)}},
		Responses: map[string]backend.ResponseStatistics{"0": {ComputeInfer: d(14), ComputeOutput: d(15), Success: d(16), Fail: d(17), EmptyResponse: d(18), Cancel: d(19)}}}}
	w := func(n uint64) *tritonpb.StatisticDuration { return &tritonpb.StatisticDuration{Count: n, Ns: n * 1000} }
	want := &tritonpb.ModelStatistics{Name: "echo", Version: "1", LastInference: 1_700_000_000_123, InferenceCount: 1, ExecutionCount: 2,
		InferenceStats: &tritonpb.InferStatistics{Success: w(3), Fail: w(4), Queue: w(5), ComputeInput: w(6), ComputeInfer: w(7), ComputeOutput: w(8), CacheHit: w(9), CacheMiss: w(10)},
		BatchStats:     []*tritonpb.InferBatchStatistics{{BatchSize: 2, ComputeInput: w(11), ComputeInfer: w(12), ComputeOutput: w(13)}},
		ResponseStats:  map[string]*tritonpb.InferResponseStatistics{"0": {ComputeInfer: w(14), ComputeOutput: w(15), Success: w(16), Fail: w(17), EmptyResponse: w(18), Cancel: w(19)}}}
	client := r.client(t)
	a, err := client.ModelStatistics(call(t), &tritonpb.ModelStatisticsRequest{Name: "echo"})
	if err != nil || len(a.ModelStats) != 1 || !proto.Equal(a.ModelStats[0], want) {
		t.Errorf("got %v, %v; want %v", a, err, want)
	}
	a, err = client.ModelStatistics(call(t), &tritonpb.ModelStatisticsRequest{})
	var names []string
	for _, s := range a.GetModelStats() {
		names = append(names, s.Name)
	}
	if fmt.Sprint(names) != "[boxes.image echo shapes.image]" {
		t.Errorf("all: %v, %v", names, err)
	}
	if _, err = client.ModelStatistics(call(t), &tritonpb.ModelStatisticsRequest{Name: "nope"}); status.Code(err) != codes.NotFound {
		t.Errorf("of no model: %v", err)
	}
}

func TestLoadingIsForAdminsAlone(t *testing.T) {
	r := newRig(t, nil)
	ctx := call(t)
	load := &tritonpb.RepositoryModelLoadRequest{ModelName: "echo", Parameters: map[string]*tritonpb.ModelRepositoryParameter{
		"config": {ParameterChoice: &tritonpb.ModelRepositoryParameter_StringParam{StringParam: "{}"}}, "file:1/m": {ParameterChoice: &tritonpb.ModelRepositoryParameter_BytesParam{BytesParam: []byte{1}}}}}
	unload := &tritonpb.RepositoryModelUnloadRequest{ModelName: "echo", Parameters: map[string]*tritonpb.ModelRepositoryParameter{
		"unload_dependents": {ParameterChoice: &tritonpb.ModelRepositoryParameter_BoolParam{BoolParam: true}}}}
	client := r.client(t)
	_, err := client.RepositoryModelLoad(ctx, load)
	_, err2 := client.RepositoryModelUnload(ctx, unload)
	if status.Code(err) != codes.PermissionDenied || status.Code(err2) != codes.PermissionDenied || len(r.backend.loaded) != 0 {
		t.Errorf("callers: %v, %v, %v", err, err2, r.backend.loaded)
	}
	admin := tritonpb.NewGRPCInferenceServiceClient(dial(t, r.serve(t, true)))
	if _, err = admin.RepositoryModelLoad(ctx, load); err != nil {
		t.Error(err)
	}
	if _, err = admin.RepositoryModelUnload(ctx, unload); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(r.backend.loaded, r.backend.params) != "[+echo -echo] [map[config:{} file:1/m:[1]] map[dependents:true]]" {
		t.Errorf("got %v %v", r.backend.loaded, r.backend.params)
	}
	r.backend.err = fault.New(fault.Conflict, "replica_failed", "1 of 2 servers failed")
	if _, err = admin.RepositoryModelLoad(ctx, load); status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "1 of 2 servers failed") {
		t.Errorf("partial failure: %v", err)
	}
	load.ModelName = "shapes.image"
	if _, err = admin.RepositoryModelLoad(ctx, load); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "'shapes'") {
		t.Errorf("an image model: %v", err)
	}
}

func TestCallsIntoTheServersMachineAreRefused(t *testing.T) {
	r := newRig(t, nil)
	for admin, want := range map[bool]codes.Code{false: codes.PermissionDenied, true: codes.Unimplemented} {
		c := tritonpb.NewGRPCInferenceServiceClient(dial(t, r.serve(t, admin)))
		ctx := call(t)
		_, e1 := c.SystemSharedMemoryStatus(ctx, &tritonpb.SystemSharedMemoryStatusRequest{})
		_, e2 := c.SystemSharedMemoryRegister(ctx, &tritonpb.SystemSharedMemoryRegisterRequest{})
		_, e3 := c.SystemSharedMemoryUnregister(ctx, &tritonpb.SystemSharedMemoryUnregisterRequest{})
		_, e4 := c.CudaSharedMemoryStatus(ctx, &tritonpb.CudaSharedMemoryStatusRequest{})
		_, e5 := c.CudaSharedMemoryRegister(ctx, &tritonpb.CudaSharedMemoryRegisterRequest{})
		_, e6 := c.CudaSharedMemoryUnregister(ctx, &tritonpb.CudaSharedMemoryUnregisterRequest{})
		_, e7 := c.TraceSetting(ctx, &tritonpb.TraceSettingRequest{})
		_, e8 := c.LogSettings(ctx, &tritonpb.LogSettingsRequest{})
		for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8} {
			if status.Code(err) != want || !strings.Contains(err.Error(), "gateway") {
				t.Errorf("admin %v, call %d: %v", admin, i, err)
			}
		}
	}
}

func TestGRPCDeadlines(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Limits.Timeout = 10 * time.Minute })
	var left time.Duration
	r.runner.pass = func(ctx context.Context, q *backend.Request) (*pipeline.Passed, error) {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	client := r.client(t)
	for timeout, most := range map[time.Duration]time.Duration{0: 10 * time.Minute, time.Hour: 10 * time.Minute, 3 * time.Minute: 3 * time.Minute} {
		ctx, cancel := context.WithCancel(t.Context())
		if timeout > 0 {
			ctx, cancel = context.WithTimeout(t.Context(), timeout)
		}
		if _, err := client.ModelInfer(ctx, numbered("echo", "a")); err != nil || left > most || left < most/2 {
			t.Errorf("caller's timeout %v: %v are left, %v; want %v", timeout, left, err, most)
		}
		cancel()
	}
}

func TestGRPCCallsAreObserved(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	r := newRig(t, func(d *Deps) {
		d.Observe = func(_ context.Context, protocol, method, model string, code Code, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprintf("%s %s %q %v", protocol, method, model, codes.Code(code.GRPC)))
			if took <= 0 {
				t.Error("no time")
			}
		}
	})
	client := r.client(t)
	ctx := call(t)
	for i, one := range []func(){
		func() { _, _ = client.ModelInfer(ctx, numbered("echo", "a")) }, func() { _, _ = client.ModelInfer(ctx, numbered("made up", "a")) },
		func() { _, _ = client.ModelReady(ctx, &tritonpb.ModelReadyRequest{Name: "echo"}) },
		func() {
			_, _ = client.RepositoryModelLoad(ctx, &tritonpb.RepositoryModelLoadRequest{ModelName: "echo"})
		},
	} {
		one()
		parts.Until(t, "it is observed", time.Minute, func() bool { // which is after its answer
			mu.Lock()
			defer mu.Unlock()
			return len(seen) > i
		})
	}
	mu.Lock()
	defer mu.Unlock()
	want := `[grpc ModelInfer "echo" OK grpc ModelInfer "" NotFound grpc ModelReady "echo" OK grpc RepositoryModelLoad "echo" PermissionDenied]`
	if fmt.Sprint(seen) != want {
		t.Errorf("got %v, want %v", seen, want)
	}
}

func TestMessagesAreBoundedInflatedOnesToo(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Limits.Message = 1 << 20 })
	client := r.client(t)
	big := raw(ask(input("IN", "UINT8", 2<<20)), make([]byte, 2<<20))
	for name, options := range map[string][]grpc.CallOption{"plain": nil, "gzip": {grpc.UseCompressor("gzip")}, "deflate": {grpc.UseCompressor("deflate")}} {
		_, err := client.ModelInfer(call(t), big, options...)
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s, too large: %v", name, err)
		}
		got, err := client.ModelInfer(call(t), raw(ask(input("IN", "UINT8", 1000)), bytes.Repeat([]byte{3}, 1000)), options...)
		if err != nil || !bytes.Equal(got.RawOutputContents[0], bytes.Repeat([]byte{3}, 1000)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if encoding.GetCompressor("gzip") == nil {
		t.Error("no gzip")
	}
}
