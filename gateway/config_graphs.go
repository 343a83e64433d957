package gateway

import (
	"maps"
	"regexp"
	"slices"
)

// Graphs are files of graphs, by the name that each is called by.
type Graphs map[string]string

// graphName is what a graph may be called: it is a model's name to callers.
var graphName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// mostGraphs bounds them, as each is a label of metrics.
const mostGraphs = 200

// check is the section's part of Config.Validate. The files are read when the gateway starts.
func (g Graphs) check(routes Routes) (faults []error) {
	if len(g) > mostGraphs {
		faults = append(faults, bad("graphs: %d graphs; at most %d", len(g), mostGraphs))
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		_, taken := routes[name]
		switch {
		case !graphName.MatchString(name):
			faults = append(faults, bad("graphs: a graph's name has 1 to 128 letters, digits, dots, dashes and underscores, unlike %q", clip(name)))
		case taken:
			faults = append(faults, bad("graphs.%s: there is a route of that name", name))
		case g[name] == "":
			faults = append(faults, bad("graphs.%s: name the graph's file, such as ./graphs/%s.yaml", name, name))
		}
	}
	return faults
}
