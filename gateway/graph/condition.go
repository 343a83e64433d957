package graph

import (
	"slices"

	"triton-gateway/postprocess"
)

// Condition is what has to hold for a detection or a class: all that is given together. In a switch it is asked of all of them: how many does it hold for?
type Condition struct {
	Label      string   `yaml:"label"`       // its label
	Labels     []string `yaml:"labels"`      // one of these is its label
	ScoreOver  *float64 `yaml:"score_over"`  // its score is above this, 0..1
	ScoreUnder *float64 `yaml:"score_under"` // its score is below this, 0..1
	AreaOver   *float64 `yaml:"area_over"`   // a detection's box has more pixels of the picture
	AreaUnder  *float64 `yaml:"area_under"`  // a detection's box has fewer pixels of the picture
	Inner      *Inner   `yaml:"inner"`       // holds for one of the classes that were found in a detection's crop
	CountOver  *int     `yaml:"count_over"`  // switch: it holds for more than so many; without a count, for more than 0
	CountUnder *int     `yaml:"count_under"` // switch: it holds for fewer than so many
}

// Inner is what has to hold for a class that was found in a detection's crop.
type Inner struct {
	Label      string   `yaml:"label"`
	Labels     []string `yaml:"labels"`
	ScoreOver  *float64 `yaml:"score_over"`
	ScoreUnder *float64 `yaml:"score_under"`
}

// classHolds reports whether label and score are those that are asked for.
func classHolds(label string, labels []string, over, under *float64, p *postprocess.Prediction) bool {
	switch {
	case label != "" && p.Label != label,
		len(labels) > 0 && !slices.Contains(labels, p.Label),
		over != nil && !(p.Score > *over),
		under != nil && !(p.Score < *under):
		return false
	}
	return true
}

// class reports whether the condition holds for a class.
func (c *Condition) class(p *postprocess.Prediction) bool {
	return classHolds(c.Label, c.Labels, c.ScoreOver, c.ScoreUnder, p)
}

// found reports whether the condition holds for a detection.
func (c *Condition) found(f *Found) bool {
	if !c.class(&postprocess.Prediction{Label: f.Label, Index: f.Index, Score: f.Score}) {
		return false
	}
	area := (f.Box.X2 - f.Box.X1) * (f.Box.Y2 - f.Box.Y1)
	switch {
	case c.AreaOver != nil && !(area > *c.AreaOver), c.AreaUnder != nil && !(area < *c.AreaUnder):
		return false
	case c.Inner == nil:
		return true
	}
	return slices.ContainsFunc(f.Predictions, func(p postprocess.Prediction) bool {
		return classHolds(c.Inner.Label, c.Inner.Labels, c.Inner.ScoreOver, c.Inner.ScoreUnder, &p)
	})
}

// holds answers a switch.
func (c *Condition) holds(v *value) bool {
	n := 0
	for i := range v.found {
		if c.found(&v.found[i]) {
			n++
		}
	}
	for i := range v.classes {
		if c.class(&v.classes[i]) {
			n++
		}
	}
	switch {
	case c.CountOver == nil && c.CountUnder == nil:
		return n > 0
	case c.CountOver != nil && n <= *c.CountOver, c.CountUnder != nil && n >= *c.CountUnder:
		return false
	}
	return true
}
