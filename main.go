// Command triton-gateway is the logic tier between people's screens and NVIDIA Triton Inference Server: pictures, rows and
// tensors in, labels, boxes and values out, each computed once.
package main

import (
	"os"

	"triton-gateway/cli"
)

// Set by the linker, see Makefile.
var (
	version = "dev"
	commit  = "unknown"
)

func main() {
	os.Exit(cli.Main(cli.Env{
		Args: os.Args[1:], Environ: os.Environ(),
		Out: os.Stdout, Err: os.Stderr,
		Version: version, Commit: commit,
	}))
}
