package tritontest

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/tritonpb"
)

func TestCapacityBoundsWhatRuns(t *testing.T) {
	const service = 20 * time.Millisecond
	s := New(t)
	s.Model("m", twice, Capacity(2, service), Queue(2))
	c := dial(t, s)
	if _, err := c.ModelInfer(t.Context(), ask("m", 1)); err != nil { // connects
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	got := map[codes.Code]int{}
	start := time.Now()
	for range 12 {
		wait.Go(func() {
			_, err := c.ModelInfer(t.Context(), ask("m", 1))
			mu.Lock()
			defer mu.Unlock()
			got[status.Code(err)]++
		})
	}
	wait.Wait()
	if got[codes.OK]+got[codes.Unavailable] != 12 || got[codes.OK] < 4 {
		t.Errorf("got %v", got)
	}
	if took, least := time.Since(start), time.Duration(got[codes.OK]/2)*service; took < least {
		t.Errorf("%d calls took %v, two workers need %v", got[codes.OK], took, least)
	}
}

func TestACallThatHasStartedKeepsItsWorker(t *testing.T) {
	s := New(t)
	s.Model("m", twice, Capacity(1, time.Hour))
	c := dial(t, s)
	late := func(wait time.Duration) {
		t.Helper()
		ctx, leave := context.WithTimeout(t.Context(), wait)
		defer leave()
		if _, err := c.ModelInfer(ctx, ask("m", 1)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	}
	free := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.models["m/1"].workers.free) != 0
	}
	for wait := 50 * time.Millisecond; free(); wait *= 2 { // on a slow machine the time may be over before the call has come
		if wait > time.Minute {
			t.Fatal("the worker is free though its call runs")
		}
		late(wait)
	}
	late(50 * time.Millisecond)
	if free() {
		t.Error("the worker is free though its call runs")
	}
}

func TestHangAndUnhang(t *testing.T) {
	s := New(t)
	s.Model("m", twice)
	c := dial(t, s)
	if _, err := c.ModelInfer(t.Context(), ask("m", 1)); err != nil {
		t.Fatal(err)
	}
	s.Hang()
	for _, client := range []tritonpb.GRPCInferenceServiceClient{c, dial(t, s)} {
		ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := client.ServerLive(ctx, &tritonpb.ServerLiveRequest{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a hung server answers %v", err)
		}
		leave()
	}
	answered := make(chan error)
	go func() {
		_, err := c.ModelInfer(t.Context(), ask("m", 1))
		answered <- err
	}()
	s.Unhang()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	s.Hang() // has not to hold up the end of the test
}

func TestCallsAreRecorded(t *testing.T) {
	s := New(t)
	s.Model("m", twice, Params(map[string]any{"a": int64(1), "b": true, "c": 1.5, "d": "x", "e": uint64(2)}))
	ctx, leave := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-a-b-01"), time.Minute)
	defer leave()
	r := ask("m", 1)
	r.Id = "id"
	r.Parameters = map[string]*tritonpb.InferParameter{"priority": param(int64(3))}
	answer, err := dial(t, s).ModelInfer(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if p := paramsOf(answer.Parameters); len(p) != 5 || p["a"] != int64(1) || p["b"] != true || p["c"] != 1.5 || p["d"] != "x" || p["e"] != uint64(2) {
		t.Errorf("got %v", p)
	}
	got := s.Last()
	if got.Method != "ModelInfer" || got.Model != "m" || got.ID != "id" || got.Params["priority"] != int64(3) || got.Metadata.Get("traceparent")[0] != "00-a-b-01" {
		t.Errorf("got %+v", got)
	}
	if got.Left <= 0 || got.Left > time.Minute || got.Inputs[0] != "IN" {
		t.Errorf("%v left, inputs %q", got.Left, got.Inputs)
	}
	for range 2 * recorded {
		s.mu.Lock()
		s.record(t.Context(), "x", r)
		s.mu.Unlock()
	}
	if n := len(s.Recorded()); n < recorded || n > 2*recorded {
		t.Errorf("%d calls kept", n)
	}
	if s.Last().Left != 0 {
		t.Error("a deadline where there was none")
	}
}

func TestLoadAndUnload(t *testing.T) {
	s := New(t)
	s.Model("m", twice)
	c := dial(t, s)
	ready := func() bool {
		r, err := c.ModelReady(t.Context(), &tritonpb.ModelReadyRequest{Name: "m"})
		return err == nil && r.Ready
	}
	if _, err := c.RepositoryModelUnload(t.Context(), &tritonpb.RepositoryModelUnloadRequest{ModelName: "m",
		Parameters: map[string]*tritonpb.ModelRepositoryParameter{"unload_dependents": {ParameterChoice: &tritonpb.ModelRepositoryParameter_BoolParam{BoolParam: true}}}}); err != nil || ready() {
		t.Errorf("%v, ready %t", err, ready())
	}
	if s.ControlParams("m")["unload_dependents"] != true {
		t.Errorf("got %v", s.ControlParams("m"))
	}
	s.Foreign("m", 3)
	if _, err := c.RepositoryModelLoad(t.Context(), &tritonpb.RepositoryModelLoadRequest{ModelName: "m",
		Parameters: map[string]*tritonpb.ModelRepositoryParameter{"config": {ParameterChoice: &tritonpb.ModelRepositoryParameter_StringParam{StringParam: "{}"}},
			"file:1/m": {ParameterChoice: &tritonpb.ModelRepositoryParameter_BytesParam{BytesParam: []byte("ab")}}}}); err != nil || !ready() {
		t.Errorf("%v, ready %t", err, ready())
	}
	if success, _ := counts(t, c); success != 0 {
		t.Errorf("%d counted after the load", success)
	}
	if p := s.ControlParams("m"); p["config"] != "{}" || string(p["file:1/m"].([]byte)) != "ab" || s.Loads("m") != 1 || s.Unloads("m") != 1 {
		t.Errorf("got %v, %d loads, %d unloads", p, s.Loads("m"), s.Unloads("m"))
	}
	s.Fail(Fault{Method: "RepositoryModelLoad", Times: 1, Code: codes.Internal, Text: "bad"})
	if _, err := c.RepositoryModelLoad(t.Context(), &tritonpb.RepositoryModelLoadRequest{ModelName: "m"}); status.Code(err) != codes.Internal || s.Loads("m") != 1 {
		t.Errorf("got %v, %d loads", err, s.Loads("m"))
	}
	s.SetReady(false)
	if r, err := c.ServerReady(t.Context(), &tritonpb.ServerReadyRequest{}); err != nil || r.Ready {
		t.Errorf("got %v, %v", r, err)
	}
}
