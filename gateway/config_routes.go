package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
)

// Routes are names over several models, by name. In the environment they are JSON.
type Routes map[string]route.Spec

// parseRoutes reads them from the environment.
func parseRoutes(text string) (r Routes, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err = d.Decode(&r); err != nil {
		return nil, fmt.Errorf(`not JSON such as {"shapes-ab":{"candidates":[{"model":"shapes","version":1,"weight":90},{"model":"shapes","version":2,"weight":10}]}}: %w`, err)
	}
	return r, nil
}

// check is the section's part of Config.Validate. Whether the models are there is not known yet.
func (r Routes) check() (faults []error) {
	if len(r) > book.MostRoutes {
		faults = append(faults, bad("routes: %d routes; at most %d", len(r), book.MostRoutes))
	}
	led := map[string][]string{} // routes that others lead to, or themselves, and from where
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if err := routeName(name); err != nil {
			faults = append(faults, bad("routes: %s, unlike %q", faultOf(err).Detail, clip(name)))
			continue
		}
		plan, err := route.Compile(name, r[name], nil)
		if err != nil {
			faults = append(faults, each(err, func(e error) error { return bad("routes.%s.%w", name, e) })...)
			continue
		}
		for _, t := range leadsTo(plan) {
			if _, found := r[t.Model]; found && !slices.Contains(led[t.Model], name) {
				led[t.Model] = append(led[t.Model], name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(led)) {
		faults = append(faults, bad("routes.%s: a route leads to models alone, and %s to this route; where a model is called %s, give the route another name", name, ledBy(led[name]), name))
	}
	return faults
}

// ledBy names the routes that lead to another one, the first few of them.
func ledBy(names []string) string {
	const show = 3
	if len(names) == 1 {
		return "route " + names[0] + " leads"
	}
	text := "routes " + strings.Join(names[:min(show, len(names))], ", ")
	if len(names) > show {
		text += ", ..."
	}
	return text + " lead"
}

// each turns the errors that one joins into others.
func each(err error, turn func(error) error) (list []error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{turn(err)}
	}
	for _, e := range joined.Unwrap() {
		list = append(list, turn(e))
	}
	return list
}

// leadsTo are all models that a route asks: its targets, and its shadow.
func leadsTo(p *route.Plan) []route.Target {
	if p.Spec.Shadow == nil {
		return p.Targets()
	}
	return append(slices.Clip(p.Targets()), p.Spec.Shadow.Target)
}
