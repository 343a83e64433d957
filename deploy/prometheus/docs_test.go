package prometheus

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"triton-gateway/internal/promql"
)

var update = flag.Bool("update", false, "write the alerts in docs/guide/monitoring.md anew")

const page = "../../docs/guide/monitoring.md"

// describe is the chapter on alerts: a table, and for each alert what it means and what to do.
func describe(rules []promql.Rule) string {
	var table, rest strings.Builder
	table.WriteString("| alert | severity | for | about |\n|---|---|---|---|\n")
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		wait := r.For
		if wait == "" {
			wait = "at once"
		}
		fmt.Fprintf(&table, "| [%s](#%s) | %s | %s | %s |\n", r.Alert, strings.ToLower(r.Alert), r.Labels["severity"], wait, plain(r.Annotations["summary"]))
		fmt.Fprintf(&rest, "\n### %s\n%s\n\n```\n%s\n```\n", r.Alert, r.Annotations["description"], strings.TrimSpace(r.Expr))
	}
	return table.String() + rest.String()
}

// plain puts words where an alert's text has templates.
func plain(summary string) string {
	return strings.NewReplacer("{{ $labels.route }}{{ $labels.protocol }}", "a route", "{{ $labels.route }}", "ROUTE", "{{ $labels.phase }}", "PHASE", "{{ $labels.shadow }}", "SHADOW", "{{ $labels.line }}", "LINE", "{{ $labels.instance }}", "INSTANCE", "{{ $labels.listener }}", "LISTENER", "{{ $labels.endpoint }}", "ENDPOINT",
		"{{ $labels.model }}", "MODEL", "{{ $labels.priority }}", "PRIORITY", "{{ $value | humanizePercentage }}", "N %", "{{ $value | humanize1024 }}B", "N bytes",
		"{{ $value | humanizeDuration }}", "N s", "{{ $value | humanize }}", "N", "{{ $value }}", "N").Replace(summary)
}

func TestAlertDocs(t *testing.T) {
	have := text(t, page)
	const begin, end = "<!-- alerts: written by go test ./deploy/prometheus -run AlertDocs -update -->\n", "<!-- end of alerts -->"
	head, rest, ok1 := strings.Cut(have, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the marks of alerts", page)
	}
	want := head + begin + describe(rules(t)) + end + tail
	if strings.Contains(want, "{{") {
		t.Error("a template is left in the text of an alert")
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if have != want {
		t.Errorf("%s differs from the rules; run go test ./deploy/prometheus -run AlertDocs -update", page)
	}
}
