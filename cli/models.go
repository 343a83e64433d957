package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

type modelsCmd struct {
	configFlags
	JSON bool   `name:"json" help:"Print the gateway's own document."`
	Key  string `placeholder:"KEY" help:"Who asks, where the gateway wants to know; none: TRITON_GATEWAY_KEY of the environment, where others do not see it."`
	URL  string `placeholder:"URL" help:"A running gateway; none: the one on localhost:8080, or one inside this command."`
	tlsFlags
}

// modelList is what `models` reads of GET /v1/models.
type modelList struct {
	Models []struct {
		Name     string
		Task     string
		Versions []struct {
			Version string
			State   string
			Reason  string
		}
		Warnings []string
		Error    string
	}
}

// Run prints a table, with what is wrong under each model.
func (c *modelsCmd) Run(ctx context.Context, e *Env) error {
	gw, err := reach(ctx, e, c.configFlags, c.URL, c.Key, c.tlsFlags)
	if err != nil {
		return err
	}
	defer gw.close()
	data, _, err := gw.call(ctx, "GET", "/v1/models", "", nil)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err = e.Out.Write(append(data, '\n'))
		return err
	}
	var list modelList
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	return list.print(e.Out)
}

func (l *modelList) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tTASK\tVERSIONS")
	for _, m := range l.Models {
		versions := make([]string, len(m.Versions))
		for i, v := range m.Versions {
			versions[i] = v.Version + " " + v.State
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", m.Name, m.Task, strings.Join(versions, ", "))
		if m.Error != "" {
			fmt.Fprintf(w, "  error: %s\t\t\n", m.Error)
		}
		for _, v := range m.Versions {
			if v.Reason != "" {
				fmt.Fprintf(w, "  version %s: %s\t\t\n", v.Version, v.Reason)
			}
		}
		for _, text := range m.Warnings {
			fmt.Fprintf(w, "  warning: %s\t\t\n", text)
		}
	}
	return w.Flush()
}
