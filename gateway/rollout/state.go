package rollout

import (
	"time"

	"triton-gateway/internal/fault"
)

// Phase is how far a switch is.
type Phase string

// The phases. A switch goes Loading, Flipping, Kept, Unloading, Done; a failed one Loading, TakingBack, TakenBack; Rollback goes from Kept or
// Unloading by Flipping to TakingBack.
const (
	Loading    Phase = "loading"     // From serves; To is loaded, verified and warmed up
	Flipping   Phase = "flipping"    // either serves, both are loaded; a switch that stays here could be flipped neither way: see Resume
	Kept       Phase = "kept"        // To serves; From stays loaded for Rollback, until Until
	Unloading  Phase = "unloading"   // To serves; From is unloaded
	Done       Phase = "done"        // To serves alone
	TakingBack Phase = "taking_back" // From serves; To is unloaded
	TakenBack  Phase = "taken_back"  // From serves alone
)

// State is where the switch of a model stands: all that Resume needs after a restart.
type State struct {
	Model  string    `json:"model"`
	From   string    `json:"from,omitempty"` // the version before the switch
	To     string    `json:"to,omitempty"`   // the version after it
	Phase  Phase     `json:"phase"`
	Until  time.Time `json:"until,omitzero"`   // Kept: when From is unloaded
	Reason string    `json:"reason,omitempty"` // why it is taken back, or does not go on
}

// Serving is the version that the traffic is pointed to; "" while Flipping, when it may be either.
func (s State) Serving() string {
	switch s.Phase {
	case Loading, TakingBack, TakenBack:
		return s.From
	case Kept, Unloading, Done:
		return s.To
	}
	return ""
}

// gone is the version that is unloaded next, or was.
func (s State) gone() string {
	if s.Serving() == s.From {
		return s.To
	}
	return s.From
}

// settled reports whether one version serves alone.
func (s State) settled() bool { return s.Phase == Done || s.Phase == TakenBack }

// wanted are the versions that replicas are to serve.
func (s State) wanted() []string {
	switch s.Phase {
	case Loading, Flipping, Kept:
		return []string{s.From, s.To}
	}
	return []string{s.Serving()}
}

// needed are those of them without which a replica cannot take traffic.
func (s State) needed() []string {
	if s.Phase == Flipping {
		return s.wanted()
	}
	return []string{s.Serving()}
}

// check refuses a state that State cannot have given.
func (s State) check() error {
	switch s.Phase {
	case Loading, Flipping, Kept, Unloading, Done, TakingBack, TakenBack:
	default:
		return invalid("phase", "%q is no phase of a switch", s.Phase)
	}
	if s.settled() && s.Serving() != "" && s.Model != "" {
		return nil
	}
	return pair(s.Model, s.From, s.To)
}

// pair refuses names that cannot be those of a switch.
func pair(model, from, to string) error {
	switch {
	case model == "":
		return invalid("model", "a switch needs the name of a model")
	case from == "":
		return invalid("from", "a switch needs the version that serves now")
	case to == "":
		return invalid("to", "a switch needs a version to go to")
	case from == to:
		return invalid("to", "version %q serves already", to)
	}
	return nil
}

func invalid(place, format string, args ...any) error {
	f := fault.New(fault.Invalid, "invalid_request", format, args...)
	return f.At(place, f.Detail)
}

func conflict(format string, args ...any) error {
	return fault.New(fault.Conflict, "conflict", format, args...)
}
