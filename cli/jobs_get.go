package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"
)

type jobsGetCmd struct {
	gatewayFlags
	IDs  []string `arg:"" name:"id" help:"The jobs, as submit names them."`
	Wait bool     `short:"w" help:"Wait until each is done."`
	Out  string   `short:"o" placeholder:"PATH" help:"Write the results there: one line of JSON for each item into PATH.jsonl or - (standard output), otherwise one file for each into a folder. Waits."`
}

// Run shows jobs, and waits for them where that is wanted.
func (c *jobsGetCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	var keep *results
	if c.Out != "" {
		if keep, err = openResults(e, c.Out); err != nil {
			return err
		}
	}
	docs, bad := []json.RawMessage{}, []error{}
	for _, id := range c.IDs {
		j, raw, err := gw.job(ctx, id, c.Wait || keep != nil, func(*jobDoc) {})
		if err != nil {
			return errors.Join(err, keep.close())
		}
		switch {
		case keep != nil:
			err = keep.add(j, nil)
		case c.JSON:
			docs = append(docs, raw)
		default:
			err = j.print(e.Out)
		}
		if err != nil {
			return errors.Join(err, keep.close())
		}
		if c.Wait || keep != nil {
			bad = append(bad, j.verdict())
		}
	}
	if err := keep.close(); err != nil {
		return err
	}
	if c.JSON && keep == nil {
		if err := printDocs(e.Out, docs); err != nil {
			return err
		}
	}
	return worst(bad)
}

// printDocs writes one document as it is, several as a list's.
func printDocs(out io.Writer, docs []json.RawMessage) error {
	if len(docs) == 1 {
		return printJSON(out, docs[0])
	}
	return printJSON(out, map[string]any{"jobs": docs})
}

// worst is one failure for several.
func worst(list []error) error {
	n := 0
	var first error
	for _, err := range list {
		if err != nil {
			if n++; n == 1 {
				first = err
			}
		}
	}
	if n > 1 {
		return failure{exitUnanswered, fmt.Sprintf("%v; and %s more", first, plural(n-1, "job"))}
	}
	return first
}

// job gives a job, and its document as it came; where it is to be waited for, when it is done. news hears how it stands meanwhile. While the gateway is away
// it is asked again for some minutes: jobs outlive a gateway.
func (gw *askedGateway) job(ctx context.Context, id string, wait bool, news func(*jobDoc)) (j *jobDoc, raw json.RawMessage, err error) {
	const hold, patience = "2s", 5 * time.Minute // a longer hold would show progress too rarely
	path := "/v1/jobs/" + url.PathEscape(id)
	if wait {
		path += "?wait=" + hold
	}
	for asked := false; ; asked = true {
		limit := time.Duration(0)
		if asked { // the first answer has shown that there is a gateway and that it knows the job
			limit = patience
		}
		err := until(ctx, limit, func(error) {}, func() (err error) {
			raw, err = gw.ask(ctx, "GET", path)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		j = new(jobDoc)
		if err := json.Unmarshal(raw, j); err != nil {
			return nil, nil, fmt.Errorf("the answer is not JSON: %w", err)
		}
		if !wait || j.final() {
			return j, raw, nil
		}
		news(j)
	}
}

// print shows a job as lines, and its items where there are not many.
func (j *jobDoc) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	model := j.Model
	if j.Version != "" {
		model += " " + j.Version
	}
	fmt.Fprintf(w, "job\t%s\nstate\t%s\nmodel\t%s\npriority\t%s\ndone\t%s\n", j.ID, j.stands(), model, j.Priority, j.doneOf())
	if j.State == "queued" && j.Position != nil && (j.RunAt == nil || j.RunAt.Before(time.Now())) {
		fmt.Fprintf(w, "before it\t%s\n", plural(*j.Position, "job"))
	}
	if !j.final() && j.EstimateSeconds != nil {
		fmt.Fprintf(w, "estimate\t%.1f s\n", *j.EstimateSeconds)
	}
	if j.Attempts > 0 {
		fmt.Fprintf(w, "attempts\t%d\n", j.Attempts)
	}
	for _, t := range []struct {
		name string
		at   *time.Time
	}{{"created", j.CreatedAt}, {"not before", j.RunAt}, {"started", j.StartedAt}, {"finished", j.FinishedAt}, {"kept until", j.ExpiresAt}} {
		if t.at != nil && !t.at.IsZero() {
			fmt.Fprintf(w, "%s\t%s\n", t.name, stamp(t.at))
		}
	}
	if j.Error != nil {
		fmt.Fprintf(w, "error\t%s\n", j.Error)
	}
	items := j.items()
	const most = 20
	for n, i := range items {
		if n == most {
			fmt.Fprintf(w, "\tand %d more; --json prints all, --out PATH writes them to files\n", len(items)-most)
			break
		}
		fmt.Fprintf(w, "item %d\t%s\n", n, i.short())
	}
	return w.Flush()
}
