package cli

import (
	"context"
	"fmt"

	"triton-gateway/gateway"
)

type doctorCmd struct{ configFlags }

// Run prints a line for each check and, under it, how to mend what is wrong. The exit code is 1 if anything is.
func (c *doctorCmd) Run(ctx context.Context, e *Env) error {
	loaded, err := c.load(e, func(c *gateway.Config) { c.Insecure = true })
	if err != nil {
		return err
	}
	wrong := 0
	for check := range gateway.Examine(ctx, loaded) {
		fmt.Fprintf(e.Out, "%-5s %s: %s\n", check.Verdict, check.Subject, check.Finding)
		if check.Mend != "" {
			fmt.Fprintf(e.Out, "      -> %s\n", check.Mend)
		}
		if check.Verdict == gateway.Wrong {
			wrong++
		}
	}
	switch wrong {
	case 0:
		return nil
	case 1:
		return failure{1, "1 check failed"}
	}
	return failure{1, fmt.Sprintf("%d checks failed", wrong)}
}
