package prometheus

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"triton-gateway/internal/promql"
)

// scenario is one test of promtool.
type scenario struct {
	Name   string
	Series []struct{ Series string } `yaml:"input_series"`
	Expect []struct {
		Expr    string
		Samples []struct{ Labels string } `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
}

// scenarios are the tests of a file of rules, those that last for hours included. "" is all.
func scenarios(t *testing.T, rules string) (all []scenario) {
	t.Helper()
	files, err := filepath.Glob("tests/" + strings.TrimSuffix(rules, ".yml") + "*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var f struct{ Tests []scenario }
		if err := yaml.Unmarshal([]byte(text(t, file)), &f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Tests...)
	}
	return all
}

var firing = regexp.MustCompile(`^ALERTS\{alertname="(\w+)", alertstate="firing", severity="(\w+)"`)

// Every alert fires in a test on made-up series, with its severity. In the test named healthy of its file no alert does, though all metrics that they ask for are there.
func TestEveryAlertIsTested(t *testing.T) {
	all := rules(t)
	recorded := map[string]string{}
	fires := map[string]string{}
	healthy := map[string][]string{}
	for _, r := range all {
		if r.Record != "" {
			recorded[r.Record] = r.Expr
			continue
		}
		if _, seen := healthy[r.File]; seen {
			continue
		}
		healthy[r.File] = nil
		for _, s := range scenarios(t, r.File) {
			quiet := 0
			for _, e := range s.Expect {
				if strings.HasPrefix(e.Expr, "ALERTS") && len(e.Samples) == 0 {
					quiet++
				}
				for _, sample := range e.Samples {
					if m := firing.FindStringSubmatch(sample.Labels); m != nil {
						fires[m[1]] = m[2]
					}
				}
			}
			if s.Name != "healthy" {
				continue
			}
			if quiet == 0 {
				t.Errorf("%s: its healthy test does not look at ALERTS", r.File)
			}
			for _, series := range s.Series {
				name, _, _ := strings.Cut(series.Series, "{")
				healthy[r.File] = append(healthy[r.File], name)
			}
		}
	}
	for _, r := range all {
		if r.Alert == "" {
			continue
		}
		if fires[r.Alert] != r.Labels["severity"] {
			t.Errorf("%s with severity %s fires in no test", r.Alert, r.Labels["severity"])
		}
		for _, m := range reads(t, r.Expr, recorded) {
			if !slices.Contains(healthy[r.File], m) {
				t.Errorf("%s: the healthy test has no %s", r.Alert, m)
			}
		}
	}
}

// reads lists the scraped metrics behind an expression, through recorded ones.
func reads(t *testing.T, expr string, recorded map[string]string) (list []string) {
	t.Helper()
	q, err := promql.Read(expr)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range q.Uses {
		if inner, is := recorded[u.Metric]; is {
			list = append(list, reads(t, inner, recorded)...)
		} else {
			list = append(list, u.Metric)
		}
	}
	return list
}

// Every recorded metric has a value in a test.
func TestEveryRecordedMetricIsTested(t *testing.T) {
	valued := map[string]bool{}
	for _, s := range scenarios(t, "") {
		for _, e := range s.Expect {
			q, err := promql.Read(e.Expr)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range q.Uses {
				valued[u.Metric] = valued[u.Metric] || len(e.Samples) > 0
			}
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" && !valued[r.Record] {
			t.Errorf("%s has a value in no test", r.Record)
		}
	}
}
