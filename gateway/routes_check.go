package gateway

import (
	"fmt"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/fault"
)

// placed is a target of a spec and where it stands there.
type placed struct {
	route.Target
	at string
}

// placesOf lists all models that a spec names.
func placesOf(s *route.Spec) (list []placed) {
	for i, c := range s.Candidates {
		list = append(list, placed{c.Target, fmt.Sprintf("candidates[%d]", i)})
	}
	for i, r := range s.Rules {
		list = append(list, placed{r.Use, fmt.Sprintf("rules[%d].use", i)})
	}
	for i, t := range s.Fallback {
		list = append(list, placed{t, fmt.Sprintf("fallback[%d]", i)})
	}
	if s.Shadow != nil {
		list = append(list, placed{s.Shadow.Target, "shadow"})
	}
	return list
}

// check refuses a route that could never work with the models that there are: names that nobody has, routes to routes, and models that take different things.
// While the models are not known, nothing is refused. A version that there is not may come; it is a warning.
func (r *routeSide) check(name string, spec *route.Spec) error {
	if err := routeName(name); err != nil {
		return err
	}
	models := r.known()
	if models == nil {
		return nil
	}
	if models[name] != nil {
		return fault.New(fault.Conflict, "conflict", "a model is called %q, and a model comes before a route of its name; choose another name", name)
	}
	faults := fault.New(fault.Invalid, "invalid_request", "")
	var first *catalog.Model
	for _, p := range placesOf(spec) {
		m := models[p.Model]
		what := ""
		switch {
		case m == nil && r.isRoute(p.Model, name):
			what = fmt.Sprintf("%s is a route; a route leads to models alone", clip(p.Model))
		case m == nil:
			what = catalog.NoModel(p.Model, r.models.Models()).Detail
		case m.Spec == nil:
		case first == nil:
			first = m
		default:
			what = unlike(first, m)
		}
		if what != "" {
			faults.At("body."+p.at+".model", what)
		}
	}
	if len(faults.Fields) == 0 {
		return nil
	}
	faults.Detail = "the route is wrong: " + faults.Fields[0].Location + ": " + faults.Fields[0].Message
	return faults
}

func (r *routeSide) isRoute(name, itself string) bool {
	_, found := r.book.Entry(name)
	return found || name == itself
}

// known are the models by name; nil where they are not known yet.
func (r *routeSide) known() map[string]*catalog.Model {
	list := r.models.Models()
	if len(list) == 0 && r.models.Ready() != nil {
		return nil
	}
	models := make(map[string]*catalog.Model, len(list))
	for _, m := range list {
		models[m.Name] = m
	}
	return models
}

// idle tells of what a spec names that is never asked, as happens where a number was left out.
func idle(s *route.Spec) (list []string) {
	for i, c := range s.Candidates {
		if c.Weight == 0 && (s.Canary == nil || s.Canary.Target != c.Target) {
			list = append(list, fmt.Sprintf("candidates[%d]: its weight is 0, so that weights never choose it", i))
		}
	}
	if s.Shadow != nil && s.Shadow.Percent == 0 {
		list = append(list, "shadow: its percent is 0, so that it is never asked")
	}
	return list
}

// warnings are what is wrong with a route that is in force.
func (r *routeSide) warnings(e book.Entry) []string {
	list := []string{}
	if err := r.check(e.Plan.Name, &e.Plan.Spec); err != nil {
		f := faultOf(err)
		if len(f.Fields) == 0 {
			list = append(list, f.Detail)
		}
		for _, field := range f.Fields {
			list = append(list, field.Location[len("body."):]+": "+field.Message)
		}
	}
	if e.Canary != nil && r.kept == keptInMemory {
		list = append(list, "canary: how far it is is kept in memory alone, and it begins anew with this gateway; set cache.redis, or keep jobs in SQLite")
	}
	list = append(list, idle(&e.Plan.Spec)...)
	models := r.known()
	for _, p := range placesOf(&e.Plan.Spec) {
		if m := models[p.Model]; m != nil {
			if _, err := m.Resolve(string(p.Version)); err != nil {
				list = append(list, p.at+": "+faultOf(err).Detail)
			}
		}
	}
	return list
}
