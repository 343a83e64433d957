package embedded

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// Load reads a model's folder now, without waiting for it to settle, and serves it; it ends an Unload. Files that have not changed are not
// loaded a second time. Parameters are not supported: the folder is what is served. See backend.Controller.
//
// Errors: Unsupported for parameters, NotFound for no such folder, Invalid for files that cannot be served, Timeout or Canceled where ctx ends
// first; the load then goes on.
func (e *Engine) Load(ctx context.Context, name string, params map[string]any) error {
	if len(params) > 0 {
		return fault.New(fault.Unsupported, "unsupported_parameter", "parameter '%s' is not supported: the embedded engine serves what is in the model repository; change the model's folder, or use a Triton",
			slices.Min(slices.Collect(maps.Keys(params))))
	}
	for {
		e.mu.Lock()
		if e.base.Err() != nil {
			e.mu.Unlock()
			return unavailable("the embedded engine is closed")
		}
		m, err := e.folder(name)
		if err != nil {
			e.mu.Unlock()
			return err
		}
		if !m.busy {
			delete(e.off, name)
			m.off = false
			m.look, m.since = lookAt(filepath.Join(e.config.Repository, name)), time.Now()
			job, done := e.reload(m), m.done
			e.publish()
			e.mu.Unlock()
			if err := e.wait(ctx, done, name); err != nil {
				return err
			}
			return job.outcome()
		}
		done := m.done
		e.mu.Unlock()
		if err := e.wait(ctx, done, name); err != nil {
			return err
		}
	}
}

// folder gives the model of a folder, a new one where the watcher has not seen it yet. Engine.mu is held.
func (e *Engine) folder(name string) (*model, error) {
	info, err := os.Stat(filepath.Join(e.config.Repository, name))
	if name == "" || strings.HasPrefix(name, ".") || name != filepath.Base(name) || err != nil || !info.IsDir() {
		return nil, fault.New(fault.NotFound, "model_not_found", "failed to load '%s', failed to poll from model repository", name)
	}
	m := e.models[name]
	if m == nil {
		m = &model{name: name, versions: map[int64]*version{}}
		e.models[name] = m
	}
	return m, nil
}

// wait waits for a load.
func (e *Engine) wait(ctx context.Context, done <-chan struct{}, name string) error {
	select {
	case <-done:
		return nil
	case <-e.base.Done():
		return unavailable("the embedded engine is closed")
	case <-ctx.Done():
		return e.ended(ctx, &backend.Request{Model: name})
	}
}

// outcome tells what a load that has ended has come to: nil if all that the version policy chooses is served.
func (j *load) outcome() error {
	if j.stale {
		return unavailable("load of model '%s' is not complete: its files are still being written", j.name)
	}
	if len(j.versions) == 0 {
		return fault.New(fault.Invalid, "invalid_request", "load failed for model '%s': %s", j.name, j.reason)
	}
	for _, n := range slices.Sorted(maps.Keys(j.versions)) {
		if reason := j.versions[n].reason; reason != "" {
			return fault.New(fault.Invalid, "invalid_request", "load failed for model '%s': version %d: %s", j.name, n, reason)
		}
	}
	return nil
}

// Unload takes a model out of service until it is loaded again, whatever happens to its folder. Runs that are under way end in peace. There
// are no ensembles here, so nothing depends on it. A model that is not there, or is unloaded already, is no error, as in Triton.
func (e *Engine) Unload(ctx context.Context, name string, _ bool) error {
	for {
		e.mu.Lock()
		m := e.models[name]
		switch {
		case e.base.Err() != nil:
			e.mu.Unlock()
			return unavailable("the embedded engine is closed")
		case m == nil:
			e.mu.Unlock()
			return nil
		case !m.busy:
			e.off[name] = true
			e.takeOut(m)
			e.mu.Unlock()
			e.log.Info("model unloaded", "model", name)
			return nil
		}
		done := m.done
		e.mu.Unlock()
		if err := e.wait(ctx, done, name); err != nil {
			return err
		}
	}
}

// takeOut stops serving a model; its versions stay in the index. Engine.mu is held, and no load is on its way.
func (e *Engine) takeOut(m *model) {
	before := m.versions
	m.versions = make(map[int64]*version, len(before))
	for n := range before {
		m.versions[n] = &version{reason: unloaded}
	}
	m.reason, m.tried, m.off = unloaded, "", true
	e.publish()
	for _, v := range before {
		if v.run != nil {
			v.run.release()
		}
	}
}

// unloaded is the reason that Triton's index gives.
const unloaded = "unloaded"
