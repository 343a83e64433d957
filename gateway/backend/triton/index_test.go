package triton

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func TestIndexListsStates(t *testing.T) {
	s := fake(t)
	s.Model("m", echo, tritontest.Version("2"))
	s.Model("loading", echo)
	s.Model("broken", echo, tritontest.Version(""))
	s.Model("never", echo, tritontest.Version(""))
	s.Model("odd", echo)
	s.SetState("loading", "LOADING", "")
	s.SetState("broken", "UNAVAILABLE", "no such file")
	s.SetState("never", "", "")
	s.SetState("odd", "HIBERNATING", "")
	list, err := clientOf(t, s.Addr()).Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list {
		if (list[i].State == backend.Ready) != (len(list[i].Epoch) == epochLength) {
			t.Errorf("%+v: an epoch belongs to what is ready, and only to that", list[i])
		}
		got = append(got, strings.Join([]string{list[i].Name, list[i].Version, string(list[i].State), list[i].Reason}, "|"))
	}
	want := []string{"broken||UNAVAILABLE|no such file", "loading|1|LOADING|", "m|1|READY|", "m|2|READY|", "never||UNAVAILABLE|not loaded", "odd|1|UNAVAILABLE|state HIBERNATING"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if list[2].Epoch == list[3].Epoch {
		t.Error("two versions share an epoch")
	}
}

func TestIndexFailsWithTheServer(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	for method, code := range map[string]codes.Code{"RepositoryIndex": codes.Internal, "ModelStatistics": codes.Internal} {
		s.Fail(tritontest.Fault{Method: method, Code: code, Text: "no", Times: 1})
		_, err := c.Index(t.Context())
		wantFault(t, err, fault.Upstream, "upstream_error")
	}
	s.Fail(tritontest.Fault{Method: "RepositoryIndex", Cut: true, Times: 1})
	if _, err := c.Index(t.Context()); err != nil {
		t.Errorf("a broken connection is made again: %v", err)
	}
	for _, text := range []string{"upstream connect error", tritontest.ServerExiting} { // answered: calls of models may get through
		s.Fail(tritontest.Fault{Method: "RepositoryIndex", Code: codes.Unavailable, Text: text, Times: 2})
		_, err := c.Index(t.Context())
		wantFault(t, err, fault.Upstream, "upstream_error")
		infers(t, c, 1)
	}
	s.Kill()
	_, err := c.Index(t.Context())
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	both := clientOf(t, s.Addr(), fake(t).Addr())
	both.list()[1].reconnect(t.Context(), time.Second)
	both.list()[1].watch.busy <- struct{}{} // no look at the second comes to an end
	_, err = both.Index(t.Context())
	<-both.list()[1].watch.busy
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
}

func TestIndexDoesNotWaitForAHungServer(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	s.Fail(tritontest.Fault{Method: "ModelStatistics", Until: make(chan struct{}), Times: 1})
	_, err := c.Index(t.Context()) // ends by the look's own deadline, for the test's context has none
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err = c.Index(ctx)
	wantFault(t, err, fault.Canceled, "client_closed")
}

func TestIndexOfSeveralEndpoints(t *testing.T) {
	a, b, at := fake(t), fake(t), newClock()
	a.Model("only-a", echo)
	c := client(t, Config{Endpoints: []string{a.Addr(), b.Addr()}}, Deps{Now: at.now})
	first := epochOf(t, c, at)
	infers(t, c, 2)
	same(t, "nothing happened", epochOf(t, c, at), first)
	if got := statusOf(t, c, "only-a"); got.State != backend.Ready || len(got.Epoch) != epochLength {
		t.Errorf("got %+v", got)
	}
	b.Foreign("m", 3)
	epochOf(t, c, at) // calls by a stranger to a new load
	before := epochOf(t, c, at)
	b.SetState("m", "LOADING", "")
	if got := statusOf(t, c, "m"); got.State != backend.Ready {
		t.Errorf("one of two is ready: %+v", got)
	}
	b.SetState("m", "READY", "")
	second := epochOf(t, c, at)
	changed(t, "reload on the second", second, before)
	b.Kill()
	same(t, "one is down", epochOf(t, c, at), second)
	b.Start()
	changed(t, "another server came up", epochOf(t, c, at), second)
	a.Kill()
	b.Kill()
	_, err := c.Index(t.Context())
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
}

func TestEpochByMetrics(t *testing.T) {
	s, at := fake(t), newClock()
	load := "1.25"
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(loadMetric + `{model="m",version="1"} ` + load + "\n"))
	}))
	defer page.Close()
	c := client(t, Config{Endpoints: []string{s.Addr()}, MetricsEndpoints: []string{page.URL}}, Deps{Now: at.now})
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	first := epochOf(t, c, at)
	s.Foreign("m", 5)
	at.forward(time.Hour)
	same(t, "the load is the same, whoever called", epochOf(t, c, at), first)
	s.Foreign("m", 5)
	load = "1.5"
	second := epochOf(t, c, at)
	changed(t, "another load", second, first)
	page.Close()
	same(t, "without the page", epochOf(t, c, at), second)
}

