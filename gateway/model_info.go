package gateway

import (
	"cmp"
	"slices"

	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// modelSource is what HTTP needs of the catalog.
type modelSource interface {
	// Lookup gives a model by name. Errors: NotFound model_not_found, Unavailable backend_unavailable.
	Lookup(name string) (*modelInfo, error)
	// List gives all models by name, broken ones included.
	List() []*modelInfo
	// Err is nil if the last look at the backend succeeded. Otherwise it is Unavailable backend_unavailable with the reason, and List gives
	// the models of the last look that did, if there was one.
	Err() error
	// Sample gives one of the model's sample pictures by its name in the model's Samples.
	Sample(model, file string) ([]byte, error)
}

// modelInfo is what HTTP shows of a model. It is a snapshot and must not be changed.
type modelInfo struct {
	Name     string
	Kind     string              // kindRoute or kindGraph; "" and kindModel for a model
	Spec     *task.Spec          // complete; nil for a model that cannot be served
	Config   *modelconfig.Config // nil for a model that cannot be served
	Labels   []string
	Versions []versionView
	Warnings []string
	Error    string     // why it cannot be served; "" otherwise
	Source   string     // where its task comes from, such as "task.yaml"
	Samples  []string   // names of its sample pictures
	Nodes    []nodeView // of a graph
	// Resolve gives the version that answers, where a caller asks for version ("" for none). Errors: NotFound version_not_found, Unavailable backend_unavailable.
	Resolve func(version string) (string, error)
}

// What can be called by a name.
const (
	kindModel = "model"
	kindRoute = "route"
	kindGraph = "graph"
)

// versionView is one version of a model.
type versionView struct {
	Version string `json:"version" example:"1"`
	State   string `json:"state" enum:"READY,LOADING,UNLOADING,UNAVAILABLE"`
	Reason  string `json:"reason,omitempty" doc:"Why it is not ready"`
}

func (m *modelInfo) ready() bool {
	if m.Error != "" || !slices.ContainsFunc(m.Versions, func(v versionView) bool { return v.State == "READY" }) {
		return false
	}
	return m.unpinned() == nil
}

// unpinned is why the version that a model was switched to does not answer; nil where it does, or where there is none.
func (m *modelInfo) unpinned() error {
	if m.Kind != "" && m.Kind != kindModel || m.Resolve == nil {
		return nil
	}
	_, err := m.Resolve("")
	return err
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
	if err := m.unpinned(); err != nil {
		return faultOf(err).Detail
	}
	return "no version is ready"
}

// ModelSummary is one model of the list. It is exported for the sake of the OpenAPI document, which follows only exported embedded types.
type ModelSummary struct {
	Name        string        `json:"name" example:"shapes"`
	Kind        string        `json:"kind" enum:"model,route,graph" doc:"Routes and graphs are called as a model is; /v1/routes says where a route leads, and a graph runs several models"`
	Task        string        `json:"task,omitempty" example:"image-classification" doc:"Missing for a model that cannot be served"`
	Description string        `json:"description,omitempty"`
	Ready       bool          `json:"ready"`
	Versions    []versionView `json:"versions"`
	Serving     string        `json:"serving,omitempty" example:"2" doc:"Of a model: the version that answers where none is asked for"`
	Samples     []string      `json:"samples" doc:"Sample pictures, at /v1/models/{model}/samples/{file}"`
	Warnings    []string      `json:"warnings" doc:"What was guessed or looks wrong"`
	Error       string        `json:"error,omitempty" doc:"Why it cannot be served"`
}

func summary(m *modelInfo) ModelSummary {
	v := ModelSummary{Name: m.Name, Kind: cmp.Or(m.Kind, kindModel), Ready: m.ready(), Versions: m.Versions, Samples: m.Samples, Warnings: m.Warnings, Error: m.Error}
	if m.Spec != nil {
		v.Task, v.Description = string(m.Spec.Task), m.Spec.Description
	}
	if v.Kind == kindModel && m.Resolve != nil {
		v.Serving, _ = m.Resolve("") // "" where none answers now
	}
	if v.Versions == nil {
		v.Versions = []versionView{}
	}
	if v.Samples == nil {
		v.Samples = []string{}
	}
	if !v.Ready && v.Error == "" {
		v.Warnings = append(slices.Clip(v.Warnings), m.reason())
	}
	if v.Warnings == nil {
		v.Warnings = []string{}
	}
	return v
}
