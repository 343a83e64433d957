package route

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"triton-gateway/gateway/canary"
)

// Canary is a candidate whose weight is moved by how well it does beside the others.
type Canary struct {
	Target      `yaml:",inline"`
	canary.Spec `yaml:",inline"`
	Compare     *float64 `yaml:"compare" json:"compare,omitempty" minimum:"0" maximum:"1" doc:"Share of its answers for which the control is asked too, to compare them. Default 0.5; 0: none"`
}

// usualCompare is what Compare is where nothing is written.
const usualCompare = 0.5

// Complete gives what is in force with the defaults in their places; compared is the share of answers to be compared.
func (c *Canary) Complete() (spec canary.Spec, compared float64, err error) {
	compared = usualCompare
	if c.Compare != nil {
		compared = *c.Compare
	}
	if !(compared >= 0 && compared <= 1) || math.IsNaN(compared) {
		err = fmt.Errorf("canary.compare: %v is not a share from 0 to 1", compared)
	}
	spec, faults := c.Spec.Complete()
	return spec, compared, errors.Join(faults, err)
}

// First is the percentage of the first step; 0 of nil, and of a canary that is not right.
func (c *Canary) First() float64 { return c.Percent(0) }

// Percent is the percentage of a step, by its index; of the last one where there are fewer.
func (c *Canary) Percent(step int) float64 {
	if c == nil {
		return 0
	}
	spec, _, err := c.Complete()
	if err != nil {
		return 0
	}
	return spec.Steps[min(max(step, 0), len(spec.Steps)-1)]
}

// Control is who the canary is compared with: of the other candidates the one with the greatest weight, of equal ones the first. ok is false where there is no canary.
func (s *Spec) Control() (t Target, ok bool) {
	if s.Canary == nil {
		return t, false
	}
	most := 0.0
	for _, c := range s.Candidates {
		if c.Target != s.Canary.Target && c.Weight > most {
			t, most, ok = c.Target, c.Weight, true
		}
	}
	return t, ok
}

// CanaryID names what a canary is about: its target, its steps and who the candidates are. What is known of a canary holds for another spec with the same id. "" where there is none.
func (s *Spec) CanaryID() string {
	if s.Canary == nil {
		return ""
	}
	spec, _, _ := s.Canary.Complete()
	about := struct {
		Target     Target
		Steps      []float64
		Candidates []Target
	}{Target: s.Canary.Target, Steps: spec.Steps}
	for _, c := range s.Candidates {
		about.Candidates = append(about.Candidates, c.Target)
	}
	text, _ := json.Marshal(about) // numbers that JSON lacks have been refused
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// weighed gives the candidates with the weights that they have while the canary has so many percent: the others share the rest as they are written.
func (s *Spec) weighed(percent float64) []Candidate {
	if s.Canary == nil {
		return s.Candidates
	}
	out, rest := slices.Clone(s.Candidates), 0.0
	for _, c := range out {
		if c.Target != s.Canary.Target {
			rest += c.Weight
		}
	}
	for i := range out {
		if out[i].Target == s.Canary.Target {
			out[i].Weight = percent
		} else {
			out[i].Weight *= (100 - percent) / rest
		}
	}
	return out
}

func (s *Spec) canaryFaults() (faults []error) {
	if s.Canary == nil {
		return nil
	}
	if err := s.Canary.Target.fault(); err != nil {
		faults = append(faults, fmt.Errorf("canary.%w", err))
	} else if !slices.ContainsFunc(s.Candidates, func(c Candidate) bool { return c.Target == s.Canary.Target }) {
		faults = append(faults, fmt.Errorf("canary.model: %s is none of the candidates; name the one that is new, with its version", s.Canary.Target))
	} else if _, ok := s.Control(); !ok {
		faults = append(faults, errors.New("canary.model: no other candidate has a weight, so there is nobody to compare it with"))
	}
	if _, _, err := s.Canary.Complete(); err != nil {
		faults = append(faults, flat(err)...)
	}
	return faults
}

// flat lists the errors that one joins, at any depth.
func flat(err error) (list []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, flat(e)...)
		}
		return list
	}
	return []error{err}
}
