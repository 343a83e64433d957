package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// canaryCmd is the commands about a route's canary.
type canaryCmd struct {
	Show     canaryShowCmd     `cmd:"" help:"Show how far it is and why, what speaks against it, and its moves."`
	Pause    canaryPauseCmd    `cmd:"" help:"Keep it at its step."`
	Resume   canaryResumeCmd   `cmd:"" help:"Let it go on; one that went back begins anew at the first step."`
	Promote  canaryPromoteCmd  `cmd:"" help:"Give it everything now."`
	Rollback canaryRollbackCmd `cmd:"" help:"Take everything from it now."`
}

// canaryChange is what all that is said to a canary has.
type canaryChange struct {
	changeFlags
	Route string `arg:"" help:"The route."`
}

// say sends one word about the canary.
func (c *canaryChange) say(ctx context.Context, e *Env, word string) error {
	header, err := c.header()
	if err != nil {
		return err
	}
	return c.change(ctx, e, http.MethodPost, routePath(c.Route)+"/"+word, header, nil)
}

type canaryPauseCmd struct{ canaryChange }

// Run pauses.
func (c *canaryPauseCmd) Run(ctx context.Context, e *Env) error { return c.say(ctx, e, "pause") }

type canaryResumeCmd struct{ canaryChange }

// Run resumes.
func (c *canaryResumeCmd) Run(ctx context.Context, e *Env) error { return c.say(ctx, e, "resume") }

type canaryPromoteCmd struct{ canaryChange }

// Run promotes.
func (c *canaryPromoteCmd) Run(ctx context.Context, e *Env) error { return c.say(ctx, e, "promote") }

type canaryRollbackCmd struct{ canaryChange }

// Run ends the canary. Of a route that has none it would undo the last change, so that is asked first.
func (c *canaryRollbackCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	if _, err := gw.ask(ctx, http.MethodGet, routePath(c.Route)+"/canary"); err != nil {
		return gw.elsewhere(err)
	}
	return c.say(ctx, e, "rollback")
}

type canaryShowCmd struct {
	operatorFlags
	Route string `arg:"" help:"The route."`
}

// Run shows the canary as lines, and its moves as a table.
func (c *canaryShowCmd) Run(ctx context.Context, e *Env) error {
	return show(ctx, e, &c.operatorFlags, routePath(c.Route)+"/canary", (*canaryDoc).print)
}

// canaryDoc is what there is to know of a canary.
type canaryDoc struct {
	Route, Control string
	canaryBrief
	Since   *time.Time
	Answers *struct {
		Canary, Control struct{ Answers, Failures int }
		Compared        struct{ Inputs, Otherwise int }
	}
	Evidence map[string]float64
	History  []struct {
		Version, Step                   int
		At                              *time.Time
		By, Action, State, Rule, Reason string
		Share                           float64
	}
}

func (d *canaryDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	of := candidateDoc{Model: d.Model, Version: json.RawMessage(d.Version)}
	fmt.Fprintf(w, "route\t%s\ncanary\t%s\ncontrol\t%s\nstate\t%s\nstep\t%d of %d\nshare\t%s\n", d.Route, of.target(), d.Control, d.State, d.Step, d.Steps, percent(d.Share))
	if d.Rule != "" {
		fmt.Fprintf(w, "rule\t%s\n", d.Rule)
	}
	if d.Reason != "" {
		fmt.Fprintf(w, "reason\t%s\n", d.Reason)
	}
	if d.Since != nil {
		fmt.Fprintf(w, "watched since\t%s\n", stamp(d.Since))
	}
	if a := d.Answers; a != nil {
		fmt.Fprintf(w, "answers\t%d, %d failed; control %d, %d failed\ncompared\t%d, %d otherwise\n",
			a.Canary.Answers, a.Canary.Failures, a.Control.Answers, a.Control.Failures, a.Compared.Inputs, a.Compared.Otherwise)
	}
	for _, rule := range slices.Sorted(maps.Keys(d.Evidence)) {
		fmt.Fprintf(w, "evidence\t%s %.2f\n", rule, d.Evidence[rule]) // above 1 it goes back
	}
	if err := w.Flush(); err != nil || len(d.History) == 0 {
		return err
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tACTION\tSTATE\tSTEP\tSHARE\tAT\tBY\tREASON")
	for _, m := range d.History {
		fmt.Fprintln(w, strings.Join([]string{strconv.Itoa(m.Version), m.Action, m.State, strconv.Itoa(m.Step), percent(m.Share), stamp(m.At), m.By, clipLine(m.Reason, 100)}, "\t"))
	}
	return w.Flush()
}
