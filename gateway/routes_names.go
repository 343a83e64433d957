package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/fault"
)

// names is everything that can be called by a name, in the form of models: those of the catalog, and routes, so that whoever shows models need not know which is which. A
// model comes before a route of the same name.
type names struct {
	catalog kserve.Models
	book    *book.Book

	mu     sync.Mutex
	views  map[string]*routeModel
	listed listedNames
}

// listedNames is the last list, and what it was made of.
type listedNames struct {
	models []*catalog.Model
	serial int64
	all    []*catalog.Model
}

// routeModel is a route in the form of a model, and what that was made of.
type routeModel struct {
	plan  *route.Plan
	of    []*catalog.Model // by the plan's targets; nil for one that is not there
	model *catalog.Model
}

var _ kserve.Models = (*names)(nil)

func newNames(models kserve.Models, b *book.Book) *names {
	return &names{catalog: models, book: b, views: map[string]*routeModel{}}
}

// Lookup gives a model, or a route as one. Errors are those of the catalog.
func (n *names) Lookup(name string) (*catalog.Model, error) {
	plan, ok := n.book.Plan(name)
	if !ok {
		m, err := n.catalog.Lookup(name)
		if err != nil && faultOf(err).Code == "model_not_found" {
			return nil, catalog.NoModel(name, n.Models())
		}
		return m, err
	}
	m := n.view(plan)
	if m.Error != "" {
		return nil, fault.New(fault.Unavailable, "backend_unavailable", "the route %q cannot be served: %s", name, m.Error).After(time.Second)
	}
	return m, nil
}

// nodesOf tells the nodes of a graph.
func (n *names) nodesOf(graph string) []nodeView {
	if g, ok := n.catalog.(nodeTeller); ok {
		return g.nodesOf(graph)
	}
	return nil
}

// Ready implements kserve.Models.
func (n *names) Ready() error { return n.catalog.Ready() }

// Models lists models and routes by name.
func (n *names) Models() []*catalog.Model {
	models := n.catalog.Models()
	entries, serial := n.book.Entries()
	if len(entries) == 0 {
		return models
	}
	n.mu.Lock()
	l := n.listed
	n.mu.Unlock()
	if l.all != nil && l.serial == serial && slices.Equal(l.models, models) {
		return l.all
	}
	all := slices.Clone(models)
	for name, e := range entries {
		if _, ok := n.book.Plan(name); ok {
			all = append(all, n.view(e.Plan))
		}
	}
	slices.SortFunc(all, func(a, b *catalog.Model) int { return cmp.Compare(a.Name, b.Name) })
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listed = listedNames{models, serial, all}
	return all
}

// view is the form of a route. It stays the same as long as the route and its models do.
func (n *names) view(plan *route.Plan) *catalog.Model {
	targets := plan.Targets()
	var room [8]*catalog.Model
	of := room[:0]
	for _, t := range targets {
		m, err := n.catalog.Lookup(t.Model)
		if err != nil {
			m = nil
		}
		of = append(of, m)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if v := n.views[plan.Name]; v != nil && v.plan == plan && slices.Equal(v.of, of) {
		return v.model
	}
	v := &routeModel{plan: plan, of: slices.Clone(of), model: asModel(plan, of)}
	n.views[plan.Name] = v
	return v.model
}

// asModel makes the form of a route: what its first model that is there says of itself, with the versions that may answer.
func asModel(plan *route.Plan, of []*catalog.Model) *catalog.Model {
	out := &catalog.Model{Name: plan.Name, Source: catalog.FromRoute}
	var main *catalog.Model
	states := map[string]catalog.Version{}
	for i, t := range plan.Targets() {
		m := of[i]
		if m == nil {
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s is not there", t))
			continue
		}
		if v, err := m.Resolve(string(t.Version)); err == nil {
			states[v.Number] = catalog.Version{Number: v.Number, State: v.State}
			if main == nil {
				main = m
			}
		} else {
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s is not ready: %s", t, faultOf(err).Detail))
		}
	}
	if main == nil {
		out.Error = "none of the models that it leads to is ready: " + strings.Join(out.Warnings, "; ")
		return out
	}
	for _, m := range of {
		if why := unlike(main, m); m != nil && why != "" {
			out.Error = why
			return out
		}
	}
	warnings := out.Warnings
	*out = *main
	out.Name, out.Source, out.Warnings, out.Versions = plan.Name, catalog.FromRoute, warnings, nil
	config := *main.Config
	config.Name = plan.Name
	out.Config = &config
	for _, v := range states {
		out.Versions = append(out.Versions, v)
	}
	slices.SortFunc(out.Versions, func(a, b catalog.Version) int {
		return cmp.Or(cmp.Compare(len(b.Number), len(a.Number)), cmp.Compare(b.Number, a.Number))
	})
	return out
}

// unlike says why two models cannot answer the same requests; "" where they can, as far as their tasks tell.
func unlike(a, b *catalog.Model) string {
	if b == nil || a == b || a.Spec == nil || b.Spec == nil {
		return ""
	}
	if a.Spec.Task != b.Spec.Task {
		return fmt.Sprintf("%s (%s) and %s (%s) have different tasks", a.Name, a.Spec.Task, b.Name, b.Spec.Task)
	}
	if (a.Spec.Preprocess == nil) != (b.Spec.Preprocess == nil) || (len(a.Spec.Input.Columns) == 0) != (len(b.Spec.Input.Columns) == 0) {
		return fmt.Sprintf("%s and %s take different kinds of input: %s and %s", a.Name, b.Name, takes(a), takes(b))
	}
	return ""
}

// takes says what a model is asked with.
func takes(m *catalog.Model) string {
	switch {
	case m.Spec.Preprocess != nil:
		return "pictures"
	case len(m.Spec.Input.Columns) > 0:
		return "rows"
	}
	return "tensors"
}
