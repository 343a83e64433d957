package gateway

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/fault"
)

// imageSuffix ends the names of KServe's image models, which routes have too.
const imageSuffix = ".image"

// routeName is an Invalid fault for a name that a route cannot have.
func routeName(name string) error {
	if err := book.CheckName(name); err != nil {
		return err
	}
	if strings.HasSuffix(name, imageSuffix) {
		return fault.New(fault.Invalid, "invalid_request", "a route's name cannot end in %s, which KServe's image models do", imageSuffix).At("path.name", "not a name")
	}
	return nil
}

// routeFile is the name of the file of routes, in the folder of the jobs.
const routeFile = "routes.json"

// openRoutes opens the book of routes.
func (g *Gateway) openRoutes(ctx context.Context) (*routeSide, error) {
	store, kept := g.records(routeFile)
	b, err := book.New(ctx, book.Options{Base: g.config.Routes, Records: store, Taken: g.graphs.Has, Log: g.log})
	if err != nil {
		return nil, bad("routes: %w", err)
	}
	g.onClose(b.Close)
	side := &routeSide{book: b, models: g.graphs, kept: kept, log: g.log}
	entries, _ := b.Entries()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		for _, w := range side.warnings(entries[name]) {
			g.log.Warn("route needs attention", "route", name, "warning", w)
		}
	}
	return side, nil
}

// routeSide is what HTTP needs of routes. nil is that of a gateway without any.
type routeSide struct {
	book   *book.Book
	models kserve.Models // the catalog
	kept   string        // where
	log    *slog.Logger
	// canaries may be nil.
	canaries *canaries
	// explain decides as the pipeline would; see pipeline.Explain.
	explain func(ctx context.Context, r *pipeline.Request) (*pipeline.Explained, error)
}

// plan is the plan that is asked for by a name; nil where that is no route's.
func (r *routeSide) plan(name string) *route.Plan {
	if r == nil {
		return nil
	}
	plan, _ := r.book.Plan(name)
	return plan
}

// routing tells the pipeline of routes, and counts what they decide.
type routing struct {
	*book.Book
	counts   *routeCounts
	canaries *canaries // nil: nobody judges
}

var _ pipeline.Routes = routing{}

// Chosen implements pipeline.Routes.
func (r routing) Chosen(c *pipeline.Routed) { r.counts.chosen(c) }

// Answered implements pipeline.Routes.
func (r routing) Answered(c *pipeline.Routed, took time.Duration, err error) {
	r.canaries.answered(c, took, err)
}

// routeCounts counts what routes decide. All labels have few values: routes are put by operators, and lead to at most as many models as they list.
type routeCounts struct {
	requests *prometheus.CounterVec
	series   known[routeKeyOf, prometheus.Counter]
}

type routeKeyOf struct{ route, model, version, reason string }

func newRouteCounts() *routeCounts {
	return &routeCounts{requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_route_requests_total",
		Help: "Requests that a route has sent to a model, stored answers included. reason is rule, weight, sticky or fallback."},
		[]string{"route", "model", "version", "reason"})}
}

func (r *routeCounts) chosen(c *pipeline.Routed) {
	key := routeKeyOf{c.Plan.Name, c.Model, c.Version, reasonKind(c.Reason)}
	counter, found := r.series.get(key)
	if !found {
		counter = r.requests.WithLabelValues(key.route, key.model, key.version, key.reason)
		r.series.add(key, counter)
	}
	counter.Inc()
}

// reasonKind is a reason without its particulars: rule of rule[2], sticky of sticky:user.
func reasonKind(reason string) string {
	if i := strings.IndexAny(reason, "[:"); i > 0 {
		return reason[:i]
	}
	return reason
}
