package route

import (
	"errors"
	"fmt"
	"math"
)

// The most of what a route may have.
const (
	mostCandidates = 16
	mostRules      = 64
	mostFallbacks  = 16
	mostHeaders    = 16
	mostName       = 256
)

// Compile checks a spec and makes a plan of it. before is the plan that it replaces, nil where there is none: users stay where they were as far as the weights allow.
// A canary is at its first step. The error joins all faults, each with its place.
func Compile(name string, spec Spec, before *Plan) (*Plan, error) {
	return CompileAt(name, spec, before, spec.Canary.First())
}

// CompileAt is Compile with a canary that has so many percent of what the weights decide. Of a spec without one, the percentage is not looked at.
func CompileAt(name string, spec Spec, before *Plan, percent float64) (*Plan, error) {
	p := &Plan{Name: name, Spec: spec}
	faults := spec.faults()
	var err error
	if p.sticky, err = parseSticky(spec.Sticky); err != nil {
		faults = append(faults, fmt.Errorf("sticky: %w", err))
	}
	for i := range spec.Rules {
		r, errs := compileRule(&spec.Rules[i])
		for _, e := range errs {
			faults = append(faults, fmt.Errorf("rules[%d].%w", i, e))
		}
		p.rules = append(p.rules, r)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	p.targets = p.collect()
	weighed := spec.weighed(percent)
	if before != nil {
		p.Shares = before.Shares.carry(before.Spec.Candidates, spec.Candidates).move(weighed)
	} else {
		p.Shares = newShares(weighed)
	}
	return p, nil
}

// Restore is CompileAt with the shares that a store has kept. Shares that do not fit the spec are made anew.
func Restore(name string, spec Spec, shares Shares, percent float64) (*Plan, error) {
	p, err := CompileAt(name, spec, nil, percent)
	if err == nil && shares.valid(len(spec.Candidates)) {
		p.Shares = shares.move(spec.weighed(percent))
	}
	return p, err
}

func (s *Spec) faults() (faults []error) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if n := len(s.Candidates); n == 0 || n > mostCandidates {
		add("candidates: give 1 to %d, not %d", mostCandidates, n)
	}
	if len(s.Rules) > mostRules {
		add("rules: %d are more than %d", len(s.Rules), mostRules)
	}
	if len(s.Fallback) > mostFallbacks {
		add("fallback: %d are more than %d", len(s.Fallback), mostFallbacks)
	}
	total, sound, seen := 0.0, true, map[Target]int{}
	for i, c := range s.Candidates {
		if err := c.Target.fault(); err != nil {
			add("candidates[%d].%w", i, err)
		}
		if !(c.Weight >= 0 && c.Weight <= 1e6) {
			add("candidates[%d].weight: %v is not a number from 0 to 1000000", i, c.Weight)
			sound = false
		}
		if other, twice := seen[c.Target]; twice {
			add("candidates[%d]: %s is candidates[%d] already", i, c.Target, other)
		}
		seen[c.Target] = i
		total += c.Weight
	}
	if len(s.Candidates) > 0 && sound && total == 0 {
		add("candidates: all weights are 0, so nobody would answer")
	}
	for i := range s.Rules {
		if err := s.Rules[i].Use.fault(); err != nil {
			add("rules[%d].use.%w", i, err)
		}
		if len(s.Rules[i].When.Header) > mostHeaders {
			add("rules[%d].when.header: %d are more than %d", i, len(s.Rules[i].When.Header), mostHeaders)
		}
	}
	for i, t := range s.Fallback {
		if err := t.fault(); err != nil {
			add("fallback[%d].%w", i, err)
		}
	}
	if s.Shadow != nil {
		if err := s.Shadow.Target.fault(); err != nil {
			add("shadow.%w", err)
		}
		if !(s.Shadow.Percent >= 0 && s.Shadow.Percent <= 100) || math.IsNaN(s.Shadow.Percent) {
			add("shadow.percent: %v is not a number from 0 to 100", s.Shadow.Percent)
		}
	}
	return append(faults, s.canaryFaults()...)
}

func (t Target) fault() error {
	if t.Model == "" || len(t.Model) > mostName {
		return errors.New("model: name the model, in at most 256 characters")
	}
	for _, b := range []byte(t.Version) {
		if b < '0' || b > '9' || len(t.Version) > 19 {
			return fmt.Errorf("version: %q is not a number such as 2", t.Version)
		}
	}
	return nil
}