func TestReadLoads(t *testing.T) {
	page := "# HELP nv_model_load_duration_secs Model load time in seconds\n" +
		"nv_model_load_duration_secs{model=\"a\",version=\"1\"} 0.125\n" +
		"nv_model_load_duration_secs{version=\"2\", model=\"a \\\"b\\\\\",} 3 1700000000\n" +
		"nv_model_load_duration_secs{model=\"cut\n" +
		"nv_model_load_duration_secs{model=\"no version\"} 1\n" +
		"nv_inference_count{model=\"a\",version=\"1\"} 5\n"
	got := readLoads(strings.NewReader(page))
	if len(got) != 2 || got[modelVersion{"a", "1"}] != "0.125" || got[modelVersion{`a "b\`, "2"}] != "3" {
		t.Errorf("got %v", got)
	}
}

func FuzzReadLoads(f *testing.F) {
	f.Add(loadMetric + `{model="a",version="1"} 0.5`)
	f.Add(loadMetric + `{model="a\`)
	f.Add(loadMetric + `{,,}`)
	f.Fuzz(func(t *testing.T, page string) {
		for id, value := range readLoads(strings.NewReader(page)) {
			if id.model == "" || id.version == "" || value == "" || strings.Contains(value, " ") {
				t.Errorf("%+v = %q", id, value)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	s := fake(t)
	in := []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{3, -1}}}
	out := []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_STRING, Dims: []int64{1}, LabelFilename: "labels.txt"}}
	s.Model("full", echo, tritontest.Config(&tritonpb.ModelConfig{Name: "full", Backend: "x", MaxBatchSize: 4, Input: in, Output: out,
		Parameters: map[string]*tritonpb.ModelParameter{"task": {StringValue: "task: raw\n"}}}))
	c := clientOf(t, s.Addr())
	got, err := c.Config(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "full" || got.MaxBatchSize != 4 || got.Parameters["task"] != "task: raw\n" || got.Inputs[0].DType != tensor.FP32 ||
		!slices.Equal(got.Inputs[0].Dims, []int64{3, -1}) || got.Outputs[0].DType != tensor.Bytes || got.Outputs[0].LabelFilename != "labels.txt" {
		t.Errorf("got %+v", got)
	}
	_, err = c.Config(t.Context(), "nosuch")
	wantFault(t, err, fault.NotFound, "model_not_found")
	s.Fail(tritontest.Fault{Method: "ModelConfig", Cut: true})
	_, err = c.Config(t.Context(), "full")
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
}

func TestMetadataCompletesAConfig(t *testing.T) {
	meta := &tritonpb.ModelMetadataResponse{Platform: "onnx", Inputs: []*tritonpb.ModelMetadataResponse_TensorMetadata{{Name: "a", Datatype: "FP16", Shape: []int64{-1, 3}}},
		Outputs: []*tritonpb.ModelMetadataResponse_TensorMetadata{{Name: "b", Datatype: "BYTES", Shape: []int64{-1, 1}}, {Name: "c", Datatype: "odd"}}}
	pb := &tritonpb.ModelConfig{MaxBatchSize: 2}
	complete(pb, meta)
	if pb.Platform != "onnx" || pb.Input[0].DataType != tritonpb.DataType_TYPE_FP16 || !slices.Equal(pb.Input[0].Dims, []int64{3}) ||
		pb.Output[0].DataType != tritonpb.DataType_TYPE_STRING || pb.Output[1].DataType != tritonpb.DataType_TYPE_INVALID {
		t.Errorf("got %v", pb)
	}
	pb = &tritonpb.ModelConfig{Backend: "x", Input: []*tritonpb.ModelInput{{Name: "kept"}}}
	complete(pb, meta)
	if pb.Platform != "" || pb.Input[0].Name != "kept" || !slices.Equal(pb.Output[0].Dims, []int64{-1, 1}) {
		t.Errorf("got %v", pb)
	}
}

func TestLabelsOfAFake(t *testing.T) {
	s := fake(t)
	config := tritontest.Config(&tritonpb.ModelConfig{Name: "l", Backend: "x", MaxBatchSize: 4,
		Input:  []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{-1, 2}}},
		Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{3}}}})
	var elements []string
	s.Model("l", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		if !slices.Equal(in[0].Shape, []int64{1, 1, 2}) {
			t.Errorf("the model saw %v", in[0].Shape)
		}
		t := tensor.Tensor{Name: "OUT", DType: tensor.Bytes, Shape: []int64{1, int64(len(elements))}}
		for _, e := range elements {
			t.Data = append(append(t.Data, byte(len(e)), 0, 0, 0), e...)
		}
		return []tensor.Tensor{t}, nil
	}, config)
	c := clientOf(t, s.Addr())
	elements = []string{"0.5:2:tri:angle", "0.3:0:circle", "-1.0:1"}
	got, err := c.Labels(t.Context(), "l", "OUT", 3)
	if err != nil || !slices.Equal(got, []string{"circle", "", "tri:angle"}) {
		t.Errorf("got %q, %v", got, err)
	}
	elements = []string{"0.5:0", "0.5:1"}
	_, err = c.Labels(t.Context(), "l", "OUT", 3)
	wantFault(t, err, fault.NotFound, "labels_not_found")
	for _, e := range []string{"0.5:3:x", "0.5:-1:x", "0.5:one:x"} {
		elements = []string{e}
		_, err = c.Labels(t.Context(), "l", "OUT", 3)
		wantFault(t, err, fault.Contract, "upstream_contract")
	}
	_, err = c.Labels(t.Context(), "l", "OUT", 0)
	wantFault(t, err, fault.Invalid, "invalid_request")
}
