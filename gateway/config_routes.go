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
			if _, found := r[t.Model]; found {
				faults = append(faults, bad("routes.%s: %s is a route itself; a route leads to models alone", name, t.Model))
			}
		}
	}
	return faults
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
