package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// shadowCmd is the commands about a route's shadow.
type shadowCmd struct {
	Show          shadowShowCmd          `cmd:"" help:"Show how often it says the same as those that answer."`
	Disagreements shadowDisagreementsCmd `cmd:"" help:"List the inputs on which it says something else, the worst first."`
}

type shadowShowCmd struct {
	operatorFlags
	Route string `arg:"" help:"The route."`
}

// Run shows the shadow beside each that answers.
func (c *shadowShowCmd) Run(ctx context.Context, e *Env) error {
	return show(ctx, e, &c.operatorFlags, routePath(c.Route)+"/shadow", (*shadowDoc).print)
}

// shadowDoc is what there is to know of a route's shadow.
type shadowDoc struct {
	Route  string
	Shadow *struct {
		candidateDoc
		Percent float64
	}
	Pairs []struct {
		Primary, Shadow, Failure string
		Outcomes                 map[string]uint64
		Agreement                *float64
		MeanDistance             *float64   `json:"mean_distance"`
		MeanSeconds              *float64   `json:"mean_seconds"`
		FailedAt                 *time.Time `json:"failed_at"`
		Figures                  map[string]float64
	}
}

func (d *shadowDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "route\t%s\n", d.Route)
	if d.Shadow != nil {
		fmt.Fprintf(w, "shadow\t%s %s\n", d.Shadow.target(), percent(d.Shadow.Percent))
	} else {
		fmt.Fprintln(w, "shadow\tnone")
	}
	for i := range d.Pairs {
		p := &d.Pairs[i]
		fmt.Fprintf(w, "\npair\t%s beside %s\n", p.Shadow, p.Primary)
		for _, outcome := range slices.Sorted(maps.Keys(p.Outcomes)) {
			fmt.Fprintf(w, "%s\t%d\n", outcome, p.Outcomes[outcome])
		}
		for _, f := range []struct {
			name, form string
			value      *float64
		}{{"agreement", "%.4g", p.Agreement}, {"mean distance", "%.4g", p.MeanDistance}, {"mean time", "%.4g s", p.MeanSeconds}} {
			if f.value != nil {
				fmt.Fprintf(w, "%s\t"+f.form+"\n", f.name, *f.value)
			}
		}
		fmt.Fprintf(w, "figures\t%s\n", figures(p.Figures))
		if p.Failure != "" {
			fmt.Fprintf(w, "last failure\t%s, %s\n", p.Failure, stamp(p.FailedAt))
		}
	}
	return w.Flush()
}

// figures are numbers with their names, by name.
func figures(of map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, name+" "+strconv.FormatFloat(of[name], 'g', 4, 64))
	}
	return strings.Join(parts, ", ")
}

type shadowDisagreementsCmd struct {
	operatorFlags
	Route string `arg:"" help:"The route."`
}

// Run prints a table; the pictures and the answers are in the gateway's own document.
func (c *shadowDisagreementsCmd) Run(ctx context.Context, e *Env) error {
	return show(ctx, e, &c.operatorFlags, routePath(c.Route)+"/disagreements", (*disagreementsDoc).print)
}

// disagreementsDoc lists the inputs, the worst first.
type disagreementsDoc struct{ Disagreements []disagreementDoc }

func (d *disagreementsDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DISTANCE\tPRIMARY\tSHADOW\tINPUT\tAT\tFIGURES")
	for i := range d.Disagreements {
		x := &d.Disagreements[i]
		fmt.Fprintln(w, strings.Join([]string{strconv.FormatFloat(x.Distance, 'f', 3, 64), x.Primary, x.Shadow, x.input(), stamp(x.At), clipLine(x.why(), 100)}, "\t"))
	}
	return w.Flush()
}

// disagreementDoc is an input that two models answered differently.
type disagreementDoc struct {
	At                   *time.Time
	Primary, Shadow, Why string
	Distance             float64
	Figures              map[string]float64
	Input                *struct {
		Kind, SHA256  string
		Width, Height int
	}
}

// input is what was asked about; "" where there was no room for it.
func (d *disagreementDoc) input() string {
	switch {
	case d.Input == nil:
		return ""
	case d.Input.Width > 0:
		return fmt.Sprintf("%s %dx%d %.12s", d.Input.Kind, d.Input.Width, d.Input.Height, d.Input.SHA256)
	}
	return fmt.Sprintf("%s %.12s", d.Input.Kind, d.Input.SHA256)
}

func (d *disagreementDoc) why() string {
	if d.Why != "" {
		return d.Why
	}
	return figures(d.Figures)
}
