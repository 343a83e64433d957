package cli

import (
	"fmt"
	"runtime"

	"triton-gateway/gateway"
	"triton-gateway/task"
)

type versionCmd struct{}

// Run prints what to name in a bug report.
func (versionCmd) Run(e *Env) error {
	fmt.Fprintf(e.Out, "triton-gateway %s (%s)\n%s %s/%s\nimages: %s\n", e.Version, e.Commit,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, gateway.ImageEngine())
	return nil
}

func taskSchema() ([]byte, error) { return task.Schema(), nil }

func printSchema(e *Env, schema func() ([]byte, error)) error {
	out, err := schema()
	if err == nil {
		_, err = e.Out.Write(append(out, '\n'))
	}
	return err
}
