package lint

import (
	"fmt"
	"strings"

	"triton-gateway/modelconfig"
)

// cacheRules are about Triton's own cache of answers.
func cacheRules() []Rule {
	return []Rule{
		{"response_cache_decoupled", Error, "`response_cache` on a decoupled model. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.Config.ResponseCache && s.Config.Decoupled {
				say(in("response_cache.enable"), "the cache does not support decoupled models: Triton refuses the model", "take response_cache out")
			}
		}},
		{"response_cache_sequences", Error, "`response_cache` with `sequence_batching`. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.Config.ResponseCache && s.serving.Sequences {
				say(in("response_cache.enable"), "the cache does not support sequence_batching: Triton refuses the model", "take response_cache out")
			}
		}},
		{"response_cache_keeps_old_answers", Warning, "`response_cache`: a version that is loaded again under its number is answered from the old weights, and requests that differ only in shape, datatype or parameters share an entry. It does nothing where Triton runs without `--cache-config`. The gateway's own cache has neither fault.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.Config.ResponseCache && s.Backend == Triton && !s.Config.Decoupled && !s.serving.Sequences {
				say(in("response_cache.enable"), "Triton's cache, if it was started with one, keeps the answers of a version that is loaded again under its number",
					"take response_cache out, the gateway caches already; or give new weights a new version number")
			}
		}},
	}
}

// instanceRules are about instances, devices and what is done when they start.
func instanceRules() []Rule {
	return []Rule{
		{"gpus_without_gpu_kind", Error, "An instance group names `gpus` and has a kind without GPUs. Triton refuses the model.", func(s *subject, say func(place, text, do string)) {
			for i, g := range s.serving.Groups {
				if len(g.GPUs) > 0 && (g.Kind == "KIND_CPU" || g.Kind == "KIND_MODEL") && s.Backend == Triton {
					say(in("instance_group[%d].gpus", i), fmt.Sprintf("a group of %s may not name GPUs: Triton refuses the model", g.Kind), "take gpus out, or write kind: KIND_GPU")
				}
			}
		}},
		{"gpu_instances_without_gpu", Warning, "An instance group asks for GPUs, and the embedded engine runs models on the CPU.", func(s *subject, say func(place, text, do string)) {
			for i, g := range s.serving.Groups {
				if s.Backend == Embedded && (g.Kind == "KIND_GPU" || len(g.GPUs) > 0) {
					say(in("instance_group[%d]", i), "the embedded engine runs it on the CPU", "serve the model by a Triton with a GPU, or write kind: KIND_CPU")
				}
			}
		}},
		{"all_instances_passive", Error, "Every instance group is `passive`: no instance takes requests.", func(s *subject, say func(place, text, do string)) {
			if len(s.serving.Groups) == 0 || s.Backend != Triton {
				return
			}
			for _, g := range s.serving.Groups {
				if !g.Passive {
					return
				}
			}
			say(in("instance_group.passive"), "no instance of the model takes requests", "take passive out of one group")
		}},
		{"instances_of_ensemble", Warning, "`instance_group` of an ensemble: it runs nothing itself, so the setting is not used.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.Config.Ensemble && len(s.serving.Groups) > 0 {
				say(in("instance_group"), "an ensemble has no instances: this is not used", "set it for the models of the ensemble")
			}
		}},
		{"rate_limiter_needs_flag", Note, "`rate_limiter` of an instance group counts only where Triton runs with `--rate-limit=execution_count`; otherwise its resources and priority are ignored. Triton does not tell which it is.", func(s *subject, say func(place, text, do string)) {
			for i, g := range s.serving.Groups {
				if s.Backend == Triton && (len(g.Resources) > 0 || g.Weight > 0) {
					say(in("instance_group[%d].rate_limiter", i), "without --rate-limit=execution_count, Triton ignores "+limited(g), "start tritonserver with --rate-limit=execution_count; docs/guide/one-gpu.md")
				}
			}
		}},
		{"warmup_skipped", Warning, "A sample of `model_warmup` has no `batch_size`, or 0: Triton leaves it out.", func(s *subject, say func(place, text, do string)) {
			for i, w := range s.serving.Warmup {
				if w.Batch == 0 {
					say(in("model_warmup[%d].batch_size", i), fmt.Sprintf("sample %q has batch_size 0, and is left out", w.Name), "write batch_size: 1, and another sample with max_batch_size")
				}
			}
		}},
		{"no_warmup", Note, "A model with instances on a GPU and without `model_warmup`: the first requests after each load are slow, since kernels are chosen and memory is allocated then.", func(s *subject, say func(place, text, do string)) {
			if s.Backend != Triton || len(s.serving.Warmup) > 0 {
				return
			}
			for _, g := range s.serving.Groups {
				if g.Kind == "KIND_GPU" {
					say(in("model_warmup"), "the first requests after each load are slow", "add a sample of batch_size 1 and one of max_batch_size")
					return
				}
			}
		}},
		{"priority_of_tensorrt_alone", Warning, "`optimization.priority` of a model that is not TensorRT's: it has no effect on others.", func(s *subject, say func(place, text, do string)) {
			if s.Config != nil && s.serving.Priority != "" && s.Config.Platform != "tensorrt_plan" && s.Config.Backend != "tensorrt" {
				say(in("optimization.priority"), fmt.Sprintf("%s has an effect on TensorRT models alone", s.serving.Priority), "take it out; the rate limiter's priority is for all models")
			}
		}},
	}
}

// limited names what a group's rate limiter asks for.
func limited(g modelconfig.InstanceGroup) string {
	var list []string
	if len(g.Resources) > 0 {
		list = append(list, "its resources "+strings.Join(g.Resources, ", "))
	}
	if g.Weight > 0 {
		list = append(list, fmt.Sprintf("its priority %d", g.Weight))
	}
	return strings.Join(list, " and ")
}
