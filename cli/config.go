package cli

import (
	"fmt"

	"triton-gateway/gateway"
)

type configCmd struct {
	Check  configCheckCmd  `cmd:"" help:"Say whether the settings are valid, and every fault with its place."`
	Print  configPrintCmd  `cmd:"" help:"Print the effective settings, secrets masked."`
	Schema configSchemaCmd `cmd:"" help:"Print the JSON Schema of gateway.yaml (or, with --task, of task.yaml) for editors."`
}

type configCheckCmd struct{ configFlags }

// Run loads the settings and says so.
func (c *configCheckCmd) Run(e *Env) error {
	if _, err := c.load(e); err != nil {
		return err
	}
	fmt.Fprintln(e.Out, "ok")
	return nil
}

type configPrintCmd struct{ configFlags }

// Run prints the effective settings as YAML.
func (c *configPrintCmd) Run(e *Env) error {
	loaded, err := c.load(e)
	if err != nil {
		return err
	}
	out, err := loaded.Print()
	if err == nil {
		_, err = e.Out.Write(out)
	}
	return err
}

type configSchemaCmd struct {
	configFlags
	Task      bool `help:"The schema of task.yaml instead."`
	Variables bool `help:"The names of the environment variables instead."`
}

// Run prints a schema, or the variables one a line.
func (c *configSchemaCmd) Run(e *Env) error {
	switch {
	case c.Variables:
		for _, name := range gateway.Variables() {
			fmt.Fprintln(e.Out, name)
		}
		return nil
	case c.Task:
		return printSchema(e, taskSchema)
	}
	return printSchema(e, gateway.ConfigSchema)
}
