package gateway

import (
	"slices"
	"strings"
	"testing"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/lint"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// odd is a config with a finding of each severity on a Triton.
const oddConfig = `name: "odd" max_batch_size: 8
	input [{name: "i" data_type: TYPE_FP32 dims: [4]}] output [{name: "o" data_type: TYPE_FP32 dims: [3]}]
	dynamic_batching {preferred_batch_size: [9] default_priority_level: 1 default_queue_policy {default_timeout_microseconds: 5}}`

func TestLintRoute(t *testing.T) {
	config, err := modelconfig.Parse("odd", []byte(oddConfig))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(d *serverDeps) { d.Build.Backend = "triton" })
	r.models.models = append(r.models.models,
		&modelInfo{Name: "odd", Config: config, Spec: &task.Spec{Task: task.Raw}, Resolve: resolver("1")},
		&modelInfo{Name: "down", Error: "no version is ready"})
	type document struct {
		Model    string
		Findings []lint.Finding
	}
	for model, want := range map[string][]string{
		"odd":  {"preferred_batch_size_above_max", "priority_without_levels", "timeout_not_overridable"},
		"down": {"not_served"},
	} {
		res, body := r.do(t, "GET", "/v1/models/"+model+"/lint", "", "")
		got := decode[document](t, body)
		var codes []string
		for _, f := range got.Findings {
			codes = append(codes, f.Code)
		}
		if res.StatusCode != 200 || got.Model != model || !slices.Equal(codes, want) || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %s", model, res.StatusCode, body)
		}
	}
	if res, body := r.do(t, "GET", "/v1/models/shapes/lint", "", ""); res.StatusCode != 200 || !strings.Contains(body, `"findings":[`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, body := r.do(t, "GET", "/v1/models/nothing/lint", "", ""); res.StatusCode != 404 || !strings.Contains(body, "model_not_found") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// doctor shows findings with what to do, notes without alarm, and nothing twice.
func TestDoctorShowsFindings(t *testing.T) {
	config, err := modelconfig.Parse("odd", []byte(oddConfig))
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Triton.Endpoints = []string{"a:1"}
	m := &catalog.Model{Name: "odd", Config: config, Spec: &task.Spec{Task: task.TabularClassification, Output: task.Output{Name: "o"}}, Labels: []string{"a"}}
	m.Warnings = m.Spec.CheckLabels(config, m.Labels)
	var got []Check
	keep := func(c Check) bool { got = append(got, c); return true }
	if !examineSettings(&c, m, "model odd", keep) || len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, verdict := range []Verdict{Odd, Odd, Fine} {
		if got[i].Verdict != verdict || got[i].Subject != "model odd" || (got[i].Mend == "") != (verdict == Fine) {
			t.Errorf("%+v", got[i])
		}
	}
	if examineSettings(&c, m, "model odd", func(Check) bool { return false }) {
		t.Error("goes on after no")
	}
}
