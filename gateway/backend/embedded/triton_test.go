//go:build cgo

package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// echoConfig is the config of the model echo, which gives back [batch, n] of every datatype that NumPy has.
func echoConfig() (text string, kinds []tensor.DType) {
	text = `backend: "onnxruntime" max_batch_size: 32 instance_group { count: 1 kind: KIND_CPU }` + "\n"
	for d := tensor.Bool; d <= tensor.Bytes; d++ {
		if d == tensor.BF16 {
			continue
		}
		kinds = append(kinds, d)
		kind, name := "TYPE_"+d.String(), strings.ToLower(d.String())
		if d == tensor.Bytes {
			kind = "TYPE_STRING"
		}
		text += fmt.Sprintf("input { name: \"in_%s\" data_type: %s dims: [-1] }\noutput { name: \"out_%s\" data_type: %s dims: [-1] label_filename: \"labels.txt\" }\n", name, kind, name, kind)
	}
	return text, kinds
}

// echo makes a request with batch x n random elements of every datatype.
func echo(random *rand.Rand, kinds []tensor.DType, batch, n int) *backend.Request {
	r := ask("echo", "1")
	for _, d := range kinds {
		t := tensor.Tensor{Name: "in_" + strings.ToLower(d.String()), DType: d, Shape: []int64{int64(batch), int64(n)}, Data: []byte{}}
		for range batch * n {
			switch d {
			case tensor.Bytes:
				text := strings.Repeat("ü", random.IntN(4)) + fmt.Sprint(random.IntN(1000))
				t.Data = append(binary.LittleEndian.AppendUint32(t.Data, uint32(len(text))), text...)
			case tensor.Bool:
				t.Data = append(t.Data, byte(random.IntN(2)))
			case tensor.FP32:
				t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(random.NormFloat64())))
			case tensor.FP64:
				t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(random.NormFloat64()*1e6))
			case tensor.FP16:
				t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(random.IntN(0x7c00)))
			case tensor.BF16:
				t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(random.IntN(0x7f80)))
			default:
				var b [8]byte
				binary.LittleEndian.PutUint64(b[:], random.Uint64())
				t.Data = append(t.Data, b[:d.Size()]...)
			}
		}
		r.Inputs = append(r.Inputs, t)
	}
	return r
}

// twin is the same model repository served by a Triton and by the engine.
type twin struct {
	*Engine
	client tritonpb.GRPCInferenceServiceClient
}

