package cli

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"triton-gateway/gateway"
)

type serveCmd struct {
	configFlags
	HTTP     string `placeholder:"HOST:PORT" help:"Address of the public listener (listen.http)."`
	GRPC     string `name:"grpc" placeholder:"HOST:PORT" help:"Address of the KServe v2 gRPC listener (listen.grpc); 'none' for none."`
	Admin    string `placeholder:"HOST:PORT" help:"Address of the admin listener (listen.admin); 'none' for no admin listener."`
	Roles    string `default:"api,jobs" placeholder:"api,jobs" help:"What this process does: api answers requests, jobs works on jobs; with jobs alone only the admin listener is there. Default: both."`
	Insecure bool   `help:"Allow an address that other machines can reach although nobody has to authenticate."`
}

// Run serves until ctx ends, then lets running requests finish.
func (s *serveCmd) Run(ctx context.Context, e *Env) error {
	roles, err := gateway.ParseRoles(s.Roles)
	if err != nil {
		return failure{2, "--roles: " + err.Error()}
	}
	c, err := s.load(e, func(c *gateway.Config) {
		c.Insecure, c.Roles = s.Insecure, roles
		if s.HTTP != "" {
			c.Listen.HTTP = s.HTTP
		}
		optional(&c.Listen.GRPC, s.GRPC)
		optional(&c.Listen.Admin, s.Admin)
	})
	if err != nil {
		return err
	}
	collectLess(e.Environ, c)
	log, end := serveLog(e, c.Log)
	defer end()
	g, err := gateway.New(ctx, c, gateway.Build{Version: e.Version, Commit: e.Commit}, log)
	if err != nil {
		return err
	}
	defer g.Close()
	fmt.Fprint(e.Out, g.Banner())
	return g.Run(ctx)
}

// serveLog is as logger, but that JSON is written many lines at a time; end writes the last ones. People read text as it comes.
func serveLog(e *Env, c gateway.Log) (log *slog.Logger, end func() error) {
	if c.Format == "json" || c.Format == "" && !terminal(e.Err) {
		return gateway.NewLog(e.Err, c)
	}
	return logger(e, c), func() error { return nil }
}

// optional sets an address by its flag; none turns the listener off.
func optional(address *string, flag string) {
	switch flag {
	case "":
	case "none":
		*address = ""
	default:
		*address = flag
	}
}

// collectLess lets garbage grow to four times what lives before it is collected, up to a limit that grows with what the settings allow to
// live: with little in the cache, collecting would be a twentieth of the work. GOGC and GOMEMLIMIT, where they are set, are left as they are.
func collectLess(environ []string, c gateway.Config) {
	const garbage, rest = 400, 256 << 20
	for _, entry := range environ {
		if strings.HasPrefix(entry, "GOGC=") || strings.HasPrefix(entry, "GOMEMLIMIT=") {
			return
		}
	}
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(2*int64(c.Cache.Memory) + int64(c.Limits.Bodies) + rest)
}
