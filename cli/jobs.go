package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// jobsCmd is the commands about work that is handed in and collected later. They talk to a gateway that runs: a job in a process that ends
// with the command would help nobody.
type jobsCmd struct {
	Ls     jobsLsCmd     `cmd:"" help:"List jobs, newest first."`
	Get    jobsGetCmd    `cmd:"" help:"Show a job; wait for it; write its results to a file."`
	Cancel jobsCancelCmd `cmd:"" help:"Cancel jobs that are not done yet."`
	Retry  jobsRetryCmd  `cmd:"" help:"Put jobs that failed, were cancelled or have expired into the queue again."`
	Dead   jobsDeadCmd   `cmd:"" help:"Dead letters: list the jobs that failed, look into one, run them again."`
	Submit jobsSubmitCmd `cmd:"" help:"Hand in pictures: files, folders, zip archives or JSON files."`
	Setup  jobsSetupCmd  `cmd:"" help:"Make the queues, table and bucket that a URL of jobs.queue names; on AWS and what speaks like it."`
}

// exit codes of the jobs commands, besides 0, 1 and 2 of all commands.
const (
	exitUnanswered  = 3   // the gateway did what it was told, but a job or an item of one did not succeed
	exitInterrupted = 130 // as a shell says it of SIGINT
)

type jobsLsCmd struct {
	gatewayFlags
	State    []string `enum:"queued,running,succeeded,failed,cancelled,expired" placeholder:"STATE" help:"Only jobs in these states: queued, running, succeeded, failed, cancelled, expired."`
	Model    string   `short:"m" help:"Only jobs of this model."`
	Priority string   `enum:"realtime,interactive,batch," default:"" placeholder:"CLASS" help:"Only jobs of this class: realtime, interactive or batch."`
	Limit    int      `short:"n" default:"50" help:"Most jobs to list; 0: all."`
}

// Run prints a table.
func (c *jobsLsCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	q := url.Values{}
	for name, value := range map[string]string{"state": strings.Join(c.State, ","), "model": c.Model, "priority": c.Priority} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return listJobs(ctx, e, gw, q, c.Limit, c.JSON, "ID\tSTATE\tMODEL\tPRIORITY\tDONE\tCREATED", func(j *jobDoc) string {
		return strings.Join([]string{j.ID, j.State, j.Model, j.Priority, j.doneOf(), stamp(j.CreatedAt)}, "\t")
	})
}

// listJobs asks for pages of jobs until there are enough, and shows each as a row; JSON is shown as one document of the same shape as a page.
func listJobs(ctx context.Context, e *Env, gw *askedGateway, q url.Values, limit int, asJSON bool, head string, row func(*jobDoc) string) error {
	w := tabwriter.NewWriter(e.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, head)
	all := []json.RawMessage{}
	for page, err := range gw.pages(ctx, q, limit) {
		if err != nil {
			return err
		}
		if asJSON {
			all = append(all, page.raw...)
			continue
		}
		for _, j := range page.jobs {
			fmt.Fprintln(w, row(j))
		}
	}
	if asJSON {
		return printJSON(e.Out, map[string]any{"jobs": all})
	}
	return w.Flush()
}

type jobsCancelCmd struct {
	gatewayFlags
	IDs []string `arg:"" name:"id" help:"The jobs."`
}

// Run cancels each job; one that cannot be does not keep the others from it.
func (c *jobsCancelCmd) Run(ctx context.Context, e *Env) error {
	return c.forEach(ctx, e, c.IDs, "DELETE", "")
}

type jobsRetryCmd struct {
	gatewayFlags
	IDs []string `arg:"" name:"id" help:"The jobs."`
}

// Run puts each job into the queue again; one that cannot be does not keep the others from it.
func (c *jobsRetryCmd) Run(ctx context.Context, e *Env) error {
	return c.forEach(ctx, e, c.IDs, "POST", "/retry")
}

// forEach sends the same request about each job, and prints what has become of it.
func (f *gatewayFlags) forEach(ctx context.Context, e *Env, ids []string, method, below string) error {
	gw, err := f.reach(e)
	if err != nil {
		return err
	}
	var faults []error
	docs := []json.RawMessage{}
	for _, id := range ids {
		a, err := gw.ask(ctx, method, "/v1/jobs/"+url.PathEscape(id)+below)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", id, err))
			continue
		}
		var j jobDoc
		if err := json.Unmarshal(a, &j); err != nil {
			faults = append(faults, fmt.Errorf("%s: the answer is not JSON: %w", id, err))
			continue
		}
		docs = append(docs, a)
		if !f.JSON {
			fmt.Fprintf(e.Out, "%s  %s\n", id, j.stands())
		}
	}
	if f.JSON {
		if err := printJSON(e.Out, map[string]any{"jobs": docs}); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// stands is a job's state in words.
func (j *jobDoc) stands() string {
	if j.Cancelling {
		return j.State + ", is being cancelled"
	}
	return j.State
}

// stamp is a time as people read it in a table.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// plural is a number and its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
