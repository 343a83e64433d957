package embedded

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"triton-gateway/gateway/backend"
)

// model is what the engine knows of one model folder. Engine.mu guards it.
type model struct {
	name     string
	look     look                // as last seen
	since    time.Time           // when it was first seen like that
	tried    string              // look.all of the last load; "" before the first, unsettled if the files changed meanwhile
	at       time.Time           // of the last load
	busy     bool                // a load is on its way
	done     chan struct{}       // closed when that load has ended
	gone     bool                // the folder was not there at the last look
	off      bool                // unloaded by name: nothing is loaded until it is loaded by name
	labels   map[string][]string // the classes' names by output
	versions map[int64]*version
	reason   string // why there is no version
}

// version is one version that the policy chooses.
type version struct {
	run    *loaded // the load that serves; nil if there is none
	look   string  // of the files that run was made of
	config string  // look.config of the same
	reason string  // what is wrong with the files that are there now; "" if nothing is
}

// unsettled is unlike any look.
const unsettled = "unsettled"

// retryAfter is when a load that failed is tried again although no file has changed: the cause may have been elsewhere.
const retryAfter = 30 * time.Second

func (m *model) retry(now time.Time) bool {
	failed := len(m.versions) == 0
	for _, v := range m.versions {
		failed = failed || v.reason != ""
	}
	return failed && now.Sub(m.at) >= retryAfter
}

// drop lets go of every load.
func (m *model) drop() {
	for _, v := range m.versions {
		if v.run != nil {
			v.run.release()
		}
	}
}

// shown is a model as Infer and Index see it. It is never changed: publish makes a new one.
type shown struct {
	ready  []ready // highest version first
	labels map[string][]string
	status []backend.ModelStatus
}

type ready struct {
	number string
	run    *loaded
}

// version finds a version that is ready, or the status of one that is not.
func (s *shown) version(number string) (*ready, *backend.ModelStatus) {
	for i := range s.ready {
		if s.ready[i].number == number {
			return &s.ready[i], nil
		}
	}
	for i := range s.status {
		if s.status[i].Version == number {
			return nil, &s.status[i]
		}
	}
	return nil, nil
}

// reason is the first thing that is wrong.
func (s *shown) reason() string {
	for _, status := range s.status {
		if status.Reason != "" {
			return status.Reason
		}
	}
	return "no version is loaded"
}

// show makes the picture of m that others see.
func (m *model) show() *shown {
	s := &shown{labels: m.labels}
	numbers := slices.SortedFunc(maps.Keys(m.versions), func(a, b int64) int { return cmp.Compare(b, a) })
	for _, n := range numbers {
		v := m.versions[n]
		status := backend.ModelStatus{Name: m.name, Version: strconv.FormatInt(n, 10), State: backend.Unavailable, Reason: v.reason}
		if v.run != nil {
			status.State, status.Epoch = backend.Ready, v.run.epoch
			s.ready = append(s.ready, ready{status.Version, v.run})
		}
		s.status = append(s.status, status)
	}
	if len(s.status) == 0 {
		status := backend.ModelStatus{Name: m.name, State: backend.Unavailable, Reason: m.reason}
		if !m.off && (m.tried == "" || m.tried == unsettled) {
			status.State, status.Reason = backend.Loading, "it is being loaded, or its files are still being written"
		}
		s.status = append(s.status, status)
	}
	return s
}

func compareStatus(a, b backend.ModelStatus) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(len(a.Version), len(b.Version)), cmp.Compare(a.Version, b.Version))
}
