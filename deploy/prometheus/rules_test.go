// Package prometheus checks the rules that Prometheus is given: an alert that asks for a metric that does not exist never fires, and nobody notices.
package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
	"triton-gateway/internal/promql"
)

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func rules(t *testing.T) []promql.Rule {
	t.Helper()
	all, err := promql.ReadRules("rules")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// known are all metrics: the gateway's, as its own tests write them into docs/telemetry.md, those of others, and recorded ones.
func known(t *testing.T) promql.Known {
	t.Helper()
	k := promql.Known{}
	k.ReadTable(text(t, "../../docs/telemetry.md"))
	k.ReadList(text(t, "metrics.txt"))
	if err := k.ReadRules(rules(t)); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRulesAskForMetricsThatExist(t *testing.T) {
	k := known(t)
	for _, r := range rules(t) {
		if err := k.Check(r.Expr); err != nil {
			t.Errorf("%s%s: %v", r.Alert, r.Record, err)
		}
	}
}

var (
	labelOf = regexp.MustCompile(`\$labels\.(\w+)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Each alert says how urgent it is, what to do, and where more is written.
func TestAlertsSayWhatToDo(t *testing.T) {
	k, page := known(t), text(t, "../../docs/guide/monitoring.md")
	var anchors []string
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		anchors = append(anchors, strings.ToLower(h[1]))
	}
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if seen[r.Alert] {
			t.Errorf("%s: there are two", r.Alert)
		}
		seen[r.Alert] = true
		summary, description := r.Annotations["summary"], r.Annotations["description"]
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: its severity is %q", r.Alert, s)
		}
		if summary == "" || strings.HasSuffix(summary, ".") || len(description) < 80 {
			t.Errorf("%s: summary %q, description %q", r.Alert, summary, description)
		}
		if r.Annotations["runbook_url"] != "docs/guide/monitoring.md#"+strings.ToLower(r.Alert) || !slices.Contains(anchors, strings.ToLower(r.Alert)) {
			t.Errorf("%s: its runbook_url %s leads nowhere", r.Alert, r.Annotations["runbook_url"])
		}
		q, err := promql.Read(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		has := q.Groups
		if len(has) == 0 {
			has = []string{"job", "instance"}
			for _, u := range q.Uses {
				has = append(has, k[u.Metric]...)
			}
		}
		for _, m := range labelOf.FindAllStringSubmatch(summary+description, -1) {
			if !slices.Contains(has, m[1]) {
				t.Errorf("%s: its text has $labels.%s, the alert has %v", r.Alert, m[1], has)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d alerts were found", len(seen))
	}
}

// promtool runs it in this folder.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(parts.PromTool(t), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtool(t *testing.T) {
	promtool(t, "check", "config", "prometheus.yml")
	files, err := filepath.Glob("tests/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	promtool(t, append([]string{"test", "rules"}, files...)...)
}
