package lint

import (
	"fmt"

	"triton-gateway/modelconfig"
)

// gatewayRules are about settings that this gateway does not use.
func gatewayRules() []Rule {
	return []Rule{
		{"batching_beside_batcher", Warning, "`batching` in `task.yaml` for a model that has a batcher in Triton, or is decoupled: the gateway leaves it alone.", func(s *subject, say func(place, text, do string)) {
			if s.Spec == nil || s.Config == nil || s.Spec.Batching.Off || s.Spec.Batching.Size == 0 {
				return
			}
			switch c := s.Config; {
			case s.Backend == Triton && c.Batcher != "":
				say(taskKey("batching"), "the model has "+c.Batcher+", so the gateway puts no calls together", "take batching out")
			case c.Decoupled, c.Batcher == modelconfig.SequenceBatching:
				say(taskKey("batching"), "calls of decoupled models and of sequences are not put together", "take batching out")
			}
		}},
		{"batching_above_max", Warning, "`batching.size` in `task.yaml` is above `max_batch_size`, or that is below 2.", func(s *subject, say func(place, text, do string)) {
			if s.Spec == nil || s.Config == nil || s.Spec.Batching.Off {
				return
			}
			switch size, most := s.Spec.Batching.Size, s.Config.MaxBatchSize; {
			case size == 0:
			case most < 2:
				say(taskKey("batching.size"), fmt.Sprintf("max_batch_size is %d: the model takes no batches", most), "take batching out, or raise max_batch_size if the model has a batch dimension")
			case size > most:
				say(taskKey("batching.size"), fmt.Sprintf("batches have at most max_batch_size, %d items, not %d", most, size), "raise max_batch_size if the model takes that much, or lower the size")
			}
		}},
		{"not_used_by_embedded", Note, "The embedded engine does not use the setting; a Triton does.", func(s *subject, say func(place, text, do string)) {
			if s.Backend != Embedded {
				return
			}
			for _, place := range unused(s) {
				say(in("%s", place), "the embedded engine does not use it", "nothing, if the folder is a Triton's too; docs/guide/lint.md says what stands in for it")
			}
		}},
	}
}

// unused names what the embedded engine does not look at.
func unused(s *subject) []string {
	var list []string
	add := func(given bool, place string) {
		if given {
			list = append(list, place)
		}
	}
	if d := s.serving.Dynamic; d != nil {
		add(d.Delay > 0, "dynamic_batching.max_queue_delay_microseconds")
		add(d.Given, "dynamic_batching.default_queue_policy")
		add(d.Levels > 0, "dynamic_batching.priority_levels")
	}
	add(s.serving.Sequences, modelconfig.SequenceBatching)
	add(s.Config != nil && s.Config.ResponseCache, "response_cache")
	add(len(s.serving.Warmup) > 0, "model_warmup")
	for i, g := range s.serving.Groups {
		add(len(g.Resources) > 0 || g.Weight > 0, fmt.Sprintf("instance_group[%d].rate_limiter", i))
	}
	return list
}
