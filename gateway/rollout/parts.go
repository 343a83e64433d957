package rollout

import (
	"context"
	"time"

	"triton-gateway/gateway/backend"
)

// Replica is one model server of the pool. Its methods are safe for concurrent use, return when ctx ends, and have no effect after that.
type Replica interface {
	// Name tells the replica from the others, also after a restart.
	Name() string
	// Serve loads and unloads until just these versions of the model are served, and returns then. Those that were served before and still are
	// go on answering meanwhile. It is idempotent, and may have done its work though it fails. Calls take effect in the order in which they
	// begin.
	//
	// This is what a Triton offers: it cannot load one version, only a model, with the policy that picks the versions: RepositoryModelLoad with
	// the parameter config, the model's whole config with version_policy {specific {versions}}.
	Serve(ctx context.Context, model string, versions []string) error
	// Ready fails unless the version answers now. It is cheap.
	Ready(ctx context.Context, model, version string) error
	// Infer makes one call on this replica. Of decoupled models it reads the answers to their end.
	Infer(ctx context.Context, r *backend.Request) error
}

// Pool knows who takes traffic. A replica that has restarted, or was out of reach for so long that it may have, takes none until CatchUp lets it in.
type Pool interface {
	Taking() []Replica
}

// Flipper points a model's traffic to a version: a route's target, or the default version. Calls that begin after it has returned nil use that
// version. When it fails it may have been done or not, but is not done any more after it has returned.
type Flipper interface {
	Flip(ctx context.Context, model, version string) error
}

// Calls counts the calls that use a version, from the moment in which they pick it: picking and counting are one step, so that a count of 0
// after a flip stays 0.
type Calls interface {
	Running(model, version string) int
}

// Deps are the parts that a switch works on.
type Deps struct {
	Pool    Pool
	Flipper Flipper
	Calls   Calls
	// Changed is told of every new state of a model, in order, also of those that Switch and the others set. It must not block, and not call back. nil: nobody is told.
	Changed func(State)
}

// Settings bound every step. Zero stands for the default.
type Settings struct {
	Load   time.Duration // one replica loads, default 5m
	Ready  time.Duration // it then becomes ready, and is asked again before the flip; default 10s
	Warm   time.Duration // all its warm-up calls, default 1m
	Flip   time.Duration // default 5s
	Drain  time.Duration // the calls that use the version to be unloaded end, default 1m
	Unload time.Duration // one replica unloads, default 1m
	Keep   time.Duration // the old version stays loaded after the flip, default 10m
	Again  time.Duration // pause after a failed unload, default 30s
	Poll   time.Duration // between two looks at what is waited for, default 50ms

	Parallel int   // replicas at a time, default 4
	Runs     int   // times that each warm-up call is made, default 2
	MaxBytes int64 // of the inputs of one warm-up call, default 64 MiB
}

// complete fills in the defaults.
func (s Settings) complete() Settings {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&s.Load, 5 * time.Minute}, {&s.Ready, 10 * time.Second}, {&s.Warm, time.Minute}, {&s.Flip, 5 * time.Second}, {&s.Drain, time.Minute},
		{&s.Unload, time.Minute}, {&s.Keep, 10 * time.Minute}, {&s.Again, 30 * time.Second}, {&s.Poll, 50 * time.Millisecond},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if s.Parallel <= 0 {
		s.Parallel = 4
	}
	if s.Runs <= 0 {
		s.Runs = 2
	}
	if s.MaxBytes <= 0 {
		s.MaxBytes = 64 << 20
	}
	return s
}
