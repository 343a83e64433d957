package gateway

import (
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
)

// switchable refuses what is called as a model is and has no versions of its own: routes and graphs. Of a name that nobody has it says nothing.
func (s *server) switchable(name string) error {
	if err := s.switches.there(); err != nil {
		return err
	}
	if s.switches.catalog.Has(name) {
		return nil
	}
	if s.routes.plan(name) != nil {
		return fault.New(fault.NotFound, "model_not_found", "%q is a route, and a switch is of a model; PUT /v1/routes/%s moves its traffic, and the models that it leads to can be switched", clip(name), clip(name))
	}
	for _, m := range s.models.List() {
		if m.Name == name && m.Source == catalog.FromGraph {
			return fault.New(fault.NotFound, "model_not_found", "%q is a graph, and a switch is of a model; switch the models that it asks", clip(name))
		}
	}
	return nil
}
