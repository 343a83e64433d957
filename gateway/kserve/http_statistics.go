package kserve

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"triton-gateway/gateway/backend"
)

// modelStatistics answers with the counters of a model, a version, or all, in the shape of Triton's statistics extension.
func (h *httpSide) modelStatistics(ctx context.Context, c *httpCall) error {
	list, err := h.statistics(ctx, c.model, c.version)
	if err != nil {
		return err
	}
	c.known = c.model != ""
	b := []byte(`{"model_stats":[`)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendStatistics(b, &list[i])
	}
	c.send(http.StatusOK, append(b, "]}"...))
	return nil
}

// namedDuration is one member of an object of durations.
type namedDuration struct {
	name string
	backend.Duration
}

func appendStatistics(b []byte, s *backend.Statistics) []byte {
	last := uint64(0)
	if !s.LastInference.IsZero() {
		last = uint64(s.LastInference.UnixMilli())
	}
	b = appendString(append(b, `{"name":`...), []byte(s.Model))
	b = appendString(append(b, `,"version":`...), []byte(s.Version))
	b = strconv.AppendUint(append(b, `,"last_inference":`...), last, 10)
	b = strconv.AppendUint(append(b, `,"inference_count":`...), s.Inferences, 10)
	b = strconv.AppendUint(append(b, `,"execution_count":`...), s.Executions, 10)
	b = appendDurations(append(b, `,"inference_stats":{`...),
		namedDuration{"success", s.Success}, namedDuration{"fail", s.Fail}, namedDuration{"queue", s.Queue},
		namedDuration{"compute_input", s.ComputeInput}, namedDuration{"compute_infer", s.ComputeInfer}, namedDuration{"compute_output", s.ComputeOutput},
		namedDuration{"cache_hit", s.CacheHit}, namedDuration{"cache_miss", s.CacheMiss})
	b = append(b, `},"response_stats":{`...)
	for i, key := range slices.Sorted(maps.Keys(s.Responses)) {
		if i > 0 {
			b = append(b, ',')
		}
		r := s.Responses[key]
		b = appendDurations(append(appendString(b, []byte(key)), `:{`...),
			namedDuration{"compute_infer", r.ComputeInfer}, namedDuration{"compute_output", r.ComputeOutput}, namedDuration{"success", r.Success},
			namedDuration{"fail", r.Fail}, namedDuration{"empty_response", r.EmptyResponse}, namedDuration{"cancel", r.Cancel})
		b = append(b, '}')
	}
	b = append(b, `},"batch_stats":[`...)
	for i := range s.Batches {
		if i > 0 {
			b = append(b, ',')
		}
		batch := &s.Batches[i]
		b = strconv.AppendUint(append(b, `{"batch_size":`...), batch.Size, 10)
		b = appendDurations(append(b, ','),
			namedDuration{"compute_input", batch.ComputeInput}, namedDuration{"compute_infer", batch.ComputeInfer}, namedDuration{"compute_output", batch.ComputeOutput})
		b = append(b, '}')
	}
	return append(b, `],"memory_usage":[]}`...)
}

// appendDurations writes members, counts and nanoseconds, without the braces around them.
func appendDurations(b []byte, list ...namedDuration) []byte {
	for i, d := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(appendString(b, []byte(d.name)), `:{"count":`...), d.Count, 10)
		b = append(strconv.AppendUint(append(b, `,"ns":`...), uint64(d.Total), 10), '}')
	}
	return b
}
