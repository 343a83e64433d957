package gateway

import (
	"maps"
	"slices"
	"time"

	"triton-gateway/internal/priority"
)

// Priorities say how requests of the three classes share what they wait for.
type Priorities struct {
	Weights PriorityWeights   `yaml:"weights" json:"weights,omitempty" envPrefix:"WEIGHTS__" jsonschema_description:"How often each class is served while all of them wait, 1 to 1000."`
	Ageing  time.Duration     `yaml:"ageing" json:"ageing,omitempty" env:"AGEING" jsonschema:"type=string" jsonschema_description:"From when on a request that waits is old: of four places one goes to the one that has come first of all. Default 5s."`
	Tiers   map[string]string `yaml:"tiers" json:"tiers,omitempty" env:"TIERS" jsonschema_description:"The most urgent class that callers of a tier may have: realtime, interactive or batch; default is for those who have none, or another. What is not named: realtime."`
}

// PriorityWeights are those of the classes.
type PriorityWeights struct {
	Realtime    int `yaml:"realtime" json:"realtime,omitempty" env:"REALTIME" jsonschema_description:"Of realtime requests. Default 16."`
	Interactive int `yaml:"interactive" json:"interactive,omitempty" env:"INTERACTIVE" jsonschema_description:"Of interactive requests, which are those that say nothing. Default 4."`
	Batch       int `yaml:"batch" json:"batch,omitempty" env:"BATCH" jsonschema_description:"Of batch requests. Default 1."`
}

// longestAgeing bounds priorities.ageing: nobody waits for longer.
const longestAgeing = time.Hour

func defaultPriorities() Priorities {
	r := priority.Defaults()
	return Priorities{Weights: PriorityWeights{r.Weights[0], r.Weights[1], r.Weights[2]}, Ageing: r.Ageing}
}

// check is the section's part of Config.Validate.
func (p *Priorities) check() (faults []error) {
	w := [...]int{p.Weights.Realtime, p.Weights.Interactive, p.Weights.Batch}
	for i, c := range priority.All() {
		if w[i] < 1 || w[i] > priority.MostWeight {
			faults = append(faults, bad("priorities.weights.%s: must be 1 to %d", c, priority.MostWeight))
		}
	}
	if w[0] < w[1] || w[1] < w[2] {
		faults = append(faults, bad("priorities.weights: a more urgent class needs at least the weight of a less urgent one"))
	}
	if p.Ageing <= 0 || p.Ageing > longestAgeing {
		faults = append(faults, bad("priorities.ageing: must be above 0s, and at most %v", longestAgeing))
	}
	if len(p.Tiers) > mostTiers {
		faults = append(faults, bad("priorities.tiers: %d tiers; at most %d", len(p.Tiers), mostTiers))
	}
	for _, tier := range slices.Sorted(maps.Keys(p.Tiers)) {
		if _, ok := priority.Parse(p.Tiers[tier]); !ok {
			faults = append(faults, bad("priorities.tiers.%s: %q is none of realtime, interactive, batch", clip(tier), clip(p.Tiers[tier])))
		}
	}
	return faults
}

// rules are the settings as the lines take them.
func (p *Priorities) rules() priority.Rules {
	return priority.Rules{Weights: [priority.Classes]int{p.Weights.Realtime, p.Weights.Interactive, p.Weights.Batch}, Ageing: p.Ageing}
}

// ceilings are the most urgent classes by tier; nil where every caller may have each.
func (p *Priorities) ceilings() ceilings {
	if len(p.Tiers) == 0 {
		return nil
	}
	most := ceilings{}
	for tier, name := range p.Tiers {
		most[tier], _ = priority.Parse(name)
	}
	return most
}
