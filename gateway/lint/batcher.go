package lint

import (
	"fmt"
	"slices"
	"strings"

	"triton-gateway/modelconfig"
)

// batcherRules are about the making of batches. That dynamic_batching and sequence_batching stand side by side is no rule: they are one choice, and a config with both does not parse.
func batcherRules() []Rule {
	return []Rule{
		{"preferred_batch_size_above_max", Error, "A `preferred_batch_size` is not from 1 to `max_batch_size`. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			if s.Config == nil {
				return
			}
			look := func(place string, sizes []int) {
				for _, n := range sizes {
					if n < 1 || n > s.Config.MaxBatchSize {
						say(in("%s.preferred_batch_size", place), fmt.Sprintf("%d is not from 1 to max_batch_size, %d: Triton refuses the model", n, s.Config.MaxBatchSize),
							"take the size out, or raise max_batch_size if the model takes that much")
					}
				}
			}
			if d := s.serving.Dynamic; d != nil {
				look(modelconfig.DynamicBatching, d.Preferred)
			}
			look(modelconfig.SequenceBatching+".oldest", s.serving.SequencePreferred)
		}},
		{"batcher_without_batches", Warning, "`dynamic_batching` with a `max_batch_size` of 0 or 1: nothing is ever put together, only the queue's settings count.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.serving.Dynamic != nil && s.Config.MaxBatchSize < 2 {
				say(in("dynamic_batching"), fmt.Sprintf("max_batch_size is %d: requests are queued, and never put together", s.Config.MaxBatchSize),
					"raise max_batch_size if the model has a batch dimension; otherwise leave dynamic_batching out, unless its queue is wanted")
			}
		}},
		{"ragged_without_batcher", Warning, "`allow_ragged_batch` on a model without a batcher: no batches are made, so there are no ragged ones.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.Config.Batcher == "" && len(s.serving.Ragged) > 0 {
				say(in("input.allow_ragged_batch"), fmt.Sprintf("input %s may be ragged, but the model has no batcher", strings.Join(s.serving.Ragged, ", ")),
					"add dynamic_batching {}, or take allow_ragged_batch out")
			}
		}},
	}
}

// priorityRules are about priorities of requests: src/infer_request.cc replaces a priority of 0, or above the model's levels, by the default level.
func priorityRules() []Rule {
	return []Rule{
		{"priority_without_levels", Warning, "`default_priority_level` or `priority_queue_policy` without `priority_levels`: there are no priorities, and the `priority` of requests is ignored without an error.", func(s *subject, say func(place, text, do string)) {
			d := s.serving.Dynamic
			if d == nil || d.Levels > 0 {
				return
			}
			const text = "priority_levels is not given, so this is never used, and neither is the priority of any request"
			if d.DefaultLevel > 0 {
				say(in("dynamic_batching.default_priority_level"), text, "give priority_levels, or take this out")
			}
			if len(d.PolicyOfLevel) > 0 {
				say(in("dynamic_batching.priority_queue_policy"), text, "give priority_levels and default_priority_level, or move the policy to default_queue_policy")
			}
		}},
		{"single_priority_level", Warning, "`priority_levels: 1`: every request has the same priority, whatever it asks for.", func(s *subject, say func(place, text, do string)) {
			if d := s.serving.Dynamic; d != nil && d.Levels == 1 {
				say(in("dynamic_batching.priority_levels"), "with one level, every request has the same priority", "give at least 2 levels, or leave priority_levels out")
			}
		}},
		{"priority_level_not_reached", Note, "A level of `priority_levels` that no class of the gateway has: realtime is 1, interactive `default_priority_level`, batch the last. Only callers of `/v2` who give a `priority` reach it.", func(s *subject, say func(place, text, do string)) {
			d := s.serving.Dynamic
			if d == nil || d.DefaultLevel < 1 || d.DefaultLevel > d.Levels {
				return
			}
			reached := uint64(2)
			if d.DefaultLevel > 1 && d.DefaultLevel < d.Levels {
				reached = 3
			}
			if d.Levels > reached {
				say(in("dynamic_batching.priority_levels"), fmt.Sprintf("of %d levels the classes realtime, interactive and batch have %d: 1, %d and %d", d.Levels, reached, d.DefaultLevel, d.Levels),
					"give 3 levels and default_priority_level 2, or leave the others to callers who give a priority")
			}
		}},
		{"priority_level_out_of_range", Error, "`default_priority_level`, or a key of `priority_queue_policy`, is not from 1 to `priority_levels`. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			d := s.serving.Dynamic
			if d == nil || d.Levels == 0 {
				return
			}
			if d.DefaultLevel < 1 || d.DefaultLevel > d.Levels {
				say(in("dynamic_batching.default_priority_level"), fmt.Sprintf("%d is not from 1 to priority_levels, %d: Triton refuses the model", d.DefaultLevel, d.Levels), "give the level of requests that name none")
			}
			for _, level := range levels(d) {
				if level < 1 || level > d.Levels {
					say(in("dynamic_batching.priority_queue_policy"), fmt.Sprintf("level %d is not from 1 to priority_levels, %d: Triton refuses the model", level, d.Levels), "take the level out, or raise priority_levels")
				}
			}
		}},
		{"ordering_against_priorities", Error, "`preserve_ordering` with several priority levels, or with a timeout whose action is `DELAY`. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			d := s.serving.Dynamic
			if d == nil || !d.PreserveOrder {
				return
			}
			const do = "take preserve_ordering out, or the other setting"
			if d.Levels > 1 {
				say(in("dynamic_batching.preserve_ordering"), fmt.Sprintf("answers cannot keep the order of requests with %d priority levels: Triton refuses the model", d.Levels), do)
			}
			eachPolicy(d, func(place string, p modelconfig.QueuePolicy) {
				if p.Delay && p.Timeout > 0 {
					say(in("%s.timeout_action", place), "DELAY puts requests behind others, and preserve_ordering forbids it: Triton refuses the model", do)
				}
			})
		}},
	}
}

