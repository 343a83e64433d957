package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/preprocess/opencv"
)

// ImageEngine says in a few words what decodes pictures in this build.
func ImageEngine() string {
	if !opencv.Available {
		return "none: built without OpenCV (build with cgo and -tags gocv_specific_modules)"
	}
	return "libjpeg-turbo, OpenCV"
}

// Banner says where everything is, for people.
func (g *Gateway) Banner() string {
	base := g.public.scheme() + shown(g.Addr())
	var b strings.Builder
	fmt.Fprintf(&b, "triton-gateway %s\n", g.server.build.Version)
	runs := "embedded ONNX Runtime"
	if len(g.config.Triton.Endpoints) > 0 {
		runs = "Triton at " + strings.Join(g.config.Triton.Endpoints, ", ")
	}
	fmt.Fprintf(&b, "  backend   %s\n  images    %s\n", runs, ImageEngine())
	for _, m := range g.graphs.Models() {
		state := "ready"
		if !m.Ready() {
			state = "NOT READY: " + newModels(g.graphs).show(m).reason()
		}
		kind, what := "model", ""
		if m.Source == catalog.FromGraph {
			kind = "graph"
		}
		if m.Spec != nil {
			what = string(m.Spec.Task)
		}
		fmt.Fprintf(&b, "  %s     %-20s %-24s %s\n", kind, m.Name, what, state)
	}
	if g.server.routes != nil {
		entries, _ := g.server.routes.book.Entries()
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if plan := entries[name].Plan; plan != nil {
				fmt.Fprintf(&b, "  route     %-20s %-24s %s\n", name, shownTargets(plan), g.routeState(name))
			}
		}
	}
	if len(g.catalog.Models()) == 0 {
		b.WriteString("  model     none yet; `triton-gateway doctor` says why\n")
	}
	switch {
	case g.force.service == nil:
		b.WriteString("  jobs      none\n")
	case g.force.works:
		fmt.Fprintf(&b, "  jobs      %s, %d at a time\n", g.config.Jobs.Queue, g.config.Jobs.Workers)
	default:
		fmt.Fprintf(&b, "  jobs      %s, worked on by others\n", g.config.Jobs.Queue)
	}
	if g.public.Listener != nil {
		fmt.Fprintf(&b, "  page      %s/\n  docs      %s/docs\n  kserve    %s/v2\n", base, base, base)
	}
	if g.grpc != nil {
		scheme := ""
		if g.grpcTLS != nil {
			scheme = "grpcs://"
		}
		fmt.Fprintf(&b, "  grpc      %s%s\n", scheme, shown(g.grpc.Addr().String()))
	}
	if g.admin.Listener != nil {
		fmt.Fprintf(&b, "  admin     %s%s/metrics\n", g.admin.scheme(), shown(g.admin.Addr().String()))
	}
	for _, m := range g.catalog.Models() {
		if g.public.Listener == nil {
			break
		}
		if samples := m.Samples(); m.Ready() && m.Spec.Preprocess != nil && len(samples) > 0 {
			fmt.Fprintf(&b, "  try       curl -F image=@%s/golden/%s %s/v1/models/%s/infer\n", m.Dir, samples[0], base, m.Name)
			break
		}
	}
	return b.String()
}

// shownTargets names the candidates of a route, and how many others it may choose.
func shownTargets(plan *route.Plan) string {
	var list []string
	for _, c := range plan.Spec.Candidates {
		list = append(list, targetName(c.Target))
	}
	text := strings.Join(list, ", ")
	if others := len(plan.Targets()) - len(list); others > 0 {
		text = fmt.Sprintf("%s and %d more", text, others)
	}
	return text
}

// routeState says whether a route answers, and why not.
func (g *Gateway) routeState(name string) string {
	m, err := g.server.models.Lookup(name)
	switch {
	case err != nil:
		return "NOT READY: " + faultOf(err).Detail
	case m.Kind != kindRoute:
		return "HIDDEN: a " + cmp.Or(m.Kind, kindModel) + " has its name"
	case !m.ready():
		return "NOT READY: " + m.reason()
	}
	return "ready"
}

// shown writes loopback addresses the way people type them.
func shown(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && (host == "127.0.0.1" || host == "::1") {
		return net.JoinHostPort("localhost", port)
	}
	return address
}
