package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

type modelPath struct {
	Model string `path:"model" maxLength:"256" doc:"Name of the model" example:"shapes"`
}

type modelListOutput struct {
	Body struct {
		Models []ModelSummary `json:"models"`
	}
}

type modelInput struct {
	Model string `path:"model" maxLength:"256" doc:"Name of the model" example:"shapes"`
	host  string
}

// Resolve notes the host that the caller used, for the example.
func (i *modelInput) Resolve(ctx huma.Context) []error {
	if i.host = ctx.Host(); ctx.TLS() != nil {
		i.host = "https://" + i.host
	}
	return nil
}

type modelOutput struct{ Body modelView }

type labelsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Labels []string `json:"labels" example:"[\"circle\",\"square\"]"`
	}
}

// registerModels adds the routes that describe models.
func (s *server) registerModels(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/v1/models", Tags: []string{"models"},
		Summary: "All models", Description: "Models that cannot be served are listed too, with the reason.",
	}, func(context.Context, *struct{}) (*modelListOutput, error) {
		out := &modelListOutput{}
		out.Body.Models = []ModelSummary{}
		for _, m := range s.models.List() {
			out.Body.Models = append(out.Body.Models, summary(m))
		}
		return out, nil
	})
	register(s, api, huma.Operation{
		OperationID: "get-model", Method: http.MethodGet, Path: "/v1/models/{model}", Tags: []string{"models"},
		Summary: "One model", Description: "Task, inputs, labels, versions, the preprocessing and postprocessing in force, and an example request.",
		Errors: []int{404, 503},
	}, func(_ context.Context, in *modelInput) (*modelOutput, error) {
		m, err := s.find(in.Model)
		if err != nil {
			return nil, err
		}
		return &modelOutput{Body: describe(m, in.host)}, nil
	})
	register(s, api, huma.Operation{
		OperationID: "get-labels", Method: http.MethodGet, Path: "/v1/models/{model}/labels", Tags: []string{"models"},
		Summary: "The labels of a model, by index", Errors: []int{404, 503},
	}, func(_ context.Context, in *modelPath) (*labelsOutput, error) {
		m, err := s.models.Lookup(in.Model)
		if err != nil {
			return nil, err
		}
		out := &labelsOutput{CacheControl: "no-cache"}
		if out.Body.Labels = m.Labels; out.Body.Labels == nil {
			out.Body.Labels = []string{}
		}
		return out, nil
	})
}

// find gives a model, one that cannot be served included: people want to read why.
func (s *server) find(name string) (*modelInfo, error) {
	m, err := s.models.Lookup(name)
	if err == nil {
		return m, nil
	}
	for _, m := range s.models.List() {
		if m.Name == name {
			return m, nil
		}
	}
	return nil, err
}

// sample serves a sample picture. The name is looked up in the model's list, never in a folder.
func (s *server) sample(c *gin.Context) error {
	m, err := s.models.Lookup(c.Param("model"))
	if err != nil {
		return err
	}
	for _, name := range m.Samples {
		if name != c.Param("file") {
			continue
		}
		data, err := s.models.Sample(m.Name, name)
		if err != nil {
			return err
		}
		kind := http.DetectContentType(data)
		switch kind {
		case "image/png", "image/jpeg", "image/webp":
		default:
			kind = "application/octet-stream"
		}
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, kind, data)
		return nil
	}
	return fault.New(fault.NotFound, "not_found", "model %q has no sample of that name; GET /v1/models/%s lists them", m.Name, m.Name).At("path.file", "unknown")
}
