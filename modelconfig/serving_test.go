package modelconfig

import (
	"reflect"
	"testing"
)

func TestServing(t *testing.T) {
	const io = `input [{name: "i" data_type: TYPE_FP32 dims: [-1] allow_ragged_batch: true}] output [{name: "o" data_type: TYPE_FP32 dims: [1]}] `
	for text, want := range map[string]*Serving{
		"": {Ragged: []string{"i"}, SequencePreferred: []int{}},
		`max_batch_size: 8 dynamic_batching {
			preferred_batch_size: [4, 8] max_queue_delay_microseconds: 100 preserve_ordering: true priority_levels: 3 default_priority_level: 2
			default_queue_policy {timeout_action: DELAY default_timeout_microseconds: 500 allow_timeout_override: true max_queue_size: 7}
			priority_queue_policy {key: 1 value {max_queue_size: 9}}}
		 optimization {priority: PRIORITY_MAX}`: {Ragged: []string{"i"}, SequencePreferred: []int{}, Priority: "PRIORITY_MAX", Dynamic: &DynamicBatcher{
			Preferred: []int{4, 8}, Delay: 100, PreserveOrder: true, Levels: 3, DefaultLevel: 2, Given: true,
			Policy: QueuePolicy{Timeout: 500, Override: true, Delay: true, Size: 7}, PolicyOfLevel: map[uint64]QueuePolicy{1: {Size: 9}}}},
		`sequence_batching {oldest {preferred_batch_size: [2]}}`: {Ragged: []string{"i"}, Sequences: true, SequencePreferred: []int{2}},
		`instance_group [{name: "g" kind: KIND_GPU count: 2 gpus: [0, 1] rate_limiter {resources [{name: "R" count: 4}] priority: 3}}, {passive: true}]
		 model_warmup [{name: "w" batch_size: 4}]`: {Ragged: []string{"i"}, SequencePreferred: []int{},
			Groups: []InstanceGroup{{Name: "g", Kind: "KIND_GPU", Count: 2, GPUs: []int{0, 1}, Resources: []string{"R"}, Weight: 3}, {Kind: "KIND_AUTO", GPUs: []int{}, Passive: true}},
			Warmup: []Warmup{{"w", 4}}},
	} {
		c, err := Parse("m", []byte(io+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.Serving(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, not\n%+v", text, got, want)
		}
	}
	if got := (&Config{Name: "m"}).Serving(); got.Dynamic != nil || got.Groups != nil {
		t.Errorf("a config made by hand: %+v", got)
	}
}

func TestBatcher(t *testing.T) {
	for text, want := range map[string]string{"": "", "dynamic_batching {}": DynamicBatching, "sequence_batching {}": SequenceBatching, "ensemble_scheduling {}": EnsembleScheduling} {
		c, err := Parse("m", []byte(`platform: "x" `+text))
		if err != nil || c.Batcher != want {
			t.Errorf("%q: %q, %v", text, c.Batcher, err)
		}
	}
	if _, err := Parse("m", []byte("dynamic_batching {} sequence_batching {}")); err == nil {
		t.Error("two batchers are taken")
	}
}
