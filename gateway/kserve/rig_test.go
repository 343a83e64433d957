package kserve

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// fakeRunner answers as the test says; without a word, a request's inputs come back as outputs, copied, as a backend's outputs are.
type fakeRunner struct {
	pass   func(ctx context.Context, r *backend.Request) (*pipeline.Passed, error)
	stream func(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error
	run    func(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)
	admit  func(ctx context.Context, model, version string, body int64) (func(), error)
}

func (f *fakeRunner) Pass(ctx context.Context, r *backend.Request) (*pipeline.Passed, error) {
	if f.pass != nil {
		return f.pass(ctx, r)
	}
	if err := sound(r); err != nil {
		return nil, err
	}
	return &pipeline.Passed{Response: echo(r)}, nil
}

// sound is what the pipeline checks in Pass, as far as it needs no config.
func sound(r *backend.Request) error {
	for i := range r.Inputs {
		if err := r.Inputs[i].Validate(); err != nil {
			return invalid("inputs", "%v", err)
		}
	}
	return nil
}

func echo(r *backend.Request) *backend.Response {
	out := &backend.Response{Version: "1"}
	for i := range r.Inputs {
		t := r.Inputs[i]
		t.Data = slices.Clone(t.Data)
		out.Outputs = append(out.Outputs, t)
	}
	return out
}

func (f *fakeRunner) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	return f.stream(ctx, r, emit)
}

func (f *fakeRunner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return f.run(ctx, r)
}

func (f *fakeRunner) Admit(ctx context.Context, model, version string, body int64) (func(), error) {
	if f.admit != nil {
		return f.admit(ctx, model, version, body)
	}
	return func() {}, nil
}

// fakeModels is a catalog.
type fakeModels struct {
	mu   sync.Mutex
	list []*catalog.Model
	down error
}

func (f *fakeModels) Models() []*catalog.Model {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

func (f *fakeModels) Lookup(name string) (*catalog.Model, error) {
	for _, m := range f.Models() {
		if m.Name == name {
			if m.Error != "" {
				return nil, fault.New(fault.Unavailable, "backend_unavailable", "model %q cannot be served", name)
			}
			return m, nil
		}
	}
	return nil, fault.New(fault.NotFound, "model_not_found", "there is no model %q", name)
}

func (f *fakeModels) Ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down
}

