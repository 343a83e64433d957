package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// switchCmd is the commands by which a model goes to another version on all of its servers.
type switchCmd struct {
	To       switchToCmd       `cmd:"" default:"withargs" help:"Switch: load the version everywhere, verify it, warm it up, and point the traffic to it."`
	Show     switchShowCmd     `cmd:"" help:"Show which version serves, and how far a switch is."`
	Rollback switchRollbackCmd `cmd:"" help:"Go back to the version that was kept; a matter of milliseconds."`
	Settle   switchSettleCmd   `cmd:"" help:"Unload the version that was kept, now."`
	Rm       switchRmCmd       `cmd:"" help:"Leave the choice of the version to the model server again."`
}

// switchDoc is what the commands read of a switch.
type switchDoc struct {
	Model, Serving, Phase, From, To, Reason, By string
	Until, At                                   *time.Time
	Kept                                        string `json:"kept_in"`
	Replicas                                    []struct {
		Replica string
		Steps   []struct {
			Step, Error string
			Took        float64 `json:"took_ms"`
		}
	}
}

// stands is how far a switch is, in a few words.
func (d *switchDoc) stands() string {
	text := d.Phase
	if d.From != "" && d.To != "" {
		text += fmt.Sprintf(" (%s to %s)", d.From, d.To)
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

func (d *switchDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, l := range []struct{ name, value string }{{"model", d.Model}, {"serving", d.Serving}, {"phase", d.stands()}, {"kept until", stamp(d.Until)},
		{"asked at", stamp(d.At)}, {"by", d.By}, {"written down in", d.Kept}} {
		if l.value != "" {
			fmt.Fprintf(w, "%s\t%s\n", l.name, l.value)
		}
	}
	for _, r := range d.Replicas {
		var steps []string
		for _, s := range r.Steps {
			text := fmt.Sprintf("%s %.1f ms", s.Step, s.Took)
			if s.Error != "" {
				text += ", failed: " + s.Error
			}
			steps = append(steps, text)
		}
		fmt.Fprintf(w, "server %s\t%s\n", r.Replica, strings.Join(steps, "; "))
	}
	return w.Flush()
}

// switchPath is where the switch of a model is asked about.
func switchPath(model string) string { return "/v1/models/" + url.PathEscape(model) + "/switch" }

// switchOf is what each of the commands has.
type switchOf struct {
	operatorFlags
	Model string `arg:"" help:"The model."`
}

// do asks about the switch, and shows it.
func (c *switchOf) do(ctx context.Context, e *Env, method, below string) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	raw, err := gw.ask(ctx, method, switchPath(c.Model)+below)
	if err != nil {
		return gw.elsewhere(err)
	}
	return c.show(e, raw)
}

func (c *switchOf) show(e *Env, raw []byte) error {
	return shown(e, c.JSON, raw, (*switchDoc).print)
}

type switchShowCmd struct{ switchOf }

// Run shows the switch.
func (c *switchShowCmd) Run(ctx context.Context, e *Env) error {
	return c.do(ctx, e, http.MethodGet, "")
}

type switchRollbackCmd struct{ switchOf }

// Run goes back, and returns when the kept version serves.
func (c *switchRollbackCmd) Run(ctx context.Context, e *Env) error {
	return c.do(ctx, e, http.MethodPost, "/rollback")
}

type switchSettleCmd struct{ switchOf }

// Run returns when the kept version is unloaded.
func (c *switchSettleCmd) Run(ctx context.Context, e *Env) error {
	return c.do(ctx, e, http.MethodPost, "/settle")
}

type switchRmCmd struct{ switchOf }

// Run forgets the switch.
func (c *switchRmCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	if _, err := gw.ask(ctx, http.MethodDelete, switchPath(c.Model)); err != nil {
		return gw.elsewhere(err)
	}
	if c.JSON {
		return printJSON(e.Out, map[string]string{"model": c.Model, "phase": "none"})
	}
	fmt.Fprintf(e.Out, "the model server chooses the version of %s again\n", c.Model)
	return nil
}
