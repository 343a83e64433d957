package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// modelSource is what HTTP needs of the catalog.
type modelSource interface {
	// Lookup gives a model by name. Errors: NotFound model_not_found, Unavailable backend_unavailable.
	Lookup(name string) (*modelInfo, error)
	// List gives all models by name, broken ones included.
	List() []*modelInfo
	// Loaded reports whether the models have been read at least once.
	Loaded() bool
	// Sample gives one of the model's sample pictures by its name in the model's Samples.
	Sample(model, file string) ([]byte, error)
}

// modelInfo is what HTTP shows of a model. It is a snapshot and must not be changed.
type modelInfo struct {
	Name     string
	Spec     *task.Spec          // complete; nil for a model that cannot be served
	Config   *modelconfig.Config // nil for a model that cannot be served
	Labels   []string
	Versions []versionView
	Warnings []string
	Error    string   // why it cannot be served; "" otherwise
	Source   string   // where its task comes from, such as "task.yaml"
	Samples  []string // names of its sample pictures
	// Resolve gives the version that answers, where a caller asks for version ("" for none). Errors: NotFound version_not_found, Unavailable backend_unavailable.
	Resolve func(version string) (string, error)
}

// versionView is one version of a model.
type versionView struct {
	Version string `json:"version" example:"1"`
	State   string `json:"state" enum:"READY,LOADING,UNLOADING,UNAVAILABLE"`
	Reason  string `json:"reason,omitempty" doc:"Why it is not ready"`
}

func (m *modelInfo) ready() bool {
	if m.Error != "" {
		return false
	}
	for _, v := range m.Versions {
		if v.State == "READY" {
			return true
		}
	}
	return false
}

// reason says in words why a model is not ready; "" for one that is.
func (m *modelInfo) reason() string {
	switch {
	case m.ready():
		return ""
	case m.Error != "":
		return m.Error
	}
	for _, v := range m.Versions {
		if v.Reason != "" {
			return v.Reason
		}
	}
	return "no version is ready"
}

// ModelSummary is one model of the list. It is exported for the sake of the OpenAPI document, which follows only exported embedded types.
type ModelSummary struct {
	Name        string        `json:"name" example:"shapes"`
	Task        string        `json:"task,omitempty" example:"image-classification" doc:"Missing for a model that cannot be served"`
	Description string        `json:"description,omitempty"`
	Ready       bool          `json:"ready"`
	Versions    []versionView `json:"versions"`
	Samples     []string      `json:"samples" doc:"Sample pictures, at /v1/models/{model}/samples/{file}"`
	Warnings    []string      `json:"warnings" doc:"What was guessed or looks wrong"`
	Error       string        `json:"error,omitempty" doc:"Why it cannot be served"`
}

func summary(m *modelInfo) ModelSummary {
	v := ModelSummary{Name: m.Name, Ready: m.ready(), Versions: m.Versions, Samples: m.Samples, Warnings: m.Warnings, Error: m.Error}
	if m.Spec != nil {
		v.Task, v.Description = string(m.Spec.Task), m.Spec.Description
	}
	if v.Versions == nil {
		v.Versions = []versionView{}
	}
	if v.Samples == nil {
		v.Samples = []string{}
	}
	if v.Warnings == nil {
		v.Warnings = []string{}
	}
	return v
}

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
	i.host = ctx.Host()
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
		c.Header("Content-Security-Policy", "default-src 'none'")
		c.Data(http.StatusOK, kind, data)
		return nil
	}
	return fault.New(fault.NotFound, "not_found", "model %q has no sample of that name; GET /v1/models/%s lists them", m.Name, m.Name).At("path.file", "unknown")
}
