package gateway

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route/book"
)

// moveKey are the labels of gateway_canary_moves_total.
type moveKey struct{ route, move, rule string }

// readings are the figures for Prometheus. Of the labels there are as many as operators write routes.
func (c *canaries) readings() []reading {
	var moves, shares []labelled
	if c.book != nil {
		entries, _ := c.book.Entries()
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if e := entries[name]; e.Canary != nil {
				shares = append(shares, labelled{e.Canary.Percent(&e.Plan.Spec) / 100, []string{name}})
			}
		}
	}
	var evidence []labelled
	if runs := c.runs.Load(); runs != nil {
		for name, run := range *runs {
			if !run.watched.Load() {
				continue
			}
			for rule, weight := range run.judge.Seen().Evidence {
				evidence = append(evidence, labelled{weight, []string{name, rule}})
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range c.moves {
		moves = append(moves, labelled{n, []string{k.route, k.move, k.rule}})
	}
	return []reading{
		{"gateway_canary_moves_total", "Moves of routes' canaries that this gateway has written: up, done or back, and back by which rule: errors, slower or disagreement.", []string{"route", "move", "rule"}, true, moves},
		{"gateway_canary_share", "What a route's canary has of the requests that weights decide, 0 to 1.", []string{"route"}, false, shares},
		{"gateway_canary_evidence", "What speaks against a route's canary on this gateway, by rule (errors, slower, disagreement): above 1 it goes back, below 0 it looks good. Only while it is watched.", []string{"route", "rule"}, false, evidence},
	}
}

// CanaryBrief is how far a route's canary is. It is exported for the sake of the OpenAPI document.
type CanaryBrief struct {
	State  string  `json:"state" enum:"running,paused,back,done,unknown" doc:"running: at a step; paused: at a step until it is resumed; back: it has nothing, and does not begin again by itself; done: it has everything; unknown: the store has not answered yet, and it has nothing until then"`
	Model  string  `json:"model" example:"shapes" doc:"The new one"`
	Number string  `json:"version,omitempty" example:"2"`
	Step   int     `json:"step" minimum:"1" example:"2" doc:"The last step that it has reached, from 1"`
	Steps  int     `json:"steps" minimum:"1" example:"5" doc:"How many there are"`
	Share  float64 `json:"share" minimum:"0" maximum:"100" example:"5" doc:"Percent of the requests that weights decide"`
	Rule   string  `json:"rule,omitempty" enum:"errors,slower,disagreement" doc:"That has sent it back; missing where an operator has"`
	Reason string  `json:"reason,omitempty" doc:"Of its last move" example:"12.5 % of its calls fail, 0.2 % of the control's"`
}

// canaryView is all that there is to know of a route's canary.
type canaryView struct {
	Route string `json:"route" example:"shapes-ab"`
	CanaryBrief
	Control  string             `json:"control" example:"shapes/1" doc:"Who it is compared with"`
	Since    *time.Time         `json:"since,omitempty" doc:"When this gateway has begun to watch the step"`
	Answers  *canarySides       `json:"answers,omitempty" doc:"Of the step, on this gateway; missing where it has not been watched here"`
	Evidence map[string]float64 `json:"evidence" doc:"Against it, by rule, on this gateway: above 1 it goes back; below 0 it looks good. Rules that are off are missing"`
	History  []canaryStep       `json:"history" doc:"Its moves that are kept, the newest first; empty while the store does not answer"`
}

type canarySides struct {
	Canary   canaryAnswers `json:"canary"`
	Control  canaryAnswers `json:"control"`
	Compared canaryPairs   `json:"compared" doc:"Inputs that both have answered"`
}

type canaryAnswers struct {
	Answers  int `json:"answers" minimum:"0" doc:"That a model has computed"`
	Failures int `json:"failures" minimum:"0" doc:"Of those, the model's own"`
}

func answersOf(a canary.Answers) canaryAnswers { return canaryAnswers{a.Calls, a.Failures} }

type canaryPairs struct {
	Inputs    int `json:"inputs" minimum:"0"`
	Otherwise int `json:"otherwise" minimum:"0" doc:"Of those, the ones that they answered differently"`
}

// canaryStep is one move.
type canaryStep struct {
	Version int       `json:"version" example:"3" doc:"Of the route"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty" example:"canary"`
	Action  string    `json:"action" enum:"put,rollback,canary,promote,pause,resume"`
	State   string    `json:"state" enum:"running,paused,back,done"`
	Step    int       `json:"step" minimum:"1" example:"2"`
	Share   float64   `json:"share" minimum:"0" maximum:"100" example:"5"`
	Rule    string    `json:"rule,omitempty" enum:"errors,slower,disagreement"`
	Reason  string    `json:"reason,omitempty"`
}

// briefOf is a route's canary in brief; nil where it has none.
func briefOf(e book.Entry) *CanaryBrief {
	if e.Canary == nil {
		return nil
	}
	spec, _, err := e.Plan.Spec.Canary.Complete()
	if err != nil {
		return nil // such a route is not taken
	}
	t := e.Plan.Spec.Canary.Target
	return &CanaryBrief{State: e.Canary.State, Model: t.Model, Number: string(t.Version), Step: min(e.Canary.Step, len(spec.Steps)-1) + 1, Steps: len(spec.Steps),
		Share: e.Canary.Percent(&e.Plan.Spec), Rule: e.Canary.Rule, Reason: e.Canary.Reason}
}

// view is how a route's canary does. Its error is NotFound where there is none.
func (c *canaries) view(ctx context.Context, name string) (*canaryView, error) {
	e, found := c.book.Entry(name)
	if !found {
		return nil, book.Missing(name)
	}
	brief := briefOf(e)
	if brief == nil {
		return nil, book.NoCanary(name)
	}
	control, _ := e.Plan.Spec.Control()
	v := &canaryView{Route: name, CanaryBrief: *brief, Control: targetName(control), Evidence: map[string]float64{}, History: []canaryStep{}}
	if run := c.run(name); run != nil && run.id == e.Canary.ID {
		s := run.judge.Seen()
		since := c.began.Add(s.Since)
		v.Since, v.Evidence = &since, s.Evidence
		v.Answers = &canarySides{answersOf(s.Sides[canary.Candidate]), answersOf(s.Sides[canary.Control]), canaryPairs{s.Pairs.Calls, s.Pairs.Failures}}
	}
	versions, err := c.book.History(ctx, name)
	if err != nil {
		return v, nil
	}
	for _, old := range versions {
		if k := old.Canary; k != nil && k.ID == e.Canary.ID {
			v.History = append(v.History, canaryStep{old.Number, old.At, old.By, old.Action, k.State, k.Step + 1, k.Percent(&e.Plan.Spec), k.Rule, strings.ToValidUTF8(k.Reason, "?")})
		}
	}
	return v, nil
}
