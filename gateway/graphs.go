package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/graph"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

// graphs are the models of the catalog, and graphs of them in the form of models, so that whoever looks a name up need not know which is which. A model comes
// before a graph of the same name. Graphs ask models alone: they look them up in the catalog.
type graphs struct {
	*catalog.Catalog
	byName map[string]*graphEntry
	names  []string               // sorted
	routed func(name string) bool // whether that is a route; nil: there are none

	mu     sync.Mutex
	listed []*catalog.Model // the last list,
	of     []*catalog.Model // and the models that it was made of
}

var _ pipeline.Models = (*graphs)(nil)

// graphEntry is one graph.
type graphEntry struct {
	*graph.Graph
	name string

	mu  sync.Mutex
	now *graphView
}

// graphView is a graph at one moment. It is never changed.
type graphView struct {
	model    *catalog.Model
	of       []*catalog.Model // by the graph's uses; nil for one that is not there
	why      []string         // that is so, by the graph's uses
	versions []string         // that answer, by the graph's uses
	task     task.Name        // of the answer
}

// openGraphs reads the files. An error names the graph, the file and the place in it.
func openGraphs(files Graphs, models *catalog.Catalog) (*graphs, error) {
	g := &graphs{Catalog: models, byName: map[string]*graphEntry{}}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := readGraph(files[name])
		if err == nil {
			var read *graph.Graph
			if read, err = graph.Parse(text); err == nil {
				g.byName[name] = &graphEntry{Graph: read, name: name}
				g.names = append(g.names, name)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("graphs.%s: %s: %w", name, files[name], err))
		}
	}
	return g, errors.Join(faults...)
}

func readGraph(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			return nil, p.Err
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, graph.MostBytes+1)) // Parse refuses more than MostBytes
}

// Has reports whether there is a model or a graph of that name, one that cannot be served included.
func (g *graphs) Has(name string) bool { return g.byName[name] != nil || g.Catalog.Has(name) }

// Lookup gives a model, or a graph as one. Errors are those of the catalog.
func (g *graphs) Lookup(name string) (*catalog.Model, error) {
	e, ok := g.byName[name]
	switch {
	case g.Catalog.Has(name) || !g.Loaded():
		return g.Catalog.Lookup(name)
	case !ok:
		return nil, catalog.NoModel(name, g.Models())
	}
	m := e.view(g).model
	if m.Error != "" {
		return nil, fault.New(fault.Unavailable, "backend_unavailable", "the graph %q cannot be served: %s", name, m.Error).After(time.Second)
	}
	return m, nil
}

// Models lists models and graphs by name.
func (g *graphs) Models() []*catalog.Model {
	models := g.Catalog.Models()
	if len(g.names) == 0 || !g.Loaded() {
		return models
	}
	of := slices.Clone(models)
	for _, name := range g.names {
		if !g.Catalog.Has(name) {
			of = append(of, g.byName[name].view(g).model)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.of, of) {
		g.of, g.listed = of, slices.Clone(of)
		slices.SortFunc(g.listed, func(a, b *catalog.Model) int { return cmp.Compare(a.Name, b.Name) })
	}
	return g.listed
}

// view is the form of a graph. It stays the same as long as its models do.
func (e *graphEntry) view(g *graphs) *graphView {
	uses := e.Uses()
	of := make([]*catalog.Model, len(uses))
	why := make([]string, len(uses))
	for i := range uses {
		of[i], why[i] = g.ask(uses[i].Model)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now == nil || !slices.Equal(e.now.of, of) || !slices.Equal(e.now.why, why) {
		e.now = e.make(uses, of, why)
	}
	return e.now
}

// ask looks up a model that a graph asks; nil and the reason where it cannot be asked.
func (g *graphs) ask(name string) (*catalog.Model, string) {
	if !g.Catalog.Has(name) {
		if g.byName[name] != nil {
			return nil, fmt.Sprintf("%q is a graph, and a graph asks models alone", name)
		}
		if g.routed != nil && g.routed(name) {
			return nil, fmt.Sprintf("%q is a route, and a graph asks models alone; name one of the models that it leads to", name)
		}
	}
	m, err := g.Catalog.Lookup(name)
	if err != nil {
		return nil, faultOf(err).Detail
	}
	return m, ""
}
