package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// routeDoc is what the commands read of a route's document.
type routeDoc struct {
	Name, Kind, Source, Kept, By string
	Candidates                   []candidateDoc // as they answer now; weights in percent
	Version                      int
	At                           *time.Time
	Spec                         json.RawMessage
	Canary                       *canaryBrief
	Warnings                     []string
}

// candidateDoc is a model, its version and its weight.
type candidateDoc struct {
	Model   string
	Version json.RawMessage // a text, or a number
	Weight  float64
}

// canaryBrief is how far a canary is, in short.
type canaryBrief struct {
	State, Model, Version, Rule, Reason string
	Step, Steps                         int
	Share                               float64 // percent
}

// routeVersionDoc is one change of a route.
type routeVersionDoc struct {
	Version    int
	At         *time.Time
	By, Action string
	Spec       *specDoc
}

// specDoc is what is shown of a route as it is written.
type specDoc struct {
	Candidates []candidateDoc
	Sticky     string
	Rules      []struct {
		When json.RawMessage
		Use  candidateDoc
	}
	Fallback []candidateDoc
	Shadow   *struct {
		candidateDoc
		Percent float64
	}
}

// target is model/version, or the model alone where its policy gives the version.
func (c *candidateDoc) target() string {
	if v := strings.Trim(string(c.Version), `"`); v != "" {
		return c.Model + "/" + v
	}
	return c.Model
}

// number is a share or a weight, as short as it can be.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// percent is a share of 100, to the hundredth: nothing finer is there.
func percent(v float64) string {
	return number(float64(int64(v*100+0.5))/100) + " %"
}

func (r *routeDoc) answers() string {
	parts := make([]string, len(r.Candidates))
	for i := range r.Candidates {
		parts[i] = r.Candidates[i].target() + " " + percent(r.Candidates[i].Weight)
	}
	return strings.Join(parts, ", ")
}

// number is the version of a route; "" where nobody has changed it.
func (r *routeDoc) number() string {
	if r.Version == 0 {
		return ""
	}
	return strconv.Itoa(r.Version)
}

// source is where a route is written.
func (r *routeDoc) source() string {
	switch {
	case r.Kind != "route":
		return r.Kind
	case r.Kept != "":
		return r.Source + " in " + r.Kept
	}
	return r.Source
}

// short is how far a canary is; "" where there is none.
func (c *canaryBrief) short() string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s, step %d of %d, %s", c.State, c.Step, c.Steps, percent(c.Share))
}

// candidates are those of a route as it is written; "" where it was deleted.
func (s *specDoc) candidates() string {
	if s == nil {
		return ""
	}
	parts := make([]string, len(s.Candidates))
	for i := range s.Candidates {
		parts[i] = s.Candidates[i].target() + " " + number(s.Candidates[i].Weight)
	}
	return strings.Join(parts, ", ")
}

// print shows a route as lines.
func (r *routeDoc) print(out io.Writer) error {
	var spec specDoc
	if len(r.Spec) > 0 {
		if err := json.Unmarshal(r.Spec, &spec); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("route", r.Name)
	line("source", r.source())
	line("version", r.number())
	line("changed", stamp(r.At))
	line("by", r.By)
	line("sticky", spec.Sticky)
	for i := range spec.Rules {
		line("rule "+strconv.Itoa(i), string(spec.Rules[i].When)+" -> "+spec.Rules[i].Use.target())
	}
	for i := range r.Candidates {
		line("answers", r.Candidates[i].target()+" "+percent(r.Candidates[i].Weight))
	}
	for i := range spec.Fallback {
		line("fallback "+strconv.Itoa(i), spec.Fallback[i].target())
	}
	if s := spec.Shadow; s != nil {
		line("shadow", s.target()+" "+percent(s.Percent))
	}
	if r.Canary != nil {
		line("canary", (&candidateDoc{Model: r.Canary.Model, Version: json.RawMessage(r.Canary.Version)}).target()+" "+r.Canary.short())
		line("", r.Canary.Reason)
	}
	for _, text := range r.Warnings {
		line("warning", text)
	}
	return w.Flush()
}
