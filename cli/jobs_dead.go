package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// jobsDeadCmd is about jobs that failed: those whose attempts are used up, and poisonous ones, which no attempt can answer.
type jobsDeadCmd struct {
	Ls     deadLsCmd     `cmd:"" default:"withargs" help:"List the jobs that failed, with the reason."`
	Show   deadShowCmd   `cmd:"" help:"Show why a job failed, item by item."`
	Replay deadReplayCmd `cmd:"" help:"Run jobs that failed again; what was answered before stays."`
}

type deadLsCmd struct {
	gatewayFlags
	Model string `short:"m" help:"Only jobs of this model."`
	Limit int    `short:"n" default:"50" help:"Most jobs to list; 0: all."`
}

// Run prints a table with the reasons.
func (c *deadLsCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	return listJobs(ctx, e, gw, failedOf(c.Model), c.Limit, c.JSON, "ID\tREASON\tMODEL\tATTEMPTS\tFAILED\tERROR", func(j *jobDoc) string {
		return strings.Join([]string{j.ID, j.reason(), j.Model, fmt.Sprint(j.Attempts), stamp(j.FinishedAt), clipLine(j.Error.String(), 80)}, "\t")
	})
}

func failedOf(model string) url.Values {
	q := url.Values{"state": {"failed"}}
	if model != "" {
		q.Set("model", model)
	}
	return q
}

// reason tells the two kinds of dead letter apart.
func (j *jobDoc) reason() string {
	if j.Poison {
		return "poison"
	}
	return "failed"
}

func clipLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return text
}

type deadShowCmd struct {
	gatewayFlags
	ID string `arg:"" help:"The job."`
}

// Run shows the job and each item that could not be answered.
func (c *deadShowCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	j, raw, err := gw.job(ctx, c.ID, false, func(*jobDoc) {})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.Out, raw)
	}
	if j.State != "failed" {
		return fmt.Errorf("job %s is no dead letter: it is %s", j.ID, j.State)
	}
	fmt.Fprintf(e.Out, "reason      %s\n", map[string]string{
		"poison": "poison: the input itself is at fault, and no attempt can succeed",
		"failed": "failed: its attempts are used up; `triton-gateway jobs dead replay` runs it again",
	}[j.reason()])
	if err := j.print(e.Out); err != nil {
		return err
	}
	bad := 0
	const most = 50
	for item, err := range gw.itemsOf(ctx, c.ID) {
		if err != nil {
			return err
		}
		if item.Error == nil {
			continue
		}
		if bad++; bad <= most {
			fmt.Fprintf(e.Out, "%s: %s\n", item.label(), clipLine(item.Error.String(), 200))
		}
	}
	if bad > most {
		fmt.Fprintf(e.Out, "and %s more\n", plural(bad-most, "item"))
	}
	return nil
}

type deadReplayCmd struct {
	gatewayFlags
	IDs    []string `arg:"" optional:"" name:"id" help:"The jobs."`
	All    bool     `help:"All that failed, poisonous ones left out."`
	Poison bool     `help:"With --all: the poisonous ones too, after what was wrong with them is mended."`
	Model  string   `short:"m" help:"With --all: only jobs of this model."`
}

// Run puts the jobs into the queue again.
func (c *deadReplayCmd) Run(ctx context.Context, e *Env) error {
	switch {
	case c.All == (len(c.IDs) > 0):
		return failure{2, "name the jobs to run again, or --all"}
	case !c.All && (c.Poison || c.Model != ""):
		return failure{2, "--poison and --model go with --all"}
	case !c.All:
		return c.forEach(ctx, e, c.IDs, http.MethodPost, "/retry")
	}
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	// The list is read to its end first: jobs leave it when they are run again.
	var ids []string
	left := 0
	for page, err := range gw.pages(ctx, failedOf(c.Model), 0) {
		if err != nil {
			return err
		}
		for _, j := range page.jobs {
			if j.reason() == "poison" && !c.Poison {
				left++
				continue
			}
			ids = append(ids, j.ID)
		}
	}
	again, err := c.replay(ctx, gw, ids)
	if c.JSON {
		err = errors.Join(printJSON(e.Out, map[string]any{"replayed": again, "poison_left": left}), err)
	} else {
		fmt.Fprintf(e.Out, "%s run again", plural(len(again), "job"))
		if left > 0 {
			fmt.Fprintf(e.Out, "; %s left alone: poisonous (--poison takes them too)", plural(left, "job"))
		}
		fmt.Fprintln(e.Out)
	}
	return err
}

// replay puts jobs into the queue again, and gives those that are. One that is not failed any more, or gone, is passed over.
func (c *deadReplayCmd) replay(ctx context.Context, gw *askedGateway, ids []string) (again []string, err error) {
	again = []string{}
	for _, id := range ids {
		var r *refusal
		_, err := gw.ask(ctx, http.MethodPost, "/v1/jobs/"+url.PathEscape(id)+"/retry")
		switch {
		case err == nil:
			again = append(again, id)
		case errors.As(err, &r) && (r.status == http.StatusConflict || r.status == http.StatusNotFound):
		default:
			return again, fmt.Errorf("%s: %w", id, err)
		}
	}
	return again, nil
}
