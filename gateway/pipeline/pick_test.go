package pipeline

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// twoVersions is a backend with a model of rows, both of whose versions are ready.
type twoVersions struct{}

func (twoVersions) Index(context.Context) (list []backend.ModelStatus, err error) {
	for _, v := range []string{"1", "2"} {
		list = append(list, backend.ModelStatus{Name: "m", Version: v, State: backend.Ready, Epoch: "e" + v})
	}
	return list, nil
}

func (twoVersions) Config(context.Context, string) (*modelconfig.Config, error) {
	return &modelconfig.Config{Name: "m", MaxBatchSize: 8, Parameters: map[string]string{"task": "{task: tabular-classification, input: {columns: [a, b]}, output: {activation: none}}"},
		Inputs:  []modelconfig.IO{{Name: "in", DType: tensor.FP32, Dims: []int64{2}}},
		Outputs: []modelconfig.IO{{Name: "out", DType: tensor.FP32, Dims: []int64{3}}}}, nil
}

// A request counts among those that use the version from the moment in which it picks it to its end, however that comes; a flip meanwhile changes nothing of what it picked.
func TestARequestUsesItsVersion(t *testing.T) {
	r := newRig(t)
	models := catalog.New(twoVersions{}, catalog.Options{Interval: time.Hour, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = models.Close() })
	r.Models = models
	models.Pin("m", "1")
	r.backend.gate, r.backend.began = make(chan struct{}), make(chan struct{}, 1)
	type result struct {
		version string
		err     error
	}
	ended := make(chan result)
	go func() {
		a, err := r.Pass(context.Background(), &backend.Request{Model: "m", Inputs: floats(1, 2)})
		if err != nil {
			ended <- result{err: err}
			return
		}
		ended <- result{version: a.Version}
	}()
	<-r.backend.began
	models.Pin("m", "2")
	if n := models.Running("m", "1"); n != 1 {
		t.Errorf("%d use version 1 while it answers", n)
	}
	close(r.backend.gate)
	if got := <-ended; got.err != nil || got.version != "1" {
		t.Errorf("%+v", got)
	}
	if n := models.Running("m", "1"); n != 0 {
		t.Errorf("%d use version 1 after its answer", n)
	}
	r.backend.began = nil
	r.backend.fail.Store(fault.New(fault.Upstream, "upstream_error", "broken"))
	if _, err := r.Pass(t.Context(), &backend.Request{Model: "m", Inputs: floats(1, 2)}); fault.KindOf(err) != fault.Upstream {
		t.Errorf("%v", err)
	}
	if n := models.Running("m", "2"); n != 0 {
		t.Errorf("%d use version 2 after a failure", n)
	}
	r.backend.fail.Store(nil)
	// What runs no model counts nowhere, and sees the same version.
	x, err := r.Explain(t.Context(), &Request{Model: "m"})
	if err != nil || x.Version != "2" || models.Running("m", "2") != 0 {
		t.Errorf("%+v %v, %d use it", x, err, models.Running("m", "2"))
	}
}
