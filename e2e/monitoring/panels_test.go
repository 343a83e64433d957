package monitoring

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
	"triton-gateway/internal/promql"
)

// events are panels' queries that have an answer only after something has happened that this test does not make happen, and what that is.
var events = map[string]string{
	`count(gateway_cache_redis_up{job="$job", instance=~"$instance"} == 0)`: "a Redis that is away",
	`ALERTS`: "an alert; it comes later in the test",
}

// panelQuery is one query of a panel, with the dashboard's variables filled in.
type panelQuery struct{ panel, raw, expr string }

func panelQueries(t *testing.T) (list []panelQuery) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, filepath.Join(parts.Root(t), "deploy/grafana/dashboards/triton-gateway.json")), &board); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "20s", "$job", "triton-gateway", "$instance", ".*", "$triton", "triton", "$model", ".*")
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			list = append(list, panelQuery{p.Title, q.Expr, filled.Replace(q.Expr)})
		}
	}
	return list
}

// exported lists the metrics of metrics.txt that no target has, or that have other labels.
func (r *rig) exported(t *testing.T) (missing []string) {
	t.Helper()
	k := promql.Known{}
	k.ReadList(string(read(t, filepath.Join(parts.Root(t), "deploy/prometheus/metrics.txt"))))
	delete(k, "ALERTS")
	for metric, labels := range k {
		series := r.ask(t, metric)
		if len(series) == 0 {
			missing = append(missing, metric+" is not exported")
			continue
		}
		var have []string
		for name := range series[0].Metric {
			if name != "__name__" && name != "job" && name != "instance" {
				have = append(have, name)
			}
		}
		slices.Sort(have)
		if want := slices.Sorted(slices.Values(labels)); !slices.Equal(have, want) {
			missing = append(missing, fmt.Sprintf("%s has labels %v, not %v", metric, have, want))
		}
	}
	return missing
}

var number = regexp.MustCompile(`^[-+]?\d`) // not NaN, not Inf

func (r *rig) unanswered(t *testing.T) (missing []string) {
	t.Helper()
	for _, q := range panelQueries(t) {
		if events[q.raw] == "" && !slices.ContainsFunc(r.ask(t, q.expr), func(s sample) bool { return number.MatchString(s.number()) }) {
			missing = append(missing, q.panel+": "+q.expr)
		}
	}
	return missing
}

func TestEveryPanelHasAnAnswer(t *testing.T) {
	t.Setenv("GATEWAY_MODEL_REPOSITORY", repository(t))
	r := newRig(t, time.Second)
	r.traffic(t, func() float64 { return 1 })
	r.moving(t)
	eventually(t, func() []string { return append(r.exported(t), r.unanswered(t)...) })
	eventually(t, func() []string { return r.asOrdered(t) })
	eventually(t, func() []string { return r.ruled(t) })

	// A Triton dies: the gateways leave it alone, the dashboard shows it, and an alert waits to fire.
	r.tritons[1].Kill()
	eventually(t, func() (missing []string) {
		if out := r.ask(t, `gateway_backend_up{endpoint="`+r.tritons[1].GRPC+`"} == 0`); len(out) != 2 {
			missing = append(missing, fmt.Sprintf("two gateways leave it alone: %v", out))
		}
		if due := r.ask(t, `ALERTS{alertname="BackendEjected", endpoint="`+r.tritons[1].GRPC+`", alertstate="pending"}`); len(due) != 2 {
			missing = append(missing, fmt.Sprintf("BackendEjected is pending: %v", due))
		}
		if due := r.ask(t, `ALERTS{alertname="TritonDown", instance="`+r.tritons[1].Metrics+`"}`); len(due) != 1 {
			missing = append(missing, fmt.Sprintf("TritonDown is pending: %v", due))
		}
		// A machine that stands still for a moment can have Prometheus miss an answer; what one dead Triton causes lasts.
		if wrong := r.ask(t, `ALERTS{severity="page"}`); len(wrong) != 0 {
			missing = append(missing, fmt.Sprintf("one of two Tritons is gone, and nobody is woken: %v", wrong))
		}
		return missing
	})
}

// ruled looks at what Prometheus says of its rules and targets: all are evaluated without an error, all targets answer. It lists what is not so.
func (r *rig) ruled(t *testing.T) (wrong []string) {
	t.Helper()
	var rules struct {
		Data struct {
			Groups []struct {
				Name  string
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	r.get(t, "/api/v1/rules", &rules)
	n := 0
	for _, g := range rules.Data.Groups {
		for _, rule := range g.Rules {
			n++
			if rule.Health != "ok" {
				wrong = append(wrong, fmt.Sprintf("rule %s of %s is %s: %s", rule.Name, g.Name, rule.Health, rule.LastError))
			}
		}
	}
	if n < 40 {
		wrong = append(wrong, fmt.Sprintf("only %d rules", n))
	}
	if up := r.ask(t, "sum by (job) (up)"); len(up) != 2 || up[0].number() != "2" || up[1].number() != "2" {
		wrong = append(wrong, fmt.Sprintf("targets: %v", up))
	}
	return wrong
}
