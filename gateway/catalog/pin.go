package catalog

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// pins say which version of a model serves where none is asked for, and use counts who has picked which. It guards the publishing of snapshots, so that
// none shows an earlier pin than the one that is in force.
type pins struct {
	mu    sync.Mutex
	of    map[string]string
	count map[modelVersion]*atomic.Int64
}

type modelVersion struct{ model, version string }

// Pin has a version serve a model, whatever others are loaded; "" leaves it to the backend's policy again, whose highest ready version serves. It is in force, in Lookup
// and all that comes of it, when Pin returns; a version that is not ready then leaves the model without an answer until it is. The model need not be there yet.
func (c *Catalog) Pin(model, version string) {
	c.pins.mu.Lock()
	defer c.pins.mu.Unlock()
	if c.pins.of[model] == version {
		return
	}
	if c.pins.of == nil {
		c.pins.of = map[string]string{}
	}
	if c.pins.of[model] = version; version == "" {
		delete(c.pins.of, model)
	}
	old := c.now.Load()
	if old == nil || old.models[model] == nil {
		return
	}
	next := &snapshot{models: maps.Clone(old.models), list: slices.Clone(old.list)}
	c.pins.put(next, model)
	c.now.Store(next)
}

// Pinned is the version that Pin has chosen; "" where it has none.
func (c *Catalog) Pinned(model string) string {
	c.pins.mu.Lock()
	defer c.pins.mu.Unlock()
	return c.pins.of[model]
}

// publish puts a snapshot into force.
func (c *Catalog) publish(next *snapshot) {
	c.pins.mu.Lock()
	defer c.pins.mu.Unlock()
	for name := range next.models {
		c.pins.put(next, name)
	}
	c.now.Store(next)
}

// put has a model of a snapshot that is not published yet show its pin and its counts. What others read already is copied first.
func (p *pins) put(s *snapshot, name string) {
	m := s.models[name]
	counted := !slices.ContainsFunc(m.Versions, func(v Version) bool { return v.uses == nil })
	if m.Pin == p.of[name] && counted {
		return
	}
	changed := *m
	changed.Pin = p.of[name]
	changed.Versions = slices.Clone(m.Versions)
	for i := range changed.Versions {
		changed.Versions[i].uses = p.uses(name, changed.Versions[i].Number)
	}
	s.models[name] = &changed
	if at := slices.Index(s.list, m); at >= 0 {
		s.list[at] = &changed
	}
}

// uses is the count of a version. It needs mu. There are as many as versions were ever seen: folders of the backend.
func (p *pins) uses(model, version string) *atomic.Int64 {
	key := modelVersion{model, version}
	if p.count[key] == nil {
		if p.count == nil {
			p.count = map[modelVersion]*atomic.Int64{}
		}
		p.count[key] = new(atomic.Int64)
	}
	return p.count[key]
}

// Running is how many have picked a version and not let it go.
func (c *Catalog) Running(model, version string) int {
	c.pins.mu.Lock()
	defer c.pins.mu.Unlock()
	return int(c.pins.uses(model, version).Load())
}

// Pick resolves a version of a model as Resolve does, and counts the caller as one who uses it, until Leave of what it gives. Picking and counting are one step: once Pin has
// returned, nobody picks the earlier version any more without having asked for it, so that its count, where that is 0, stays 0.
//
// lookup gives the model as it is now; it is asked again where the version that serves has changed meanwhile.
func Pick(m *Model, version string, lookup func(name string) (*Model, error)) (Version, error) {
	for {
		v, err := m.Resolve(version)
		if err != nil {
			return v, err
		}
		v.enter()
		if version != "" || v.uses == nil {
			return v, nil
		}
		now, err := lookup(m.Name)
		if err != nil || now.Pin == m.Pin {
			return v, nil
		}
		v.Leave()
		m = now
	}
}

func (v *Version) enter() {
	if v.uses != nil {
		v.uses.Add(1)
	}
}

// Leave ends a use. It is called once for each Pick.
func (v *Version) Leave() {
	if v.uses != nil {
		v.uses.Add(-1)
	}
}

// Serving is the version that answers where none is asked for; "" where none does now.
func (m *Model) Serving() string {
	v, err := m.Resolve("")
	if err != nil {
		return ""
	}
	return v.Number
}
