package canary

import (
	"errors"
	"fmt"
	"time"
)

// Spec is a canary as people write it.
type Spec struct {
	Steps   []float64 `yaml:"steps" json:"steps,omitempty" maxItems:"32" doc:"Percent of the requests, one step after the other. Default 1, 5, 25, 50, 100"`
	Every   Duration  `yaml:"every" json:"every,omitempty" example:"5m" pattern:"^(0|([0-9]{1,9}([.][0-9]{1,9})?(ns|us|ms|s|m|h)){1,6})$" patternDescription:"a time such as 5m" doc:"Shortest time of a step. Default 5m"`
	Samples int       `yaml:"samples" json:"samples,omitempty" minimum:"0" maximum:"1000000" doc:"Fewest answers of the new version at each step. Default 50"`
	Guard   Guard     `yaml:"guard" json:"guard,omitzero" doc:"What ends it"`
}

// Guard holds how much worse than the control the new version may be. Zero means the default; a negative number turns a rule off.
type Guard struct {
	Errors       float64 `yaml:"errors" json:"errors,omitempty" doc:"Share of failures above the control's. Default 0.03"`
	Slower       float64 `yaml:"slower" json:"slower,omitempty" doc:"How many times the control's time, in the middle and at both ends. Default 1.5"`
	Disagreement float64 `yaml:"disagreement" json:"disagreement,omitempty" doc:"Share of inputs that the control answers otherwise. Default 0.1"`
}

// Duration is a time in Go's notation, such as 5m.
type Duration time.Duration

// UnmarshalText reads 5m.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time such as 5m", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes it as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

const (
	usualEvery        = 5 * time.Minute
	usualSamples      = 50
	usualErrors       = 0.03
	usualSlower       = 1.5
	usualDisagreement = 0.1
)

// Complete gives a spec with the defaults in their places. The error joins all faults.
func (s Spec) Complete() (Spec, error) {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(s.Steps) == 0 {
		s.Steps = []float64{1, 5, 25, 50, 100}
	}
	if len(s.Steps) > 32 {
		add("canary.steps: %d are more than 32", len(s.Steps))
	}
	last := 0.0
	for i, p := range s.Steps {
		if !(p > last && p <= 100) {
			add("canary.steps[%d]: %v is not a percentage above the one before, up to 100", i, p)
		}
		last = p
	}
	if last != 100 {
		add("canary.steps: the last one has to be 100")
	}
	if s.Every == 0 {
		s.Every = Duration(usualEvery)
	}
	if s.Samples == 0 {
		s.Samples = usualSamples
	}
	if s.Samples < 0 || s.Samples > 1e6 {
		add("canary.samples: %d is not a number from 1 to 1000000", s.Samples)
	}
	g := &s.Guard
	for _, v := range []struct {
		name        string
		value       *float64
		usual, most float64
		least       float64
	}{{"errors", &g.Errors, usualErrors, 0.9, 0}, {"slower", &g.Slower, usualSlower, 1000, 1.05}, {"disagreement", &g.Disagreement, usualDisagreement, 0.9, 0}} {
		switch {
		case *v.value == 0:
			*v.value = v.usual
		case *v.value < 0: // off
		case !(*v.value >= v.least && *v.value <= v.most):
			add("canary.guard.%s: %v is not a number from %v to %v", v.name, *v.value, v.least, v.most)
		}
	}
	return s, errors.Join(faults...)
}
