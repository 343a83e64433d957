package rollout

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Report says what a call has done, replica by replica.
type Report struct {
	State    State     `json:"state"` // as the call left it
	Replicas []Replied `json:"replicas,omitempty"`
}

// Replied is what one replica was asked to do, in order.
type Replied struct {
	Replica string `json:"replica"`
	Steps   []Step `json:"steps"`
}

// Step is one thing that a replica was asked to do.
type Step struct {
	Name  string        `json:"step"` // load, ready, warm_up, verify or unload
	Took  time.Duration `json:"took_ns"`
	Error string        `json:"error,omitempty"` // with the replica's own words: for who operates it
}

// notes collects a Report. Safe for concurrent use.
type notes struct {
	mu   sync.Mutex
	list []Replied
}

// step does one step of a replica and notes it.
func (n *notes) step(rep Replica, name string, do func() error) error {
	began := time.Now()
	err := do()
	s := Step{Name: name, Took: time.Since(began)}
	if err != nil {
		s.Error = err.Error()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.IndexFunc(n.list, func(r Replied) bool { return r.Replica == rep.Name() })
	if at < 0 {
		at, n.list = len(n.list), append(n.list, Replied{Replica: rep.Name()})
	}
	n.list[at].Steps = append(n.list[at].Steps, s)
	return err
}

func (n *notes) report(s State) Report {
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.SortFunc(n.list, func(a, b Replied) int { return cmp.Compare(a.Replica, b.Replica) })
	return Report{State: s, Replicas: n.list}
}
