package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// changeFlags say what is to be changed: only what is still as it was when somebody looked.
type changeFlags struct {
	operatorFlags
	IfMatch *int `placeholder:"N" help:"Only if the route's version is still this one, as get shows it; otherwise nothing is changed."`
}

// header is If-Match; none where no version was named.
func (f *changeFlags) header() (http.Header, error) {
	switch {
	case f.IfMatch == nil:
		return http.Header{}, nil
	case *f.IfMatch < 0:
		return nil, failure{2, fmt.Sprintf("--if-match is %d; versions begin with 0, which is the route of gateway.yaml", *f.IfMatch)}
	}
	return http.Header{"If-Match": {strconv.Quote(strconv.Itoa(*f.IfMatch))}}, nil
}

// change sends a change of a route, and shows what is in force then.
func (f *changeFlags) change(ctx context.Context, e *Env, method, path string, header http.Header, body []byte) error {
	gw, err := f.reach(e)
	if err != nil {
		return err
	}
	raw, _, err := gw.send(ctx, method, path, header, body)
	if err != nil {
		return gw.elsewhere(err)
	}
	if f.JSON {
		return printJSON(e.Out, json.RawMessage(raw))
	}
	r, err := read[routeDoc](raw)
	if err != nil {
		return err
	}
	if len(r.Candidates) == 0 && len(r.Spec) == 0 {
		fmt.Fprintf(e.Out, "%s is no route any more: before it there was none\n", r.Name)
		return nil
	}
	text := r.Name
	if r.Version > 0 {
		text += " version " + r.number()
	}
	fmt.Fprintf(e.Out, "%s: %s\n", text, r.answers())
	if r.Canary != nil {
		fmt.Fprintf(e.Out, "canary: %s\n", r.Canary.short())
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(e.Err, "warning: %s\n", text)
	}
	return nil
}

// elsewhere says which listener to ask, where it was the wrong one.
func (gw *askedGateway) elsewhere(err error) error {
	var r *refusal
	var p *refused
	if errors.As(err, &r) && r.status == http.StatusForbidden && errors.As(r.text, &p) && p.code == "forbidden" && gw.header.Get(headerKey) == "" {
		return fmt.Errorf("%w; --url names it, such as %s", err, defaultAdmin)
	}
	return err
}

type routesPutCmd struct {
	changeFlags
	Name string `arg:"" help:"The route."`
	File string `arg:"" help:"YAML or JSON with candidates, sticky, rules, fallback, shadow and canary; - for standard input."`
	New  bool   `help:"Only if there is no such route yet."`
}

// Run sends the route as a whole.
func (c *routesPutCmd) Run(ctx context.Context, e *Env) error {
	header, err := c.header()
	switch {
	case err != nil:
		return err
	case c.New && c.IfMatch != nil:
		return failure{2, "--new and --if-match do not go together"}
	case c.New:
		header.Set("If-None-Match", "*")
	}
	header.Set("Content-Type", "application/json")
	body, err := readRoute(c.File)
	if err != nil {
		return err
	}
	return c.change(ctx, e, http.MethodPut, routePath(c.Name), header, body)
}

type routesRmCmd struct {
	changeFlags
	Name string `arg:"" help:"The route."`
}

// Run takes the route out of force.
func (c *routesRmCmd) Run(ctx context.Context, e *Env) error {
	header, err := c.header()
	if err != nil {
		return err
	}
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	if _, _, err := gw.send(ctx, http.MethodDelete, routePath(c.Name), header, nil); err != nil {
		return gw.elsewhere(err)
	}
	if c.JSON {
		return printJSON(e.Out, map[string]string{"deleted": c.Name})
	}
	fmt.Fprintf(e.Out, "%s is out of force; one of gateway.yaml of the same name is in force again\n", c.Name)
	return nil
}

type routesRollbackCmd struct {
	changeFlags
	Name    string `arg:"" help:"The route."`
	Version int    `placeholder:"N" help:"The version to go back to, as history lists them; none: the one before the one in force."`
}

// Run puts the earlier version into force.
func (c *routesRollbackCmd) Run(ctx context.Context, e *Env) error {
	header, err := c.header()
	if err != nil {
		return err
	}
	path := routePath(c.Name) + "/rollback"
	switch {
	case c.Version < 0:
		return failure{2, fmt.Sprintf("--version is %d; versions begin with 1", c.Version)}
	case c.Version > 0:
		path += "?" + url.Values{"version": {strconv.Itoa(c.Version)}}.Encode()
	}
	return c.change(ctx, e, http.MethodPost, path, header, nil)
}
