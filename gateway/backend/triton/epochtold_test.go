package triton

import (
	"context"
	"maps"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// TestCallsJustBeforeAnEpochExplainNothingLater: the first look after the reload cannot know whether the calls that it counts are its own of this
// moment, still to be counted. Half a second later they explain no stranger's call any more.
func TestCallsJustBeforeAnEpochExplainNothingLater(t *testing.T) {
	s, at, store := fake(t), newClock(), NewMemoryEpochs()
	a, b := gatewayOf(t, s, store, at), gatewayOf(t, s, store, at)
	for _, c := range []*Client{a, b} {
		infers(t, c, 2)
		epochOf(t, a, at)
		epochOf(t, b, at)
		first := epochOf(t, a, at)
		s.Reload("m")
		infers(t, c, 40)
		epochOf(t, a, at)
		epochOf(t, b, at)
		second := epochOf(t, a, at)
		changed(t, "own calls overtake", second, first)
		infers(t, a, 2)
		epochOf(t, b, at)
		same(t, "own calls after it", epochOf(t, a, at), second)
		same(t, "and nothing more", epochOf(t, b, at), second)
		s.Reload("m")
		s.Foreign("m", 60)
		third := ""
		for range 2 { // both look twice a second
			statusOf(t, b, "m")
			third = epochOf(t, a, at)
		}
		for range 2 {
			third = epochOf(t, a, at)
		}
		changed(t, "strangers overtake", third, second)
	}
}

// TestReadingLabelsIsNoStrangersCall: also where it is not answered in time, and counted all the same.
func TestReadingLabelsIsNoStrangersCall(t *testing.T) {
	s, at := fake(t), newClock()
	config := &tritonpb.ModelConfig{Name: "m", Backend: "x",
		Input: []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}
	s.Model("m", echo, tritontest.Version("9"))
	s.Model("m", echo, tritontest.Version("10"))
	s.SetConfig("m", config)
	c := gatewayOf(t, s, nil, at)
	epochs := func() map[string]string {
		at.forward(shortestLook)
		list, err := c.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, m := range list {
			out[m.Version] = m.Epoch
		}
		return out
	}
	first := epochs()
	_, err := c.Labels(t.Context(), "m", "OUT", 3)
	wantFault(t, err, fault.NotFound, "labels_not_found")
	if n := c.list()[0].calls.of("m", "10").read(); n != (tally{started: 1, succeeded: 1}) {
		t.Errorf("the call is noted as %+v", n)
	}
	if got := epochs(); !maps.Equal(got, first) {
		t.Errorf("labels were read: %v became %v", first, got)
	}
	started, release := make(chan struct{}, 1), make(chan struct{})
	s.Model("n", func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		started <- struct{}{}
		<-release
		return echo(context.Background(), in)
	}, tritontest.Config(config))
	old := epochs()
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := c.Labels(ctx, "n", "OUT", 3); done <- err }()
	<-started
	leave()
	wantFault(t, <-done, fault.Canceled, "client_closed")
	close(release)
	for counted := uint64(0); counted == 0; { // the server counts when the model ends, whoever has left
		stats, err := c.list()[0].service.ModelStatistics(t.Context(), &tritonpb.ModelStatisticsRequest{Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		counted = stats.GetModelStats()[0].GetInferenceStats().GetSuccess().GetCount()
	}
	if got := epochs(); !maps.Equal(got, old) {
		t.Errorf("labels were given up: %v became %v", old, got)
	}
}
