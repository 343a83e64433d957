package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
)

// routesCmd is the commands about names over several models. They talk to a gateway that runs: what is in force is asked there.
type routesCmd struct {
	Ls       routesLsCmd       `cmd:"" help:"List the routes: who answers by which share."`
	Get      routesGetCmd      `cmd:"" help:"Show a route."`
	Explain  routesExplainCmd  `cmd:"" help:"Say what would answer a request, and why, without running anything."`
	Put      routesPutCmd      `cmd:"" help:"Make a route, or change it, while traffic runs."`
	Rm       routesRmCmd       `cmd:"" help:"Take a stored route out of force."`
	History  routesHistoryCmd  `cmd:"" help:"List a route's last changes, with who and when."`
	Rollback routesRollbackCmd `cmd:"" help:"Put an earlier version of a route into force."`
}

type routesLsCmd struct {
	gatewayFlags
	Models bool `help:"Models too, which are routes to themselves."`
}

// Run prints a table, with what is wrong under each route.
func (c *routesLsCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	raw, err := gw.ask(ctx, "GET", "/v1/routes")
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.Out, json.RawMessage(raw))
	}
	list, err := read[struct{ Routes []routeDoc }](raw)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tANSWERS\tCANARY\tSOURCE\tCHANGED\tBY")
	models := 0
	for i := range list.Routes {
		r := &list.Routes[i]
		if r.Kind != "route" {
			if models++; !c.Models {
				continue
			}
		}
		fmt.Fprintln(w, strings.Join([]string{r.Name, r.number(), r.answers(), r.Canary.short(), r.source(), stamp(r.At), r.By}, "\t"))
		for _, text := range r.Warnings {
			fmt.Fprintf(w, "  warning: %s\t\t\t\t\t\t\n", text)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if models > 0 && !c.Models {
		fmt.Fprintf(e.Err, "%s left out, which are routes to themselves; --models lists them too\n", plural(models, "model"))
	}
	return nil
}

type routesGetCmd struct {
	gatewayFlags
	Name string `arg:"" help:"The route."`
	Spec bool   `help:"Print what is written of it alone, in JSON: put takes it back."`
}

// Run shows a route as lines.
func (c *routesGetCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	raw, err := gw.ask(ctx, "GET", routePath(c.Name))
	if err != nil {
		return err
	}
	if c.JSON && !c.Spec {
		return printJSON(e.Out, json.RawMessage(raw))
	}
	r, err := read[routeDoc](raw)
	switch {
	case err != nil:
		return err
	case !c.Spec:
		return r.print(e.Out)
	case len(r.Spec) == 0:
		return fmt.Errorf("%s is a model: nothing is written of it as a route", c.Name)
	}
	return printJSON(e.Out, r.Spec)
}

type routesHistoryCmd struct {
	operatorFlags
	Name string `arg:"" help:"The route."`
}

// Run prints a table, the newest change first.
func (c *routesHistoryCmd) Run(ctx context.Context, e *Env) error {
	return show(ctx, e, &c.operatorFlags, routePath(c.Name)+"/versions", (*routeVersionsDoc).print)
}

// routeVersionsDoc lists the changes of a route, the newest first.
type routeVersionsDoc struct{ Versions []routeVersionDoc }

func (d *routeVersionsDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tACTION\tAT\tBY\tCANDIDATES")
	for _, v := range d.Versions {
		fmt.Fprintln(w, strings.Join([]string{strconv.Itoa(v.Version), v.Action, stamp(v.At), v.By, v.Spec.candidates()}, "\t"))
	}
	return w.Flush()
}

// routePath is where a route is asked about.
func routePath(name string) string { return "/v1/routes/" + url.PathEscape(name) }

// read reads what a gateway has answered.
func read[T any](raw []byte) (T, error) {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("the answer is not JSON: %w", err)
	}
	return v, nil
}
