package gateway

import (
	"time"

	"triton-gateway/gateway/rollout"
)

// Rollout says how a model is switched from one version to another, and how servers that come back are warmed up.
type Rollout struct {
	Load     time.Duration `yaml:"load" json:"load,omitempty" env:"LOAD" jsonschema:"type=string" jsonschema_description:"How long one Triton may take to load a version. Default 5m."`
	WarmUp   time.Duration `yaml:"warm_up" json:"warm_up,omitempty" env:"WARM_UP" jsonschema:"type=string" jsonschema_description:"How long the warm-up calls of one Triton may take, at batch 1 and at the largest batch: of a version it is switched to, and of all models after a reload or when it comes back; 0s: there are none. Default 1m."`
	Required bool          `yaml:"required" json:"required,omitempty" env:"REQUIRED" jsonschema_description:"A Triton that comes back takes no traffic while a warm-up call fails. Default false: the failure is logged. A switch needs them in any case."`
	Drain    time.Duration `yaml:"drain" json:"drain,omitempty" env:"DRAIN" jsonschema:"type=string" jsonschema_description:"How long a version waits to be unloaded for the calls that use it, until it is tried again. Default 1m."`
	Keep     time.Duration `yaml:"keep" json:"keep,omitempty" env:"KEEP" jsonschema:"type=string" jsonschema_description:"How long the earlier version stays loaded after a switch, for a rollback. Default 10m."`
	Parallel int           `yaml:"parallel" json:"parallel,omitempty" env:"PARALLEL" jsonschema_description:"Tritons that load at one time. Default 4."`
}

func defaultRollout() Rollout {
	return Rollout{Load: 5 * time.Minute, WarmUp: time.Minute, Drain: time.Minute, Keep: 10 * time.Minute, Parallel: 4}
}

// mostParallel bounds rollout.parallel.
const mostParallel = 256

// check is the section's part of Config.Validate.
func (r *Rollout) check() (faults []error) {
	for _, v := range []struct {
		key   string
		value time.Duration
	}{{"load", r.Load}, {"drain", r.Drain}, {"keep", r.Keep}} {
		if v.value <= 0 {
			faults = append(faults, bad("rollout.%s: must be above 0s", v.key))
		}
	}
	if r.WarmUp < 0 {
		faults = append(faults, bad("rollout.warm_up: must not be negative; 0s turns warm-up calls off"))
	}
	if r.Required && r.WarmUp == 0 {
		faults = append(faults, bad("rollout.required: there are no warm-up calls while rollout.warm_up is 0s"))
	}
	if r.Parallel < 1 || r.Parallel > mostParallel {
		faults = append(faults, bad("rollout.parallel: must be 1 to %d", mostParallel))
	}
	return faults
}

func (r *Rollout) settings() rollout.Settings {
	return rollout.Settings{Load: r.Load, Warm: r.WarmUp, Drain: r.Drain, Keep: r.Keep, Parallel: r.Parallel}
}
