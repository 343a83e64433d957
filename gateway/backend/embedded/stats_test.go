package embedded

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

func TestStatistics(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	put(t, dir, "m/2/model.onnx", []byte{2})
	put(t, dir, "m/config.pbtxt", []byte("max_batch_size: 4 version_policy { all { } }"))
	put(t, dir, "n/1/model.onnx", []byte{1})
	put(t, dir, "broken/1/model.onnx", []byte("bad"))
	e := startFake(t, dir, openFake)
	for _, data := range [][]byte{{1, 2}, {1, 2, 3, 4, 5, 6}, {1, 2}, {1, 2, 3}} { // the last one does not fit, and is not counted
		_, _ = e.Infer(t.Context(), ask("m", "2", bytesOf(data...)))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Infer(ended, ask("m", "2", bytesOf(1, 2))); fault.KindOf(err) != fault.Canceled {
		t.Errorf("%v", err)
	}
	list, err := e.Statistics(t.Context(), "m", "")
	if err != nil || len(list) != 2 || list[0].Version != "1" || list[1].Version != "2" || list[1].Model != "m" {
		t.Fatalf("%+v %v", list, err)
	}
	if !reflect.DeepEqual(list[0], backend.Statistics{Model: "m", Version: "1"}) {
		t.Errorf("a version that nobody asked: %+v", list[0])
	}
	s := list[1]
	if s.Inferences != 5 || s.Executions != 3 || s.Success.Count != 3 || s.Fail.Count != 1 || s.LastInference.IsZero() {
		t.Errorf("%+v", s)
	}
	for _, d := range []backend.Duration{s.Queue, s.ComputeInput, s.ComputeInfer, s.ComputeOutput} {
		if d.Count != 3 {
			t.Errorf("%+v", s)
		}
	}
	if len(s.Batches) != 2 || s.Batches[0].Size != 1 || s.Batches[0].ComputeInfer.Count != 2 || s.Batches[1].Size != 3 || s.Batches[1].ComputeOutput.Count != 1 {
		t.Errorf("%+v", s.Batches)
	}
	if all, err := e.Statistics(t.Context(), "", ""); err != nil || len(all) != 3 || all[2].Model != "n" {
		t.Errorf("%+v %v", all, err)
	}
	for _, c := range []struct {
		model, version string
		kind           fault.Kind
	}{{"x", "", fault.NotFound}, {"m", "7", fault.NotFound}, {"broken", "", fault.Unavailable}} {
		if _, err := e.Statistics(t.Context(), c.model, c.version); fault.KindOf(err) != c.kind {
			t.Errorf("%s %s: %v", c.model, c.version, err)
		}
	}
	// A request that was made of three is three, each of which took as long as all.
	r := ask("m", "2", bytesOf(1, 2, 3, 4, 5, 6))
	r.Requests, r.Waited = 3, time.Hour
	if _, err := e.Infer(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	list, err = e.Statistics(t.Context(), "m", "2")
	if err != nil {
		t.Fatal(err)
	}
	after := list[0]
	if after.Inferences != 8 || after.Executions != 4 || after.Success.Count != 6 || after.Queue.Count != 6 || after.ComputeInfer.Count != 6 || after.Batches[1].ComputeInfer.Count != 2 {
		t.Errorf("%+v", after)
	}
	if waited := after.Queue.Total - s.Queue.Total; waited < time.Hour || waited > time.Hour+time.Minute || after.Success.Total < after.Queue.Total {
		t.Errorf("waited %v of %v", waited, after.Success.Total)
	}
	before := status(t, e, "m", "2", isReady).Epoch
	put(t, dir, "m/2/model.onnx", []byte{3})
	status(t, e, "m", "2", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != before })
	if list, err := e.Statistics(t.Context(), "m", "2"); err != nil || list[0].Success.Count != 0 || list[0].Batches != nil {
		t.Errorf("after a reload: %+v %v", list, err)
	}
}

// TestStatisticsAreWhole: a reader never sees a part of a request.
func TestStatisticsAreWhole(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, openFake)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, err := e.Infer(t.Context(), ask("m", "1", bytesOf(1, 2, 3, 4))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for count := uint64(0); count < 400; {
		list, err := e.Statistics(t.Context(), "m", "1")
		if err != nil {
			t.Fatal(err)
		}
		s := list[0]
		if count = s.Success.Count; s.Inferences != 2*count || s.Executions != count || s.Queue.Count != count || count > 0 && s.Batches[0].ComputeInfer.Count != count {
			t.Fatalf("%+v", s)
		}
	}
	wg.Wait()
}

func TestStreamGivesOneFinalResponse(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, openFake)
	var got []*backend.Response
	err := e.Stream(t.Context(), ask("m", "1", bytesOf(1, 2)), func(r *backend.Response) error {
		got = append(got, r)
		return nil
	})
	if err != nil || len(got) != 1 || got[0].Params["triton_final_response"] != true || got[0].Outputs[0].Data[1] != 3 {
		t.Errorf("%+v %v", got, err)
	}
	broken := errors.New("the caller left")
	if err := e.Stream(t.Context(), ask("m", "1", bytesOf(1, 2)), func(*backend.Response) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := e.Stream(t.Context(), ask("m", "1"), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}
