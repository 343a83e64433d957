package triton

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tritonpb"
)

func duration(count, ns uint64) *tritonpb.StatisticDuration {
	return &tritonpb.StatisticDuration{Count: count, Ns: ns}
}

func TestStatisticsAreSummed(t *testing.T) {
	one := &tritonpb.ModelStatistics{Name: "m", Version: "1", LastInference: 2000, InferenceCount: 5, ExecutionCount: 3,
		InferenceStats: &tritonpb.InferStatistics{Success: duration(5, 50), Fail: duration(1, 2), Queue: duration(5, 3), ComputeInput: duration(3, 4),
			ComputeInfer: duration(3, 5), ComputeOutput: duration(3, 6), CacheHit: duration(2, 7), CacheMiss: duration(3, 8)},
		BatchStats:    []*tritonpb.InferBatchStatistics{{BatchSize: 4, ComputeInfer: duration(1, 3)}, {BatchSize: 1, ComputeInput: duration(2, 1), ComputeInfer: duration(2, 2), ComputeOutput: duration(2, 3)}},
		ResponseStats: map[string]*tritonpb.InferResponseStatistics{"0": {Success: duration(1, 1), EmptyResponse: duration(1, 2), Cancel: duration(1, 3)}}}
	two := &tritonpb.ModelStatistics{Name: "m", Version: "1", LastInference: 1000, InferenceCount: 1, ExecutionCount: 1,
		InferenceStats: &tritonpb.InferStatistics{Success: duration(1, 10)},
		BatchStats:     []*tritonpb.InferBatchStatistics{{BatchSize: 2}, {BatchSize: 1, ComputeInfer: duration(1, 7)}},
		ResponseStats:  map[string]*tritonpb.InferResponseStatistics{"0": {Fail: duration(2, 2)}, "1": {ComputeInfer: duration(1, 1), ComputeOutput: duration(1, 1)}}}
	other := &tritonpb.ModelStatistics{Name: "m", Version: "2", LastInference: 1 << 60}
	var sum totals
	sum.add(&tritonpb.ModelStatisticsResponse{ModelStats: []*tritonpb.ModelStatistics{one, other}})
	sum.add(nil)
	sum.add(&tritonpb.ModelStatisticsResponse{ModelStats: []*tritonpb.ModelStatistics{two}})
	d := func(count uint64, total time.Duration) backend.Duration {
		return backend.Duration{Count: count, Total: total}
	}
	want := []backend.Statistics{{Model: "m", Version: "1", LastInference: time.UnixMilli(2000), Inferences: 6, Executions: 4, Success: d(6, 60), Fail: d(1, 2), Queue: d(5, 3),
		ComputeInput: d(3, 4), ComputeInfer: d(3, 5), ComputeOutput: d(3, 6), CacheHit: d(2, 7), CacheMiss: d(3, 8),
		Batches: []backend.BatchStatistics{{Size: 1, ComputeInput: d(2, 1), ComputeInfer: d(3, 9), ComputeOutput: d(2, 3)}, {Size: 2}, {Size: 4, ComputeInfer: d(1, 3)}},
		Responses: map[string]backend.ResponseStatistics{"0": {Success: d(1, 1), EmptyResponse: d(1, 2), Cancel: d(1, 3), Fail: d(2, 2)},
			"1": {ComputeInfer: d(1, 1), ComputeOutput: d(1, 1)}}},
		{Model: "m", Version: "2"}}
	if !reflect.DeepEqual(sum.list, want) {
		t.Errorf("got  %+v\nwant %+v", sum.list, want)
	}
}

func TestStatisticsOfSeveralServers(t *testing.T) {
	a, b, dead := fake(t), fake(t), fake(t)
	a.Model("m", echo, tritontest.Version("2"))
	a.Model("only", echo)
	a.Foreign("m", 3)
	b.Foreign("m", 4)
	c := clientOf(t, a.Addr(), b.Addr(), dead.Addr())
	dead.Kill()
	successes := func(model, version string) (out []uint64) {
		list, err := c.Statistics(t.Context(), model, version)
		if err != nil {
			t.Error(err)
		}
		for _, s := range list {
			out = append(out, s.Success.Count)
		}
		slices.Sort(out)
		return out
	}
	for _, x := range []struct {
		model, version string
		want           []uint64
	}{{"m", "1", []uint64{7}}, {"m", "", []uint64{3, 7}}, {"", "", []uint64{0, 3, 7}}, {"only", "", []uint64{0}}} {
		if got := successes(x.model, x.version); !slices.Equal(got, x.want) {
			t.Errorf("%s/%s: %v, want %v", x.model, x.version, got, x.want)
		}
	}
	// One server does not answer, so nobody knows that it has no such model.
	_, err := c.Statistics(t.Context(), "nosuch", "")
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	dead.Start()
	awaitTrue(t, func() bool {
		_, err = c.Statistics(t.Context(), "nosuch", "")
		return fault.KindOf(err) != fault.Unavailable
	})
	wantFault(t, err, fault.NotFound, "model_not_found")
	_, err = c.Statistics(t.Context(), "m", "9")
	wantFault(t, err, fault.NotFound, "version_not_found")
}

func TestStatisticsThatAreNotKept(t *testing.T) {
	_, err := clientOf(t, fake(t, tritontest.WithoutStatistics()).Addr()).Statistics(t.Context(), "m", "")
	wantFault(t, err, fault.Unsupported, "unsupported_model")
	s := fake(t)
	s.Fail(tritontest.Fault{Method: "ModelStatistics", Code: codes.Internal, Text: "x"})
	_, err = clientOf(t, s.Addr()).Statistics(t.Context(), "m", "")
	wantFault(t, err, fault.Upstream, "upstream_error")
}

// awaitTrue asks until done says so.
func awaitTrue(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it does not come")
		}
	}
}
