package modelconfig

import (
	"triton-gateway/tritonpb"
)

// Serving is how Triton runs a model, as far as its config says it: what is between a request and the model. Zero values mean "not given".
type Serving struct {
	Dynamic           *DynamicBatcher // nil without dynamic_batching
	Sequences         bool            // sequence_batching
	SequencePreferred []int           // sequence_batching.oldest.preferred_batch_size
	Groups            []InstanceGroup
	Warmup            []Warmup
	Ragged            []string // inputs with allow_ragged_batch
	Priority          string   // optimization.priority: PRIORITY_MAX or PRIORITY_MIN; "" otherwise
}

// DynamicBatcher is dynamic_batching.
type DynamicBatcher struct {
	Preferred     []int
	Delay         uint64 // max_queue_delay_microseconds
	PreserveOrder bool
	Levels        uint64 // priority_levels
	DefaultLevel  uint64
	Policy        QueuePolicy
	Given         bool                   // default_queue_policy is there
	PolicyOfLevel map[uint64]QueuePolicy // priority_queue_policy
}

// QueuePolicy is what becomes of requests that wait.
type QueuePolicy struct {
	Timeout  uint64 // default_timeout_microseconds; 0: none
	Override bool   // allow_timeout_override
	Delay    bool   // timeout_action: DELAY
	Size     uint32 // max_queue_size; 0: any
}

// InstanceGroup is one of instance_group.
type InstanceGroup struct {
	Name      string
	Kind      string // KIND_AUTO, KIND_GPU, KIND_CPU or KIND_MODEL
	Count     int    // as given: 0 where it is left out
	GPUs      []int
	Resources []string // names of rate_limiter.resources
	Weight    uint32   // rate_limiter.priority
	Passive   bool
}

// Warmup is one of model_warmup.
type Warmup struct {
	Name  string
	Batch uint32
}

// Serving reads what the config says of it.
func (c *Config) Serving() *Serving {
	pb := c.message()
	s := &Serving{Sequences: pb.GetSequenceBatching() != nil}
	if d := pb.GetDynamicBatching(); d != nil {
		s.Dynamic = dynamic(d)
	}
	s.SequencePreferred = ints(pb.GetSequenceBatching().GetOldest().GetPreferredBatchSize())
	for _, g := range pb.InstanceGroup {
		group := InstanceGroup{Name: g.Name, Kind: g.Kind.String(), Count: int(g.Count), GPUs: ints(g.Gpus), Weight: g.GetRateLimiter().GetPriority(), Passive: g.Passive}
		for _, r := range g.GetRateLimiter().GetResources() {
			group.Resources = append(group.Resources, r.Name)
		}
		s.Groups = append(s.Groups, group)
	}
	for _, w := range pb.ModelWarmup {
		s.Warmup = append(s.Warmup, Warmup{w.Name, w.BatchSize})
	}
	for _, in := range pb.Input {
		if in.AllowRaggedBatch {
			s.Ragged = append(s.Ragged, in.Name)
		}
	}
	if p := pb.GetOptimization().GetPriority(); p != tritonpb.ModelOptimizationPolicy_PRIORITY_DEFAULT {
		s.Priority = p.String()
	}
	return s
}

func dynamic(d *tritonpb.ModelDynamicBatching) *DynamicBatcher {
	out := &DynamicBatcher{Preferred: ints(d.PreferredBatchSize), Delay: d.MaxQueueDelayMicroseconds, PreserveOrder: d.PreserveOrdering,
		Levels: d.PriorityLevels, DefaultLevel: d.DefaultPriorityLevel, Policy: queuePolicy(d.DefaultQueuePolicy), Given: d.DefaultQueuePolicy != nil,
		PolicyOfLevel: make(map[uint64]QueuePolicy, len(d.PriorityQueuePolicy))}
	for level, p := range d.PriorityQueuePolicy {
		out.PolicyOfLevel[level] = queuePolicy(p)
	}
	return out
}

func queuePolicy(p *tritonpb.ModelQueuePolicy) QueuePolicy {
	return QueuePolicy{Timeout: p.GetDefaultTimeoutMicroseconds(), Override: p.GetAllowTimeoutOverride(),
		Delay: p.GetTimeoutAction() == tritonpb.ModelQueuePolicy_DELAY, Size: p.GetMaxQueueSize()}
}

func ints(list []int32) []int {
	out := make([]int, 0, len(list))
	for _, n := range list {
		out = append(out, int(n))
	}
	return out
}
