package lint

import (
	"fmt"
	"slices"
	"strings"

	"triton-gateway/task"
)

// taskRules are about tasks that do not fit their model.
func taskRules() []Rule {
	return []Rule{
		{"not_served", Error, "The model cannot be served; the text says why.", func(s *subject, say func(place, text, do string)) {
			if s.Problem != "" {
				say("the model's folder", s.Problem, "mend the files; they are read again by themselves")
			}
		}},
		{"labels_count", Warning, "There are more or fewer labels than the output has classes.", func(s *subject, say func(place, text, do string)) {
			if s.Spec == nil {
				return
			}
			for _, text := range s.Spec.CheckLabels(s.Config, s.Labels) {
				say(taskKey("labels"), strings.TrimPrefix(text, "labels: "), "give one label for each class, in the order of the output")
			}
		}},
		{"format_against_dims", Warning, "An input's `format` and its `dims` tell two layouts: the dimension that should be channels has none of the numbers that channels have, and the one at the other end has.", func(s *subject, say func(place, text, do string)) {
			if s.Config == nil {
				return
			}
			for i := range s.Config.Inputs {
				io := &s.Config.Inputs[i]
				if len(io.Dims) != 3 {
					continue
				}
				first, last := channels(io.Dims[0]), channels(io.Dims[2])
				if io.Format == "FORMAT_NCHW" && !first && last || io.Format == "FORMAT_NHWC" && first && !last {
					say(in("input %q", io.Name), fmt.Sprintf("%s does not fit the dims %v", io.Format, io.Dims), "write the other format, or the dims in the order of the model")
				}
			}
		}},
		{"activation_on_probabilities", Warning, "The task applies softmax or sigmoid to an output that by its name holds probabilities already: scores come out nearly equal.", func(s *subject, say func(place, text, do string)) {
			if o, name := activation(s); (o == "softmax" || o == "sigmoid") && has(name, "prob", "softmax") {
				say(taskKey("output.activation"), fmt.Sprintf("%s is applied to output %q, which by its name holds probabilities already", o, name), "write activation: none, if a row of it sums to 1")
			}
		}},
		{"no_activation_on_logits", Warning, "The task takes an output as probabilities that by its name holds logits: scores are not from 0 to 1.", func(s *subject, say func(place, text, do string)) {
			if o, name := activation(s); o == "none" && has(name, "logit") {
				say(taskKey("output.activation"), fmt.Sprintf("none is applied to output %q, which by its name holds logits", name), "write activation: softmax, or sigmoid for classes that do not exclude each other")
			}
		}},
		{"optional_input_not_fed", Note, "An optional input that a task other than `raw` never feeds: the model always takes its own value for it.", func(s *subject, say func(place, text, do string)) {
			if s.Config == nil || s.Spec == nil || s.Spec.Task == task.Raw {
				return
			}
			for i := range s.Config.Inputs {
				if io := &s.Config.Inputs[i]; io.Optional && io.Name != s.Spec.Input.Name {
					say(in("input %q", io.Name), "the task never feeds it; callers of KServe v2 may", "nothing, if the model's own value is right; otherwise write task: raw")
				}
			}
		}},
	}
}

// channels reports whether a picture may have so many.
func channels(n int64) bool { return n == 1 || n == 3 || n == 4 }

// activation is that of a classifier, and the name of its output.
func activation(s *subject) (string, string) {
	if s.Spec == nil || s.Spec.Task != task.ImageClassification && s.Spec.Task != task.TabularClassification {
		return "", ""
	}
	return s.Spec.Output.Activation, s.Spec.Output.Name
}

func has(name string, parts ...string) bool {
	low := strings.ToLower(name)
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(low, p) })
}
