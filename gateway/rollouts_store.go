package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/records"
)

const (
	switchKey  = "model-switches/1"
	switchFile = "switches.json" // in the folder of the jobs
	// beatEvery is how often a gateway says that it still works on a model; one that has not for deadAfter is taken for dead, and another one goes on.
	beatEvery = 2 * time.Second
	deadAfter = 10 * time.Second
)

// switchRecord is what all gateways know of the switch of one model.
type switchRecord struct {
	Pin     string        `json:"pin"`            // the version that serves
	Free    bool          `json:"free,omitempty"` // nothing was pinned before the switch, and nothing is to be if it fails
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

// failed reports whether a first switch has been taken back, so that the choice of the version is the model server's again, as before it.
func (r *switchRecord) failed() bool { return r.Free && r.State.Phase == rollout.TakenBack }

// switchStore keeps the records of all models under one key.
type switchStore struct{ records.Store }

// load gives all records, and their bytes.
func (s switchStore) load(ctx context.Context) (all map[string]switchRecord, raw []byte, err error) {
	if raw, err = s.Load(ctx, switchKey); err != nil {
		return nil, nil, err
	}
	all, err = readSwitches(raw)
	return all, raw, err
}

// readSwitches reads what is stored; nothing stands for no records.
func readSwitches(stored []byte) (map[string]switchRecord, error) {
	all := map[string]switchRecord{}
	if len(stored) == 0 {
		return all, nil
	}
	if err := json.Unmarshal(stored, &all); err != nil {
		return nil, fault.New(fault.Unavailable, "switch_store_unavailable", "the store's record of switches cannot be read").Wrap(err)
	}
	return all, nil
}

// change has edit change one model's record, or empty it, which removes it, and writes it; edit is asked again where another gateway has written meanwhile. It gives what was written.
// Errors: edit's, and Unavailable where the store does not answer.
func (s switchStore) change(ctx context.Context, model string, edit func(r *switchRecord) error) (r switchRecord, err error) {
	err = records.Change(ctx, s, switchKey, func(stored []byte) ([]byte, error) {
		all, err := readSwitches(stored)
		if err != nil {
			return nil, err
		}
		r = all[model]
		if err := edit(&r); err != nil {
			return nil, err
		}
		if all[model] = r; r.Pin == "" {
			delete(all, model)
		}
		return json.Marshal(all)
	})
	if errors.Is(err, records.ErrBusy) {
		err = fault.New(fault.Unavailable, "switch_store_unavailable", "other gateways write the record of switches all the time; try again").Wrap(err).After(time.Second)
	}
	return r, err
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
