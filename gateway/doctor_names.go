package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/records"
)

// examineNames looks at what is called as a model is and is none: graphs and routes. Of routes that operators put it sees those that are kept in a file.
func examineNames(ctx context.Context, c Config, models *catalog.Catalog, quiet *slog.Logger, yield func(Check) bool) bool {
	g, err := openGraphs(c.Graphs, models)
	if err != nil {
		for _, e := range each(err, func(e error) error { return e }) {
			if !yield(Check{Wrong, "graphs", publicText(e), "mend the file, or its name; docs/guide/graphs.md has every key"}) {
				return false
			}
		}
	}
	g.routed = func(name string) bool { _, found := c.Routes[name]; return found }
	for _, name := range g.names {
		if !examineGraph(g, name, yield) {
			return false
		}
	}
	var store records.Store = noRecords{}
	if folder := c.Jobs.Queue.folder(); folder != "" && c.Cache.Redis == "" {
		store = book.NewFile(filepath.Join(folder, routeFile))
	}
	b, err := book.New(ctx, book.Options{Base: c.Routes, Records: store, Taken: g.Has, Log: quiet})
	if err != nil {
		return yield(Check{Wrong, "routes", publicText(err), "mend it in gateway.yaml; docs/guide/routes.md has every key"})
	}
	defer b.Close()
	side := &routeSide{book: b, models: g}
	entries, _ := b.Entries()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if !examineRoute(side, entries[name], yield) {
			return false
		}
	}
	return true
}

func examineGraph(g *graphs, name string, yield func(Check) bool) bool {
	e := g.byName[name]
	subject := "graph " + name
	if g.Catalog.Has(name) {
		return yield(Check{Odd, subject, "a model has this name, and a model comes before a graph", "give the graph another name"})
	}
	v := e.view(g)
	if v.model.Error != "" {
		return yield(Check{Wrong, subject, v.model.Error, "mend the graph, or the models that it asks"})
	}
	var asks []string
	for i, u := range e.Uses() {
		if of := u.Model + "@" + v.versions[i]; !slices.Contains(asks, of) {
			asks = append(asks, of)
		}
	}
	return yield(Check{Fine, subject, fmt.Sprintf("%s, asks %s", v.task, strings.Join(asks, ", ")), ""})
}

func examineRoute(side *routeSide, e book.Entry, yield func(Check) bool) bool {
	subject := "route " + e.Plan.Name
	warnings := side.warnings(e)
	for _, w := range warnings {
		if !yield(Check{Odd, subject, w, "change the route, or bring the model"}) {
			return false
		}
	}
	if len(warnings) > 0 {
		return true
	}
	var to []string
	for _, t := range e.Plan.Targets() {
		to = append(to, t.String())
	}
	from := "from the settings"
	if e.Number > 0 {
		from = fmt.Sprintf("version %d", e.Number)
	}
	return yield(Check{Fine, subject, fmt.Sprintf("%s, leads to %s", from, strings.Join(to, ", ")), ""})
}

// noRecords is a store of routes in which there are none.
type noRecords struct{}

func (noRecords) Load(context.Context, string) ([]byte, error) { return nil, nil }

func (noRecords) Swap(context.Context, string, []byte, []byte) (bool, error) { return false, nil }
