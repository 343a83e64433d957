// Package lint finds settings of a model that do not do what they look like: those that Triton takes and never uses, those that it refuses although they parse, and tasks
// that do not fit their model. It is pure: it looks at a config, a task and labels, and asks nobody. What Triton does with a setting is read off its source,
// triton-inference-server/core (src/model_config_utils.cc, scheduler_utils.cc, dynamic_batch_scheduler.cc, backend_model.cc), and off the comments of model_config.proto.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// Severity says how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // Triton refuses the model, or answers are wrong
	Warning Severity = "warning" // a setting has no effect, or not the one that it seems to have
	Note    Severity = "note"    // worth knowing
)

// Backends that a Model may have.
const (
	Triton   = "triton"
	Embedded = "embedded"
)

// Model is what is looked at.
type Model struct {
	Config  *modelconfig.Config // nil for a model that could never be served
	Spec    *task.Spec          // completed; nil for a model that could never be served
	Labels  []string
	Problem string // why it cannot be served; "" otherwise
	Backend string // Triton or Embedded
}

// Finding is one thing that is odd.
type Finding struct {
	Code     string   `json:"code" doc:"Stable; docs/guide/lint.md lists all" example:"timeout_override_without_default"`
	Severity Severity `json:"severity" enum:"error,warning,note"`
	Place    string   `json:"place" doc:"The file, and the setting in it" example:"config.pbtxt: dynamic_batching.default_queue_policy.allow_timeout_override"`
	Text     string   `json:"text" doc:"What is odd"`
	Do       string   `json:"do" doc:"What to do about it"`
}

// Rule is one thing that is looked for.
type Rule struct {
	Code     string
	Severity Severity
	Meaning  string // for the guide
	look     func(s *subject, say func(place, text, do string))
}

// subject is a Model and what most rules want to know of it.
type subject struct {
	*Model
	serving *modelconfig.Serving
}

// Rules lists all rules in the order of the guide.
func Rules() []Rule {
	return slices.Concat(batcherRules(), priorityRules(), timeoutRules(), cacheRules(), instanceRules(), taskRules(), gatewayRules())
}

// Check gives what is odd, worst first. A model with nothing odd has an empty list.
func Check(m *Model) []Finding {
	s := &subject{Model: m, serving: new(modelconfig.Serving)}
	if m.Config != nil {
		s.serving = m.Config.Serving()
	}
	out := []Finding{}
	for _, r := range Rules() {
		r.look(s, func(place, text, do string) {
			out = append(out, Finding{r.Code, r.Severity, place, text, do})
		})
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	return out
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// in names a setting of config.pbtxt.
func in(format string, args ...any) string { return "config.pbtxt: " + fmt.Sprintf(format, args...) }

// taskKey names a setting of task.yaml.
func taskKey(key string) string { return "task.yaml: " + key }