// newTwin serves echo and the demo model iris.
func newTwin(t *testing.T) (*twin, []tensor.DType) {
	dir := t.TempDir()
	config, kinds := echoConfig()
	put(t, dir, "echo/1/model.onnx", read(t, "echo.onnx"))
	put(t, dir, "echo/config.pbtxt", []byte(config))
	put(t, dir, "echo/labels.txt", []byte("zero\n\ntwo: two\r\nthree"))
	for _, name := range []string{"config.pbtxt", "labels.txt", "1/model.onnx"} {
		put(t, dir, "iris/"+name, read(t, filepath.Join("..", "..", "..", "..", "model_repository", "iris", name)))
	}
	server := parts.Triton(t, dir)
	conn, err := grpc.NewClient(server.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &twin{start(t, dir), tritonpb.NewGRPCInferenceServiceClient(conn)}, kinds
}

// triton asks Triton.
func (w *twin) triton(t *testing.T, r *backend.Request) ([]tensor.Tensor, error) {
	m := &tritonpb.ModelInferRequest{ModelName: r.Model, ModelVersion: r.Version, Id: r.ID}
	for i := range r.Inputs {
		t := &r.Inputs[i]
		m.Inputs = append(m.Inputs, &tritonpb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
		m.RawInputContents = append(m.RawInputContents, t.Data)
	}
	for _, o := range r.Outputs {
		out := &tritonpb.ModelInferRequest_InferRequestedOutputTensor{Name: o.Name}
		if o.Classes > 0 {
			out.Parameters = map[string]*tritonpb.InferParameter{"classification": {ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: o.Classes}}}
		}
		m.Outputs = append(m.Outputs, out)
	}
	answer, err := w.client.ModelInfer(t.Context(), m)
	if err != nil {
		return nil, err
	}
	var list []tensor.Tensor
	for i, o := range answer.Outputs {
		d, _ := tensor.ParseDType(o.Datatype)
		list = append(list, tensor.Tensor{Name: o.Name, DType: d, Shape: o.Shape, Data: answer.RawOutputContents[i]})
	}
	return list, nil
}

// same asks both and compares the answers by the outputs' names.
func (w *twin) same(t *testing.T, r *backend.Request) {
	t.Helper()
	want, err := w.triton(t, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Infer(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Outputs) != len(want) {
		t.Fatalf("%d outputs, want %d", len(got.Outputs), len(want))
	}
	for _, o := range want {
		k := slices.IndexFunc(got.Outputs, func(g tensor.Tensor) bool { return g.Name == o.Name })
		if k < 0 {
			t.Fatalf("no output %s", o.Name)
		}
		if g := got.Outputs[k]; g.DType != o.DType || !slices.Equal(g.Shape, o.Shape) || !bytes.Equal(g.Data, o.Data) {
			t.Errorf("%s: got %s %v %q, want %s %v %q", o.Name, g.DType, g.Shape, g.Data, o.DType, o.Shape, o.Data)
		}
	}
	if len(r.Outputs) > 0 && got.Outputs[0].Name != r.Outputs[0].Name {
		t.Errorf("the first output is %s, asked for %s", got.Outputs[0].Name, r.Outputs[0].Name)
	}
}

// TestAnswersAreTritons: the engine answers byte for byte what a Triton answers on the same repository.
func TestAnswersAreTritons(t *testing.T) {
	w, kinds := newTwin(t)
	random := rand.New(rand.NewPCG(1, 2))
	for batch := 1; batch <= 32; batch++ {
		w.same(t, echo(random, kinds, batch, 3))
	}
	w.same(t, echo(random, kinds, 1, 1))
	w.same(t, echo(random, kinds, 2, 0)) // no elements at all

	r := echo(random, kinds, 2, 3)
	r.Outputs = []backend.Output{{Name: "out_uint8"}, {Name: "out_bytes"}, {Name: "out_bool"}}
	w.same(t, r)

	for _, d := range kinds {
		if !backend.Ranks(d) {
			continue
		}
		name := "out_" + strings.ToLower(d.String())
		for _, count := range []int64{1, 2, 5, 100} {
			for batch := 1; batch <= 3; batch++ {
				r := echo(random, kinds, batch, 5)
				r.Outputs = []backend.Output{{Name: name, Classes: count}, {Name: "out_bool"}}
				w.same(t, r)
			}
		}
		r := echo(random, kinds, 2, 40)
		r.Outputs = []backend.Output{{Name: name, Classes: 40}}
		if d.Size() > 1 { // without equals among them
			w.same(t, r)
		}
		r = echo(random, kinds, 2, 0)
		r.Outputs = []backend.Output{{Name: name, Classes: 3}}
		w.same(t, r)
	}
	special := echo(random, kinds, 1, 7)
	k := slices.IndexFunc(special.Inputs, func(t tensor.Tensor) bool { return t.DType == tensor.FP32 })
	special.Inputs[k] = floats("in_fp32", []int64{1, 7}, 1e-7, float32(math.Inf(1)), float32(math.Inf(-1)), 3e38, float32(math.Copysign(0, -1)), 2.5, 2.5)
	special.Outputs = []backend.Output{{Name: "out_fp32", Classes: 7}}
	w.same(t, special)

	iris := ask("iris", "1", floats("input", []int64{2, 4}, 5.1, 3.5, 1.4, 0.2, 6.7, 3, 5.2, 2.3))
	iris.Outputs = []backend.Output{{Name: "probabilities", Classes: 3}}
	w.same(t, iris)

	t.Run("errors", func(t *testing.T) {
		for _, change := range []func(r *backend.Request){
			func(r *backend.Request) { r.Inputs[0].Shape = []int64{2, 5} },
			func(r *backend.Request) { r.Inputs[0].Data = r.Inputs[0].Data[1:] },
			func(r *backend.Request) { r.Inputs = nil },
			func(r *backend.Request) { r.Outputs = []backend.Output{{Name: "z"}} },
		} {
			r := ask("iris", "1", floats("input", []int64{2, 4}, 5.1, 3.5, 1.4, 0.2, 6.7, 3, 5.2, 2.3))
			r.ID = "7"
			change(r)
			_, want := w.triton(t, r)
			_, got := w.Infer(t.Context(), r)
			if text := grpcstatus.Convert(want).Message(); fault.KindOf(got) != fault.Invalid || got.Error() != "invalid_request: "+text {
				t.Errorf("got %v, want %s", got, text)
			}
		}
	})
	t.Run("statistics", func(t *testing.T) { w.sameStatistics(t) })
	t.Run("control", func(t *testing.T) { w.sameControl(t) })
}

// sameStatistics compares the counts; times are one's own.
func (w *twin) sameStatistics(t *testing.T) {
	want, err := w.client.ModelStatistics(t.Context(), &tritonpb.ModelStatisticsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Statistics(t.Context(), "", "")
	if err != nil || len(got) != len(want.ModelStats) {
		t.Fatalf("%+v %v", got, err)
	}
	for _, m := range want.ModelStats {
		k := slices.IndexFunc(got, func(s backend.Statistics) bool { return s.Model == m.Name && s.Version == m.Version })
		if k < 0 {
			t.Fatalf("%s %s is missing", m.Name, m.Version)
		}
		s := &got[k]
		counts := [][2]uint64{{s.Inferences, m.InferenceCount}, {s.Executions, m.ExecutionCount}, {s.Success.Count, m.InferenceStats.Success.Count}, {s.Fail.Count, m.InferenceStats.Fail.Count},
			{s.Queue.Count, m.InferenceStats.Queue.Count}, {s.ComputeInput.Count, m.InferenceStats.ComputeInput.Count}, {s.ComputeInfer.Count, m.InferenceStats.ComputeInfer.Count},
			{s.ComputeOutput.Count, m.InferenceStats.ComputeOutput.Count}, {s.CacheHit.Count, m.InferenceStats.CacheHit.Count}, {s.CacheMiss.Count, m.InferenceStats.CacheMiss.Count},
			{uint64(len(s.Batches)), uint64(len(m.BatchStats))}}
		for i, c := range counts {
			if c[0] != c[1] {
				t.Errorf("%s: count %d is %d, Triton has %d", m.Name, i, c[0], c[1])
			}
		}
		slices.SortFunc(m.BatchStats, func(a, b *tritonpb.InferBatchStatistics) int { return int(a.BatchSize) - int(b.BatchSize) })
		for i, b := range m.BatchStats {
			if o := s.Batches[i]; o.Size != b.BatchSize || o.ComputeInfer.Count != b.ComputeInfer.Count || o.ComputeInput.Count != b.ComputeInput.Count || o.ComputeOutput.Count != b.ComputeOutput.Count {
				t.Errorf("%s: batch %+v, Triton has %v", m.Name, o, b)
			}
		}
		if s.LastInference.IsZero() || s.Success.Total < s.Queue.Total+s.ComputeInput.Total+s.ComputeInfer.Total+s.ComputeOutput.Total || s.ComputeInfer.Total == 0 {
			t.Errorf("%+v", s)
		}
	}
}

// sameControl unloads and loads, and compares what the index says.
func (w *twin) sameControl(t *testing.T) {
	index := func() (got, want []string) {
		list, err := w.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			got = append(got, fmt.Sprint(s.Name, s.Version, s.State, s.Reason))
		}
		answer, err := w.client.RepositoryIndex(t.Context(), &tritonpb.RepositoryIndexRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range answer.Models {
			want = append(want, fmt.Sprint(m.Name, m.Version, m.State, m.Reason))
		}
		slices.Sort(want)
		return got, want
	}
	check := func(what string) {
		t.Helper()
		got, want := index()
		for slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, "UNLOADING") }) { // it unloads after it has answered
			got, want = index()
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	check("at first")
	unload := func(name string) {
		t.Helper()
		_, err := w.client.RepositoryModelUnload(t.Context(), &tritonpb.RepositoryModelUnloadRequest{ModelName: name})
		if got := w.Unload(t.Context(), name, false); (got == nil) != (err == nil) {
			t.Errorf("unload %q: got %v, Triton says %v", name, got, err)
		}
	}
	load := func(name string) {
		t.Helper()
		_, err := w.client.RepositoryModelLoad(t.Context(), &tritonpb.RepositoryModelLoadRequest{ModelName: name})
		if got := w.Load(t.Context(), name, nil); (got == nil) != (err == nil) || err != nil && !strings.HasSuffix(got.Error(), grpcstatus.Convert(err).Message()) {
			t.Errorf("load %q: got %v, Triton says %v", name, got, err)
		}
	}
	unload("iris")
	check("unloaded")
	unload("iris")
	unload("nobody")
	load("nobody")
	load("iris")
	check("loaded again")
	w.sameReset(t, "after an unload and a load")
	iris := ask("iris", "1", floats("input", []int64{1, 4}, 5.1, 3.5, 1.4, 0.2))
	w.same(t, iris)
	load("iris") // nothing has changed
	w.sameReset(t, "after a load of the same files")
}

// sameReset compares the number of requests that were counted.
func (w *twin) sameReset(t *testing.T, when string) {
	t.Helper()
	want, err := w.client.ModelStatistics(t.Context(), &tritonpb.ModelStatisticsRequest{Name: "iris"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Statistics(t.Context(), "iris", "1")
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if got[0].Success.Count != want.ModelStats[0].InferenceStats.Success.Count {
		t.Errorf("%s: %d were counted, in Triton %d", when, got[0].Success.Count, want.ModelStats[0].InferenceStats.Success.Count)
	}
}

// TestBF16IsEchoed has no Triton to compare with: the one for tests runs on NumPy, which has no BF16.
func TestBF16IsEchoed(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "types/1/model.onnx", read(t, "types.onnx"))
	e := start(t, dir)
	c, err := e.Config(t.Context(), "types")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 3} {
		r := echo(rand.New(rand.NewPCG(3, uint64(n))), kindsOf(c), 2, n)
		r.Model = "types"
		got, err := e.Infer(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Inputs {
			k := slices.IndexFunc(got.Outputs, func(g tensor.Tensor) bool { return g.Name == "out_"+strings.TrimPrefix(r.Inputs[i].Name, "in_") })
			if k < 0 || got.Outputs[k].DType != r.Inputs[i].DType || !slices.Equal(got.Outputs[k].Shape, r.Inputs[i].Shape) || !bytes.Equal(got.Outputs[k].Data, r.Inputs[i].Data) {
				t.Errorf("%+v became %+v", r.Inputs[i], got.Outputs)
			}
		}
	}
}

func kindsOf(c *modelconfig.Config) (kinds []tensor.DType) {
	for i := range c.Inputs {
		kinds = append(kinds, c.Inputs[i].DType)
	}
	return kinds
}