func (f *fakeModels) set(down error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// fakeBackend keeps no more than what is optional.
type fakeBackend struct {
	backend.Backend
	mu     sync.Mutex
	loaded []string
	params []map[string]any
	list   []backend.Statistics
	err    error
}

func (b *fakeBackend) Statistics(_ context.Context, model, _ string) (out []backend.Statistics, err error) {
	for _, s := range b.list {
		if model == "" || s.Model == model {
			out = append(out, s)
		}
	}
	return out, b.err
}

func (b *fakeBackend) Load(_ context.Context, model string, params map[string]any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded, b.params = append(b.loaded, "+"+model), append(b.params, params)
	return b.err
}

func (b *fakeBackend) Unload(_ context.Context, model string, dependents bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded, b.params = append(b.loaded, "-"+model), append(b.params, map[string]any{"dependents": dependents})
	return b.err
}

// tableOf is a table of failures as the gateway has one.
func tableOf(err error) (Code, string, time.Duration) {
	kinds := map[fault.Kind]codes.Code{fault.Invalid: codes.InvalidArgument, fault.NotFound: codes.NotFound, fault.Busy: codes.ResourceExhausted,
		fault.Unavailable: codes.Unavailable, fault.Draining: codes.Unavailable, fault.Timeout: codes.DeadlineExceeded, fault.Canceled: codes.Canceled,
		fault.Forbidden: codes.PermissionDenied, fault.Unsupported: codes.Unimplemented, fault.Contract: codes.Internal, fault.Upstream: codes.Internal,
		fault.TooLarge: codes.ResourceExhausted, fault.Conflict: codes.Aborted}
	for _, e := range []error{context.Canceled, context.DeadlineExceeded} {
		if err == e {
			return Code{GRPC: uint32(map[error]codes.Code{context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded}[e])}, e.Error(), 0
		}
	}
	var f *fault.Error
	f, ok := err.(*fault.Error)
	if !ok || f.Kind == fault.Internal {
		return Code{500, uint32(codes.Internal)}, "the gateway failed", 0
	}
	return Code{GRPC: uint32(kinds[f.Kind])}, f.Detail, f.RetryAfter
}

// model is a ready model of version 1.
func model(name string, change func(*catalog.Model)) *catalog.Model {
	m := &catalog.Model{Name: name, Spec: &task.Spec{Task: task.Raw}, Config: &modelconfig.Config{Name: name, Backend: "python"},
		Versions: []catalog.Version{{Number: "1", State: backend.Ready, Epoch: "e1"}}}
	if change != nil {
		change(m)
	}
	return m
}

func pictureModel(name string, t task.Name) *catalog.Model {
	return model(name, func(m *catalog.Model) { m.Spec = &task.Spec{Task: t, Preprocess: &task.Preprocess{}} })
}

// rig is a server with fakes around it.
type rig struct {
	*Server
	runner  *fakeRunner
	models  *fakeModels
	backend *fakeBackend
}

func newRig(tb testing.TB, change func(*Deps)) *rig {
	r := &rig{runner: &fakeRunner{}, backend: &fakeBackend{}, models: &fakeModels{list: []*catalog.Model{
		pictureModel("boxes", task.ObjectDetection),
		model("echo", func(m *catalog.Model) {
			m.Config.Inputs = []modelconfig.IO{{Name: "IN", DType: tensor.FP32, Dims: []int64{-1}}}
		}),
		model("many", func(m *catalog.Model) { m.Config.Decoupled = true }),
		pictureModel("shapes", task.ImageClassification),
	}}}
	d := Deps{Runner: r.runner, Models: r.models, Backend: r.backend, Codes: tableOf, Version: "9.9", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: Limits{Message: 8 << 20, Timeout: time.Minute, Streams: 100, Inputs: 64}}
	if change != nil {
		change(&d)
	}
	r.Server = New(d)
	r.buffers.poison = true
	return r
}

// serve listens on a free port until the test ends.
func (r *rig) serve(tb testing.TB, admin bool) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.ServeGRPC(l, admin) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			tb.Errorf("shutdown: %v", err)
		}
		if err := <-ended; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func dial(tb testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient(address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// client serves and gives a client of the generated code.
func (r *rig) client(tb testing.TB) tritonpb.GRPCInferenceServiceClient {
	tb.Helper()
	return tritonpb.NewGRPCInferenceServiceClient(dial(tb, r.serve(tb, false)))
}

// call is a context that ends with the test, or before.
func call(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

// ask is a request of model echo.
func ask(inputs ...*tritonpb.ModelInferRequest_InferInputTensor) *tritonpb.ModelInferRequest {
	return &tritonpb.ModelInferRequest{ModelName: "echo", Id: "i7", Inputs: inputs}
}

func input(name, dtype string, shape ...int64) *tritonpb.ModelInferRequest_InferInputTensor {
	return &tritonpb.ModelInferRequest_InferInputTensor{Name: name, Datatype: dtype, Shape: shape}
}

func raw(r *tritonpb.ModelInferRequest, data ...[]byte) *tritonpb.ModelInferRequest {
	r.RawInputContents = data
	return r
}

func param(v any) *tritonpb.InferParameter {
	switch v := v.(type) {
	case bool:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_BoolParam{BoolParam: v}}
	case int64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: v}}
	case uint64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_Uint64Param{Uint64Param: v}}
	case float64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_DoubleParam{DoubleParam: v}}
	case string:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_StringParam{StringParam: v}}
	}
	return &tritonpb.InferParameter{}
}
