package gateway

import (
	"context"
	"slices"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// tritonPool is the Tritons as switches see them.
type tritonPool struct{ client *triton.Client }

var (
	_ rollout.Pool    = tritonPool{}
	_ rollout.Replica = (*triton.Replica)(nil)
)

// Taking implements rollout.Pool.
func (p tritonPool) Taking() (list []rollout.Replica) {
	for _, r := range p.client.Taking() {
		list = append(list, r)
	}
	return list
}

// enginePool is the embedded engine: one replica, which serves the versions that a model's own policy chooses.
type enginePool struct{ backend backend.Backend }

// Taking implements rollout.Pool.
func (p enginePool) Taking() []rollout.Replica { return []rollout.Replica{p} }

// Name implements rollout.Replica.
func (p enginePool) Name() string { return "embedded" }

// Serve can load nothing; versions that are there already are served.
func (p enginePool) Serve(ctx context.Context, model string, versions []string) error {
	for _, v := range versions {
		if err := p.Ready(ctx, model, v); err != nil {
			return err
		}
	}
	return nil
}

// Ready implements rollout.Replica.
func (p enginePool) Ready(ctx context.Context, model, version string) error {
	list, err := p.backend.Index(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(s backend.ModelStatus) bool {
		return s.Name == model && s.Version == version && s.State == backend.Ready
	}) {
		return nil
	}
	return fault.New(fault.Unsupported, "unsupported_model", "the embedded engine serves the versions that a model's config.pbtxt chooses, and version %s of model %q is not among them: its folder is not there, or version_policy leaves it out; write version_policy { specific { versions: [...] } } or { all {} } there, "+
		"wait until GET /v1/models/%s says that it is READY, and switch then", version, model, model)
}

// Infer implements rollout.Replica.
func (p enginePool) Infer(ctx context.Context, r *backend.Request) error {
	if s, ok := p.backend.(backend.Streamer); ok {
		return s.Stream(ctx, r, func(*backend.Response) error { return nil })
	}
	_, err := p.backend.Infer(ctx, r)
	return err
}

// calls counts who uses a version: those of this gateway exactly. Other gateways follow a flip within followWithin, and a request of theirs may take grace, so that for as long
// somebody counts as using the earlier version.
type switchCalls struct {
	catalog *catalog.Catalog
	shared  bool
	grace   time.Duration
	flipped func(model string) time.Time
}

// Running implements rollout.Calls.
func (c *switchCalls) Running(model, version string) int {
	n := c.catalog.Running(model, version)
	if c.shared && time.Since(c.flipped(model)) < followWithin+c.grace {
		n++
	}
	return n
}

// awaitReady waits until the catalog shows that a version is ready: what is pinned before would answer nobody.
func awaitReady(ctx context.Context, models *catalog.Catalog, model, version string) error {
	for {
		err := models.Refresh(ctx)
		if err == nil {
			m, e := models.Lookup(model)
			if e == nil {
				_, e = m.Resolve(version)
			}
			if err = e; err == nil {
				return nil
			}
		}
		if !pause.For(ctx, 50*time.Millisecond) {
			return fault.New(fault.Unavailable, "backend_unavailable", "version %s of model %q is not seen to be ready", version, model).Wrap(err)
		}
	}
}
