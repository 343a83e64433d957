package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"time"

	"triton-gateway/gateway/rollout"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/fault"
)

const (
	switchKey  = "model-switches/1"
	switchFile = "switches.json" // in the folder of the jobs
	// switchTries bounds how often a change is made anew because another gateway wrote meanwhile.
	switchTries = 20
	// beatEvery is how often a gateway says that it still works on a model; one that has not for deadAfter is taken for dead, and another one goes on.
	beatEvery = 2 * time.Second
	deadAfter = 10 * time.Second
)

// switchRecord is what all gateways know of the switch of one model.
type switchRecord struct {
	Pin     string        `json:"pin"` // the version that serves
	Flipped time.Time     `json:"flipped,omitzero"`
	State   rollout.State `json:"state"`
	Owner   string        `json:"owner,omitempty"` // the gateway that works on it, or is to unload the version that is kept
	Beat    time.Time     `json:"beat,omitzero"`   // its last sign of life
	By      string        `json:"by,omitempty"`    // who asked last
	At      time.Time     `json:"at,omitzero"`

	taken bool // it was just taken from another gateway that lives
}

// open reports whether there is still something to do.
func (r *switchRecord) open() bool { return r.State.Phase != "" && !r.State.Settled() }

// alive reports whether a gateway that lives works on it.
func (r *switchRecord) alive(now time.Time) bool { return r.Owner != "" && now.Sub(r.Beat) < deadAfter }

// switchStore keeps the records of all models under one key.
type switchStore struct {
	records book.Records
	now     func() time.Time
}

// load gives all records, and their bytes.
func (s *switchStore) load(ctx context.Context) (all map[string]switchRecord, raw []byte, err error) {
	raw, err = s.records.Load(ctx, switchKey)
	if err != nil {
		return nil, nil, err
	}
	all = map[string]switchRecord{}
	if len(raw) == 0 {
		return all, nil, nil
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, nil, fault.New(fault.Unavailable, "switch_store_unavailable", "the store's record of switches cannot be read").Wrap(err)
	}
	return all, raw, nil
}

// change has f change one model's record, or empty it, which removes it, and writes it unless another gateway has written meanwhile; then it is done again. It gives what was
// written. Errors: f's, and Unavailable where the store does not answer.
func (s *switchStore) change(ctx context.Context, model string, f func(r *switchRecord) error) (switchRecord, error) {
	for range switchTries {
		all, raw, err := s.load(ctx)
		if err != nil {
			return switchRecord{}, err
		}
		r := all[model]
		if err := f(&r); err != nil {
			return r, err
		}
		next := maps.Clone(all)
		if next[model] = r; r.Pin == "" {
			delete(next, model)
		}
		value, err := json.Marshal(next)
		if err != nil {
			return r, fault.New(fault.Internal, "internal", "").Wrap(err)
		}
		if bytes.Equal(value, raw) {
			return r, nil
		}
		done, err := s.records.Swap(ctx, switchKey, raw, value)
		if err != nil || done {
			return r, err
		}
	}
	return switchRecord{}, fault.New(fault.Unavailable, "switch_store_unavailable", "other gateways write the record of switches all the time; try again").After(time.Second)
}

// wayOf is where an unfinished switch goes: to where the traffic is, and before the flip to its end.
func wayOf(r *switchRecord) rollout.Way {
	switch r.State.Phase {
	case rollout.TakingBack:
		return rollout.TakeBack
	case rollout.Flipping:
		if r.Pin == r.State.From {
			return rollout.TakeBack
		}
	}
	return rollout.Finish
}
