package gateway

import (
	"cmp"
	"slices"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
)

// RouteSpec is a route as people write it. It is exported for the sake of the OpenAPI document.
type RouteSpec route.Spec

// routeView is a name that clients can call and what stands behind it. Every model is a route to itself.
type routeView struct {
	Name       string          `json:"name" example:"shapes-ab"`
	Kind       string          `json:"kind" enum:"model,route" doc:"A model is a route to itself"`
	Candidates []candidateView `json:"candidates" doc:"Who answers by weight, as it is now"`
	Source     string          `json:"source,omitempty" enum:"gateway.yaml,stored" doc:"Of a route: where it is written"`
	Kept       string          `json:"kept,omitempty" enum:"redis,file,memory" doc:"Of a stored route: where. memory ends with the gateway"`
	Version    int             `json:"version,omitempty" doc:"Of a route: the number of its last change; 0 and missing where it is the one of gateway.yaml" example:"3"`
	At         *time.Time      `json:"at,omitempty" doc:"When that was"`
	By         string          `json:"by,omitempty" doc:"Who did it: the id of the key, or the subject of the token" example:"ops"`
	Spec       *RouteSpec      `json:"spec,omitempty" doc:"Of a route: all that is written of it"`
	Canary     *CanaryBrief    `json:"canary,omitempty" doc:"Of a route with a canary: how far that is"`
	Warnings   []string        `json:"warnings,omitempty" doc:"What is wrong with it now"`
}

type candidateView struct {
	Model   string  `json:"model" example:"shapes"`
	Version string  `json:"version" example:"2" doc:"The version that answers now; empty where none is ready"`
	Weight  float64 `json:"weight" example:"90" doc:"Percent"`
}

// versionsView are the versions of a route that are kept.
type versionsView struct {
	Versions []routeVersionView `json:"versions" doc:"The newest first; at most 20"`
}

type routeVersionView struct {
	Version int        `json:"version" example:"3"`
	At      time.Time  `json:"at"`
	By      string     `json:"by,omitempty" example:"ops"`
	Action  string     `json:"action" enum:"put,delete,rollback,canary,promote,pause,resume"`
	Spec    *RouteSpec `json:"spec,omitempty" doc:"Missing where the route was deleted"`
}

func (m *modelInfo) trivialRoute() routeView {
	version, err := "", error(nil)
	if m.Resolve != nil {
		if version, err = m.Resolve(""); err != nil {
			version = ""
		}
	}
	return routeView{Name: m.Name, Kind: kindModel, Candidates: []candidateView{{m.Name, version, 100}}}
}

// view shows a route.
func (r *routeSide) view(e book.Entry) routeView {
	spec := RouteSpec(e.Plan.Spec)
	v := routeView{Name: e.Plan.Name, Kind: kindRoute, Source: "gateway.yaml", Version: e.Number, By: e.By, Spec: &spec, Candidates: []candidateView{}, Canary: briefOf(e), Warnings: r.warnings(e)}
	if e.Version.Spec != nil {
		v.Source, v.Kept = "stored", r.kept
	}
	if e.Number > 0 {
		v.At = &e.At
	}
	slots, all := make([]int, len(spec.Candidates)), 0
	for _, run := range e.Plan.Shares {
		slots[run.Candidate] += run.Slots
		all += run.Slots
	}
	for i, c := range spec.Candidates {
		shown := candidateView{Model: c.Model, Weight: float64(slots[i]) / float64(all) * 100}
		if m, err := r.models.Lookup(c.Model); err == nil {
			if found, err := m.Resolve(string(c.Target.Version)); err == nil {
				shown.Version = found.Number
			}
		}
		v.Candidates = append(v.Candidates, shown)
	}
	return v
}

// routeViews lists all that can be called, by name.
func (s *server) routeViews() []routeView {
	list := []routeView{}
	for _, m := range s.models.List() {
		if m.Kind != kindRoute {
			list = append(list, m.trivialRoute())
		}
	}
	if s.routes == nil {
		return list
	}
	entries, _ := s.routes.book.Entries()
	for _, e := range entries {
		list = append(list, s.routes.view(e))
	}
	slices.SortStableFunc(list, func(a, b routeView) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind)) })
	return list
}
