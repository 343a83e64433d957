package gateway

import (
	"context"
	"image"
	"log/slog"

	"triton-gateway/gateway/graph"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// graphRunner runs graphs for the pipeline.
type graphRunner struct {
	*graphs
	log *slog.Logger
}

var _ pipeline.Composer = graphRunner{}

// Compose implements pipeline.Composer.
func (g graphRunner) Compose(ctx context.Context, c *pipeline.Composition) ([]byte, bool, error) {
	e, ok := g.byName[c.Model.Name]
	if !ok {
		return nil, false, fault.New(fault.Internal, "internal", "there is no graph %q", c.Model.Name)
	}
	v := e.view(g.graphs)
	if v.model.Error != "" {
		return nil, false, fault.New(fault.Unavailable, "backend_unavailable", "the graph %q cannot be served: %s", e.name, v.model.Error)
	}
	uses := e.Uses()
	a, err := e.Run(ctx, graphCalls{c, uses, v.versions}, graph.Input{Width: c.Width, Height: c.Height, Options: c.Options, Task: v.task, Known: v.known(uses)})
	if err != nil {
		return nil, false, err
	}
	for i := range a.Steps {
		if s := &a.Steps[i]; s.Err != nil && fault.KindOf(s.Err) == fault.Internal {
			g.log.ErrorContext(ctx, "a node of a graph failed", "graph", e.name, "node", s.Node, "error", s.Err)
		}
	}
	return a.AppendJSON(nil), a.Whole() && v.model == c.Model, nil // a model that was loaded anew since the key was made is another answer
}

// graphCalls asks the models of one request.
type graphCalls struct {
	c        *pipeline.Composition
	uses     []graph.Use
	versions []string // that were ready when the request's key was made
}

var _ graph.Runner = graphCalls{}

// Run implements graph.Runner.
func (a graphCalls) Run(ctx context.Context, call *graph.Call) (postprocess.Result, error) {
	version := call.Version
	for i, u := range a.uses {
		if u.Model == call.Model && u.Version == call.Version {
			version = a.versions[i]
		}
	}
	var part *image.Rectangle
	if r := call.Region; r != nil {
		cut := image.Rect(r.X0, r.Y0, r.X1, r.Y1)
		part = &cut
	}
	out, err := a.c.Ask(ctx, call.Model, version, part, call.Options)
	if err != nil {
		return postprocess.Result{}, err
	}
	return *out, nil
}
