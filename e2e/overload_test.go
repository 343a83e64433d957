package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// A Triton that answers nobody for a while is sent far more than a gateway lets wait: those for whom there is no room are told at once when to come again, all
// others are answered as soon as it goes on, and then all is as it was. How much is answered while it is too much is measured by bench/overload.
func TestOverload(t *testing.T) {
	fake := tritontest.New(t)
	goOn := make(chan struct{})
	open := sync.OnceFunc(func() { close(goOn) })
	defer open()
	fake.Model(load.FakeModel, func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
		<-goOn
		return []tensor.Tensor{{Name: "OUT", DType: tensor.FP32, Shape: []int64{1}, Data: make([]byte, 4)}}, nil
	}, tritontest.Config(&tritonpb.ModelConfig{Name: load.FakeModel, Backend: "fake",
		Input:  []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{-1}}},
		Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}))
	g := parts.Serve(t, "--triton", fake.Addr(), "GATEWAY_LIMITS__TIMEOUT=10m", "GATEWAY_LIMITS__CONNECTIONS=8192", "GATEWAY_LIMITS__CONNECTIONS_PER_ADDRESS=8192") // all callers are here
	body, header := load.FloatsHTTP("IN", 4)
	client := load.NewHTTP("http://"+g.HTTP+"/v2/models/"+load.FakeModel+"/infer", header, 256)
	defer client.Close()
	call := client.Call(body)

	const callers = 200 // three times as many as there is room for; more of them would, on a slow machine, take more time to be heard than a header may take
	var refused atomic.Int64
	ended := make(chan *load.Result, 1)
	go func() {
		ended <- load.Closed(t.Context(), callers, callers, 0, func(ctx context.Context, n int) (load.Verdict, string) {
			v, text := call(ctx, n)
			if v == load.Rejected {
				refused.Add(1)
			}
			return v, text
		})
	}()
	eventually(t, "most are refused while nobody is answered", func() bool { return refused.Load() > callers/2 })
	open()
	over := <-ended
	figures(t, "all at once", over)
	// A machine that stands still for a second may show the only Triton as gone for a moment; then its calls are told so.
	answered, gone := over.Count(load.Answered), over.Count(load.Down)
	if len(over.Samples) != callers || answered+over.Count(load.Rejected)+gone != callers {
		t.Errorf("of %d calls %d were answered and %d refused with Retry-After; the others: %v", len(over.Samples), answered, over.Count(load.Rejected), over.Texts)
	}
	if sent := fake.Calls(load.FakeModel); answered == 0 || gone == 0 && sent != answered {
		t.Errorf("%d were sent on, and %d answered", sent, answered)
	}
	eventually(t, "all is as it was", func() bool {
		after := load.Closed(t.Context(), 4, 100, 0, call)
		return after.Count(load.Answered) == len(after.Samples)
	})
}
