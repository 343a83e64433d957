package cli

import (
	"fmt"

	"triton-gateway/gateway"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that no line of an audit log was changed or taken out."`
}

type auditVerifyCmd struct {
	File string `arg:"" help:"The file that audit_log names."`
}

// Run prints how many lines there are and the hash of the last one. The exit code is 1 where they do not hang together.
func (c *auditVerifyCmd) Run(e *Env) error {
	lines, last, open, err := gateway.VerifyAudit(c.File)
	if err != nil {
		return failure{1, fmt.Sprintf("%s: %v", c.File, err)}
	}
	fmt.Fprintf(e.Out, "%d lines hang together; the last has the hash %s\n", lines, last)
	if open > 0 {
		fmt.Fprintf(e.Out, "%d actions have no outcome: the gateway ended before it could be written\n", open)
	}
	return nil
}
