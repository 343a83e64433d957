package gateway

import (
	"cmp"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/rollout"
)

// switchCounts counts what becomes of switches. Operators name the models, so that there are few.
type switchCounts struct {
	switches *prometheus.CounterVec
	steps    *prometheus.HistogramVec
	warmUps  *prometheus.CounterVec

	mu     sync.Mutex
	phases map[string]rollout.Phase
}

func newSwitchCounts() *switchCounts {
	return &switchCounts{
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_model_switches_total",
			Help: "Switches of a model's version, by outcome: switched, failed (the earlier version went on serving), rolled_back, rollback_failed, settled, settle_failed, resumed or resume_failed."}, []string{"model", "outcome"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gateway_model_switch_step_seconds",
			Help:    "Time of one step of a switch on one model server: load, ready, warm_up, verify or unload. outcome is ok or failed.",
			Buckets: []float64{.001, .01, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}}, []string{"step", "outcome"}),
		warmUps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_warm_ups_total",
			Help: "Models that were warmed up on a model server after a reload or its return, by outcome: ok or failed."}, []string{"outcome"}),
		phases: map[string]rollout.Phase{},
	}
}

func (c *switchCounts) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.switches, c.steps, c.warmUps}
}

// outcomesOf name how a call has ended: well, and not.
var outcomesOf = map[string][2]string{
	actSwitch: {"switched", "failed"}, actSwitchBack: {"rolled_back", "rollback_failed"}, actSettle: {"settled", "settle_failed"}, actGoOn: {"resumed", "resume_failed"},
}

func (c *switchCounts) ended(model, action string, r rollout.Report, err error) {
	outcome := outcomesOf[action][0]
	if err != nil {
		outcome = outcomesOf[action][1]
	}
	c.switches.WithLabelValues(model, outcome).Inc()
	for _, replica := range r.Replicas {
		for _, s := range replica.Steps {
			ended := "ok"
			if s.Error != "" {
				ended = "failed"
			}
			c.steps.WithLabelValues(s.Name, ended).Observe(s.Took.Seconds())
		}
	}
}

func (c *switchCounts) warmed(err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	c.warmUps.WithLabelValues(outcome).Inc()
}

// phase notes where a switch stands.
func (c *switchCounts) phase(s rollout.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phases[s.Model] = s.Phase
}

func (c *switchCounts) forget(model string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.phases, model)
}

// readings are the gauge of phases.
func (c *switchCounts) readings() []reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := reading{name: "gateway_model_switch_phase", labels: []string{"model", "phase"},
		help: "Always 1: where the last switch of a model stands. loading, flipping, kept (the earlier version is there for a rollback), unloading, done, taking_back or taken_back."}
	for model, phase := range c.phases {
		f.values = append(f.values, labelled{1, []string{model, string(phase)}})
	}
	slices.SortFunc(f.values, func(a, b labelled) int { return cmp.Compare(a.labels[0], b.labels[0]) })
	return []reading{f}
}
