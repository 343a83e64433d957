// Package cli is the command line: it reads flags and prints; the work is package gateway's.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"triton-gateway/gateway"
)

// Env is what a process gets from outside; tests give their own.
type Env struct {
	Args, Environ   []string
	Out, Err        io.Writer
	Version, Commit string
}

// grammar is every command with its flags; kong reads the tags.
type grammar struct {
	Serve   serveCmd   `cmd:"" help:"Serve models over HTTP."`
	Infer   inferCmd   `cmd:"" help:"Ask a model about a picture or a JSON file."`
	Jobs    jobsCmd    `cmd:"" help:"Hand pictures in, and collect the answers later."`
	Routes  routesCmd  `cmd:"" help:"Routes: names over several models and versions."`
	Canary  canaryCmd  `cmd:"" help:"Watch a route's canary, and have your say."`
	Shadow  shadowCmd  `cmd:"" help:"How a route's shadow does."`
	Switch  switchCmd  `cmd:"" help:"Switch a model to another version, and back."`
	Models  modelsCmd  `cmd:"" help:"List the models, their versions and what is wrong with them."`
	Doctor  doctorCmd  `cmd:"" help:"Check repository, engines, Triton and Redis, and say how to mend what is wrong."`
	Key     keyCmd     `cmd:"" help:"Make keys by which callers are known."`
	Health  healthCmd  `cmd:"" help:"Exit with 0 if a running gateway is ready, 1 if not; for container health checks."`
	Config  configCmd  `cmd:"" help:"Check, print or describe gateway.yaml."`
	Audit   auditCmd   `cmd:"" help:"Check an audit log."`
	Version versionCmd `cmd:"" help:"Print the version and what the binary was built with."`
}

// configFlags are the flags by which every command finds its settings.
type configFlags struct {
	Config          string   `short:"c" placeholder:"FILE" help:"gateway.yaml; none: defaults and the environment."`
	ModelRepository string   `placeholder:"DIR" help:"Folder in Triton's layout (model_repository)."`
	Triton          []string `placeholder:"HOST:PORT" help:"Triton's gRPC address (triton.endpoints); repeatable. None: the embedded engine."`
}

func (f configFlags) load(e *Env, more ...func(*gateway.Config)) (gateway.Config, error) {
	return gateway.LoadConfigWith(f.Config, e.Environ, func(c *gateway.Config) {
		if f.ModelRepository != "" {
			c.ModelRepository = f.ModelRepository
		}
		if len(f.Triton) > 0 {
			c.Triton.Endpoints = f.Triton
		}
		for _, m := range more {
			m(c)
		}
	})
}

// failure is an error with an exit code of its own.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

// Main runs one command and gives the process's exit code: 0 done, 1 failed, 2 wrong usage. It ends early on SIGINT and SIGTERM; the second
// of them ends the process at once, as if nobody listened.
//
// A process that is asked to be a decoder becomes one before anything else: it needs no settings, and is to know none.
func Main(e Env) int {
	if code, ok := gateway.ServeDecoder(e.Args); ok {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, &e)
}

// exited carries kong's wish to end the process (after --help) out of the parser.
type exited int

func run(ctx context.Context, e *Env) (code int) {
	defer func() {
		if r := recover(); r != nil {
			c, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(c)
		}
	}()
	parser, err := kong.New(&grammar{},
		kong.Name("triton-gateway"),
		kong.Description("Pictures, rows and tensors in, labels, boxes and values out: a gateway in front of NVIDIA Triton, or on its own engine."),
		kong.Writers(e.Out, e.Err),
		kong.Exit(func(c int) { panic(exited(c)) }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)
	if err != nil {
		fmt.Fprintln(e.Err, "triton-gateway:", err)
		return 2
	}
	args := e.Args
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(e.Err, "triton-gateway:", err)
		fmt.Fprintln(e.Err, "try: triton-gateway --help")
		return 2
	}
	if err := parsed.Run(); err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(e.Err, "triton-gateway:", text)
		}
		var f failure
		if errors.As(err, &f) {
			return f.code
		}
		return 1
	}
	return 0
}

// logger writes to standard error: text on a terminal, JSON otherwise, unless the settings say.
func logger(e *Env, c gateway.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // Validate has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" || c.Format == "" && !terminal(e.Err) {
		return slog.New(slog.NewJSONHandler(e.Err, options))
	}
	return slog.New(slog.NewTextHandler(e.Err, options))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