// timeoutRules are about the time that requests wait in Triton's queue: scheduler_utils.cc takes a request's timeout only where it is below the default, so never where that is 0.
func timeoutRules() []Rule {
	each := func(look func(place string, p modelconfig.QueuePolicy, say func(place, text, do string))) func(s *subject, say func(place, text, do string)) {
		return func(s *subject, say func(place, text, do string)) {
			if s.serving.Dynamic != nil {
				eachPolicy(s.serving.Dynamic, func(place string, p modelconfig.QueuePolicy) { look(place, p, say) })
			}
		}
	}
	return []Rule{
		{"timeout_override_without_default", Warning, "`allow_timeout_override` without `default_timeout_microseconds`: a request's `timeout` may only shorten the default, and there is none, so it is never used.",
			each(func(place string, p modelconfig.QueuePolicy, say func(place, text, do string)) {
				if p.Override && p.Timeout == 0 {
					say(in("%s.allow_timeout_override", place), "a request's timeout may only shorten default_timeout_microseconds, which is not given: it is never used", "give default_timeout_microseconds, as the longest that a request may wait")
				}
			})},
		{"timeout_not_overridable", Note, "`default_timeout_microseconds` without `allow_timeout_override`: the `timeout` of requests is ignored without an error.",
			each(func(place string, p modelconfig.QueuePolicy, say func(place, text, do string)) {
				if !p.Override && p.Timeout > 0 {
					say(in("%s.default_timeout_microseconds", place), "the timeout parameter of requests is ignored without an error", "add allow_timeout_override: true if callers are to shorten it")
				}
			})},
		{"timeout_action_without_timeout", Warning, "`timeout_action: DELAY` without `default_timeout_microseconds`: no request ever times out.",
			each(func(place string, p modelconfig.QueuePolicy, say func(place, text, do string)) {
				if p.Delay && p.Timeout == 0 {
					say(in("%s.timeout_action", place), "no request times out, since default_timeout_microseconds is not given", "give default_timeout_microseconds, or take timeout_action out")
				}
			})},
	}
}

// eachPolicy visits the policies that are in use: that of a level only where there are levels.
func eachPolicy(d *modelconfig.DynamicBatcher, visit func(place string, p modelconfig.QueuePolicy)) {
	if d.Given {
		visit("dynamic_batching.default_queue_policy", d.Policy)
	}
	if d.Levels == 0 {
		return
	}
	for _, level := range levels(d) {
		visit(fmt.Sprintf("dynamic_batching.priority_queue_policy[%d]", level), d.PolicyOfLevel[level])
	}
}

// levels are the levels with a policy of their own, in order.
func levels(d *modelconfig.DynamicBatcher) []uint64 {
	out := make([]uint64, 0, len(d.PolicyOfLevel))
	for level := range d.PolicyOfLevel {
		out = append(out, level)
	}
	slices.Sort(out)
	return out
}
