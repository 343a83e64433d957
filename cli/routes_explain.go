package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"
)

type routesExplainCmd struct {
	gatewayFlags
	Name string `arg:"" help:"A route, or a model."`
	File string `arg:"" optional:"" help:"What would be sent to infer: a picture, or a JSON file; - for standard input. None: any request. Headers that rules ask for go with --header."`
}

// Run says who would answer.
func (c *routesExplainCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	header := http.Header{}
	var body []byte
	if c.File != "" {
		if body, err = readInput(c.File); err != nil {
			return err
		}
		header.Set("Content-Type", kindOf(body))
	}
	raw, _, err := gw.send(ctx, http.MethodPost, routePath(c.Name)+"/explain", header, body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.Out, json.RawMessage(raw))
	}
	x, err := read[struct {
		Route, Model, Version, Reason, Task string
		TaskSource                          string `json:"task_source"`
		Shadow                              bool
	}](raw)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "route\t%s\nanswers\t%s/%s\nreason\t%s\ntask\t%s, from %s\n", x.Route, x.Model, x.Version, x.Reason, x.Task, x.TaskSource)
	if x.Shadow {
		fmt.Fprintf(w, "shadow\tis asked too\n")
	}
	return w.Flush()
}

// kindOf is the content type of what is sent to infer: an object is JSON, and of all else the gateway looks at the bytes.
func kindOf(data []byte) string {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return "application/json"
	}
	return "application/octet-stream"
}
