package gateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// TestCanariesUnderTraffic has four routes with 50 requests a second each, over HTTP and a server of models: a version that says something else, one that fails every tenth time and
// one that takes three times as long go back, and a good one is promoted. Each route has the one rule that is to find its version, and the good one those that a busy machine
// cannot break: how soon and how surely all of them together decide is for the tests that make their own time.
func TestCanariesUnderTraffic(t *testing.T) {
	s := tritontest.New(t)
	one := func(name string, add float32, slower time.Duration, failing float64) {
		s.Model(name, func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			time.Sleep(40*time.Millisecond*slower + time.Duration(rand.IntN(2000))*time.Microsecond)
			if rand.Float64() < failing {
				return nil, fmt.Errorf("the model has failed")
			}
			x := math.Float32frombits(binary.LittleEndian.Uint32(in[0].Data)) + add
			return []tensor.Tensor{{Name: "y", DType: tensor.FP32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))}}, nil
		}, tritontest.Config(&tritonpb.ModelConfig{Name: name, Backend: "fake",
			Input:  []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}},
			Output: []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}))
	}
	one("old", 0, 1, 0)
	wants := map[string]string{"other": "back disagreement", "failing": "back errors", "slow": "back slower", "good": "done "}
	guards := map[string]canary.Guard{"other": {Errors: -1, Slower: -1}, "failing": {Slower: -1, Disagreement: -1}, "slow": {Errors: -1, Disagreement: -1}, "good": {Slower: -1}}
	one("other", 1, 1, 0)
	one("failing", 0, 1, 0.1)
	one("slow", 0, 3, 0)
	one("good", 0, 1, 0)
	r := newRouteRig(t, func(c *Config) {
		c.Triton.Endpoints, c.ModelRepository = []string{s.Addr()}, ""
		c.Routes = Routes{}
		for name := range wants {
			steps := []float64{20, 100}
			spec := canarySpec(time.Minute, steps...)
			if name == "good" {
				spec = canarySpec(3*time.Second, 20, 50, 100)
			}
			spec.Candidates = []route.Candidate{{Target: route.Target{Model: "old"}, Weight: 1}, {Target: route.Target{Model: name}}}
			spec.Canary.Target, spec.Canary.Guard = spec.Candidates[1].Target, guards[name]
			c.Routes["r-"+name] = spec
		}
	})
	began := time.Now()
	var all sync.WaitGroup
	for name, want := range wants {
		all.Go(func() {
			underWay := make(chan struct{}, 16)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			var calls sync.WaitGroup
			defer calls.Wait()
			for time.Since(began) < 5*time.Minute {
				e, _ := r.server.routes.book.Entry("r-" + name)
				if e.Canary.State != "running" {
					if got := e.Canary.State + " " + e.Canary.Rule; got != want {
						t.Errorf("%s: %s, not %s: %s", name, got, want, e.Canary.Reason)
					}
					t.Logf("%s: %s after %v: %s", name, e.Canary.State, time.Since(began).Round(time.Second/10), e.Canary.Reason)
					return
				}
				<-tick.C
				select {
				case underWay <- struct{}{}:
				default: // the machine does not come up with 50 a second
					continue
				}
				calls.Go(func() {
					defer func() { <-underWay }()
					body := fmt.Sprintf(`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[%v]}]}`, rand.Float32())
					r.send("POST", r.public+"/v1/models/r-"+name+"/infer?cache=no-store", typeJSON, body)
				})
			}
			t.Errorf("%s: nothing has come of it", name)
		})
	}
	all.Wait()
	for name, want := range wants {
		_, body := r.want(200, "GET", r.inside+"/v1/routes/r-"+name+"/canary", "", "")
		if v := decode[canaryView](t, body); strings.Fields(want)[0] != v.State || v.Answers.Canary.Answers == 0 {
			t.Errorf("%s", body)
		}
	}
}
