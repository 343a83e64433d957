// Package shadow measures what a shadow that never answers costs the callers of its route, on the built program. It is only a test: the figures are in docs/guide/shadows.md.
package shadow

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"slices"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

var (
	full    = flag.Bool("full", false, "run for two minutes, as for the figures in docs/guide/shadows.md")
	rate    = flag.Float64("rate", 100, "requests a second")
	percent = flag.Float64("percent", 100, "of the requests have a shadow; 0 shows how much two routes differ that are the same")
	worked  = flag.Duration("service", 5*time.Millisecond, "how long the model takes")
)

// classifier is a model of pictures, 64 x 64, that always says the same.
func classifier(s *tritontest.Server, name string, service time.Duration) {
	s.Model(name, func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		n := in[0].Shape[0]
		return []tensor.Tensor{{Name: "y", DType: tensor.FP32, Shape: []int64{n, 2}, Data: make([]byte, 8*n)}}, nil
	}, tritontest.Config(&tritonpb.ModelConfig{Name: name, Backend: "fake", MaxBatchSize: 8,
		Input:      []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{3, 64, 64}}},
		Output:     []*tritonpb.ModelOutput{{Name: "y", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{2}}},
		Parameters: map[string]*tritonpb.ModelParameter{"task": {StringValue: "task: image-classification\ninput: {layout: NCHW}\npreprocess: {resize: {mode: stretch, size: 64}, scale: 1/255}\nlabels: [a, b]"}}}),
		tritontest.Capacity(8, service))
}

func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// side is one of the two that are compared: calls of one route.
type side struct {
	name     string
	call     load.Call
	took     []time.Duration
	answered int
}

func (s *side) run(t *testing.T, rate float64, lasting time.Duration, kept bool) {
	t.Helper()
	r := load.Open(t.Context(), rate, lasting, 1000, s.call)
	answered, refused := r.Count(load.Answered), r.Count(load.Rejected)
	if *full && refused > 0 || answered+refused != len(r.Samples) || r.Unmade > 0 { // a machine that stands still for a moment has calls come all at once
		t.Errorf("%s: %d of %d answered, %d refused: %v", s.name, answered, len(r.Samples), refused, r.Texts)
	}
	s.answered += answered
	for _, sample := range r.Samples {
		if kept {
			s.took = append(s.took, sample.Took)
		}
	}
}

func (s *side) quantile(q float64) time.Duration {
	slices.Sort(s.took)
	return s.took[int(q*float64(len(s.took)-1))]
}

// TestAHungShadowCostsNothing asks two routes to one model by turns, of which one has a shadow for all requests that never answers.
func TestAHungShadowCostsNothing(t *testing.T) {
	fake := tritontest.New(t)
	classifier(fake, "good", *worked)
	classifier(fake, "hung", 0)
	fake.Fail(tritontest.Fault{Model: "hung", Until: make(chan struct{})})
	candidates := []map[string]any{{"model": "good", "weight": 1}}
	routes, _ := json.Marshal(map[string]any{
		"alone":    map[string]any{"candidates": candidates},
		"shadowed": map[string]any{"candidates": candidates, "shadow": map[string]any{"model": "hung", "percent": *percent}},
	})
	g := parts.Serve(t, "--triton", fake.Addr(), "GATEWAY_LOG__LEVEL=error", "GATEWAY_ROUTES="+string(routes))
	body := picture(t)
	var sides []*side
	for _, name := range []string{"alone", "shadowed"} {
		client := load.NewHTTP("http://"+g.HTTP+"/v1/models/"+name+"/infer?cache=no-store", http.Header{"Content-Type": {"image/png"}}, 64)
		defer client.Close()
		sides = append(sides, &side{name: name, call: client.Call(body)})
	}
	rounds, lasting, pace := 1, time.Second, 20.0
	if *full {
		rounds, lasting, pace = 120, time.Second/2, *rate // short ones, so that both have the same of whatever else the machine does
	}
	for i := range rounds + 1 { // the first warms up
		for j := range sides {
			sides[(i+j)%2].run(t, pace, lasting, i > 0)
		}
	}
	if *percent == 100 {
		const held = 2 + 16 // that hang or wait now
		parts.Until(t, fmt.Sprintf("each of %d answers of the shadowed route is counted, and a shadow was asked", sides[1].answered), 3*time.Minute, func() bool {
			metrics, err := load.Metrics("http://" + g.Admin + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			return load.Sum(metrics, "gateway_shadow_requests_total", `route="shadowed"`) >= float64(sides[1].answered-held) && fake.Calls("hung") > 0
		})
	}
	for _, s := range sides {
		t.Logf("%-8s %d requests: p50 %v, p90 %v, p99 %v", s.name, len(s.took), s.quantile(0.5), s.quantile(0.9), s.quantile(0.99))
	}
	ratio := func(q float64) string {
		return fmt.Sprintf("%+.1f %%", 100*(float64(sides[1].quantile(q))/float64(sides[0].quantile(q))-1))
	}
	t.Logf("with the shadow: p50 %s, p99 %s; %d calls of it hung", ratio(0.5), ratio(0.99), fake.Calls("hung"))
}
