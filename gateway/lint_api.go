package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/lint"
)

type lintOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Model    string         `json:"model" example:"shapes"`
		Findings []lint.Finding `json:"findings" doc:"Worst first; empty where nothing is odd"`
	}
}

// registerLint adds the route of the linter.
func (s *server) registerLint(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "lint-model", Method: http.MethodGet, Path: "/v1/models/{model}/lint", Tags: []string{"models"},
		Summary: "Settings of a model that do not do what they look like", Description: "Those that Triton takes and never uses, those that it refuses, and tasks that do not fit their model. Models that cannot be served are looked at too.",
		Errors: []int{404, 503},
	}, func(_ context.Context, in *modelPath) (*lintOutput, error) {
		m, err := s.find(in.Model)
		if err != nil {
			return nil, err
		}
		out := &lintOutput{CacheControl: "no-cache"}
		out.Body.Model = m.Name
		out.Body.Findings = lint.Check(&lint.Model{Config: m.Config, Spec: m.Spec, Labels: m.Labels, Problem: m.Error, Backend: s.build.Backend})
		return out, nil
	})
}

// examineSettings shows what the linter finds of a model, but for what its warnings say already.
func examineSettings(c *Config, m *catalog.Model, subject string, yield func(Check) bool) bool {
	for _, f := range lint.Check(&lint.Model{Config: m.Config, Spec: m.Spec, Labels: m.Labels, Backend: c.backendName()}) {
		if slices.ContainsFunc(m.Warnings, func(w string) bool { return strings.Contains(w, f.Text) }) {
			continue
		}
		check := Check{Odd, subject, f.Place + ": " + f.Text + " (" + f.Code + ")", f.Do}
		if f.Severity == lint.Note {
			check = Check{Fine, subject, "note: " + check.Finding, ""}
		}
		if !yield(check) {
			return false
		}
	}
	return true
}
