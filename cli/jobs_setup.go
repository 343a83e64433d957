package cli

import (
	"context"
	"fmt"

	"triton-gateway/gateway"
)

type jobsSetupCmd struct {
	Queue string `arg:"" name:"url" help:"As in jobs.queue, such as sqs://eu-central-1/photos?bucket=photos-of-our-shop&endpoint=http://localhost:5000."`
	JSON  bool   `name:"json" help:"Print what there is as JSON."`
}

// Run makes what the URL names; what is there already stays as it is.
func (c *jobsSetupCmd) Run(ctx context.Context, e *Env) error {
	made, err := gateway.SetupJobs(ctx, c.Queue)
	if c.JSON && err == nil {
		return printJSON(e.Out, map[string]any{"made": made})
	}
	for _, line := range made {
		fmt.Fprintln(e.Out, line)
	}
	return err
}
