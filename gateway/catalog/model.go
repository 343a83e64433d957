package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// Model is one model at one moment. It is shared and must not be changed; a change makes a new one.
type Model struct {
	Name       string
	Spec       *task.Spec          // completed; nil for a model that could never be served
	Labels     []string            // by class index; nil where classes have no names
	Config     *modelconfig.Config // as the backend uses it; nil for a model that could never be served
	Versions   []Version           // highest first
	Pin        string              // the version that answers where none is asked for; "": the highest ready one
	Warnings   []string            // what was guessed, or looks wrong
	Error      string              // why it cannot be served; "" otherwise
	Source     string              // where the task comes from: one of the constants below
	TaskDigest [32]byte            // changes when the task's text or the labels do
	Dir        string              // its local folder; "" if there is none

	samples []string
	index   string // what the index said
	files   files
	distant distant
}

// Where a task comes from.
const (
	FromFile      = "task.yaml"
	FromParameter = "config parameter"
	FromGuess     = "guess"
	FromRoute     = "route" // of what is no model, but a route to several
	FromGraph     = "graph" // of what is no model, but a graph of several
)

// Version is one version of a model.
type Version struct {
	Number string
	State  backend.State
	Reason string // why it is not ready, or, of a ready one, what is wrong with its newer files
	Epoch  string // the load; see backend.ModelStatus

	uses *atomic.Int64 // who has picked it; nil of what is no model of the backend
}

// Resolve gives the version that answers a request for version; "" stands for the one that is pinned, and
// else for the highest ready one. It does not allocate when it succeeds.
// Errors: Invalid invalid_request for what is no version number; NotFound version_not_found, naming the versions that exist; Unavailable
// backend_unavailable for one that is not ready.
func (m *Model) Resolve(version string) (Version, error) {
	if version == "" && m.Pin != "" {
		version = m.Pin
		if !slices.ContainsFunc(m.Versions, func(v Version) bool { return v.Number == version }) {
			return Version{}, fault.New(fault.Unavailable, "backend_unavailable", "version %s of model %q, which it was switched to, is not there; load it, or leave the version to the model server again by DELETE /v1/models/%s/switch", version, m.Name, m.Name).After(time.Second)
		}
	}
	if version == "" {
		for i := range m.Versions {
			if m.Versions[i].State == backend.Ready {
				return m.Versions[i], nil
			}
		}
		return Version{}, fault.New(fault.Unavailable, "backend_unavailable", "model %q has no version that is ready%s", m.Name, m.why()).After(time.Second)
	}
	for i := range m.Versions {
		switch v := &m.Versions[i]; {
		case v.Number != version:
		case v.State == backend.Ready:
			return *v, nil
		default:
			return Version{}, fault.New(fault.Unavailable, "backend_unavailable", "version %s of model %q is %s%s", version, m.Name, v.State, reason(v.Reason)).After(time.Second)
		}
	}
	if n, err := strconv.ParseInt(version, 10, 64); err != nil || n < 0 || strconv.FormatInt(n, 10) != version {
		return Version{}, fault.New(fault.Invalid, "invalid_request", "%s is no version; versions are whole numbers such as 1", quote(version)).At("version", "not a version number")
	}
	return Version{}, fault.New(fault.NotFound, "version_not_found", "model %q has no version %s; it has %s", m.Name, version, m.numbers())
}

// Ready reports whether the model can answer where no version is asked for.
func (m *Model) Ready() bool {
	if m.Error != "" {
		return false
	}
	_, err := m.Resolve("")
	return err == nil
}

// numbers lists at most ten versions.
func (m *Model) numbers() string {
	const most = 10
	var list []string
	for _, v := range m.Versions {
		if len(list) == most {
			list = append(list, "...")
			break
		}
		list = append(list, v.Number)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// why is the first reason that a version gives.
func (m *Model) why() string {
	for _, v := range m.Versions {
		if v.Reason != "" {
			return reason(v.Reason)
		}
	}
	return ""
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// versions turns the index's lines into versions, highest first. A line without a version tells why there is none.
func versions(statuses []backend.ModelStatus) (list []Version, why string) {
	for _, s := range statuses {
		if s.Version == "" {
			why = s.Reason
			continue
		}
		list = append(list, Version{Number: s.Version, State: s.State, Reason: s.Reason, Epoch: s.Epoch})
	}
	slices.SortFunc(list, func(a, b Version) int {
		return cmp.Or(cmp.Compare(len(b.Number), len(a.Number)), cmp.Compare(b.Number, a.Number))
	})
	return list, why
}
