package grafana

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"triton-gateway/internal/promql"
)

var update = flag.Bool("update", false, "write dashboards/triton-gateway.json anew")

const file = "dashboards/triton-gateway.json"

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDashboardIsWhatTheCodeSays(t *testing.T) {
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), want) {
		t.Errorf("%s differs from the code; run go test ./deploy/grafana -update", file)
	}
}

// drawn is a panel of the file.
type drawn struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               struct{ UID string }
	Targets                  []struct{ RefID, Expr, LegendFormat string }
}

// board is what the file says, read as Grafana does.
type board struct {
	UID        string
	Panels     []drawn
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

func parse(t *testing.T) (b board) {
	t.Helper()
	if err := json.Unmarshal(read(t, file), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// known are all metrics that exist, recorded ones included.
func known(t *testing.T) promql.Known {
	t.Helper()
	k := promql.Known{}
	k.ReadTable(string(read(t, "../../docs/telemetry.md")))
	k.ReadList(string(read(t, "../prometheus/metrics.txt")))
	rules, err := promql.ReadRules("../prometheus/rules")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.ReadRules(rules); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestPanelsAskForMetricsThatExist(t *testing.T) {
	k, b := known(t), parse(t)
	queries := 0
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			queries++
			if err := k.Check(q.Expr); err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
			read, err := promql.Read(q.Expr)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range read.Uses {
				if u.Metric != "ALERTS" && !slices.Contains(u.Labels, "job") {
					t.Errorf("%s: %s is asked for without the job that was chosen", p.Title, u.Metric)
				}
			}
			for _, name := range templates(q.LegendFormat) {
				if !has(k, read, name) {
					t.Errorf("%s: the series have no label %s", p.Title, name)
				}
			}
		}
	}
	for _, a := range b.Annotations.List {
		if err := k.Check(a.Expr); err != nil {
			t.Error(err)
		}
	}
	if queries < 80 {
		t.Errorf("only %d queries were found", queries)
	}
}

// templates lists the labels in a legend.
func templates(legend string) (list []string) {
	for _, part := range strings.Split(legend, "{{")[1:] {
		name, _, _ := strings.Cut(part, "}}")
		list = append(list, name)
	}
	return list
}

// has says whether the series of a query have a label: one that they are grouped by, or one of the metric where nothing is grouped.
func has(k promql.Known, q promql.Query, label string) bool {
	if len(q.Groups) > 0 {
		return slices.Contains(q.Groups, label)
	}
	return slices.ContainsFunc(q.Uses, func(u promql.Use) bool { return slices.Contains(append(k[u.Metric], "job", "instance"), label) })
}

func TestPanelsHaveTheirPlace(t *testing.T) {
	b := parse(t)
	taken, ids, titles := map[[2]int]string{}, map[int]bool{}, map[string]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d, %q is there twice", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s is at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: description %q, %d queries, data source %q", p.Title, p.Description, len(p.Targets), p.Datasource.UID)
		}
		for i, q := range p.Targets {
			if q.LegendFormat == "" || q.RefID != string(rune('A'+i)) || strings.ContainsAny(q.Expr, "\n") || strings.Contains(q.Expr, "{G") || strings.Contains(q.Expr, "[R]") {
				t.Errorf("%s: %+v", p.Title, q)
			}
		}
	}
	var names []string
	for _, v := range b.Templating.List {
		names = append(names, v.Name)
	}
	if want := []string{"datasource", "job", "instance", "triton", "model"}; !slices.Equal(names, want) {
		t.Errorf("variables %v, want %v", names, want)
	}
}

func TestProvisioning(t *testing.T) {
	var sources struct {
		Datasources []struct{ Name, UID, Type, URL string }
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	for path, into := range map[string]any{"provisioning/datasources/prometheus.yml": &sources, "provisioning/dashboards/triton-gateway.yml": &providers} {
		if err := yaml.Unmarshal(read(t, path), into); err != nil {
			t.Fatal(err)
		}
	}
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" || sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("data sources %+v", sources)
	}
	if len(providers.Providers) != 1 || providers.Providers[0].Options.Path != "/etc/grafana/dashboards" {
		t.Errorf("providers %+v", providers)
	}
}

// An alert that sends its reader to a panel names one that is there.
func TestAlertsNamePanelsThatExist(t *testing.T) {
	rules, err := promql.ReadRules("../prometheus/rules")
	if err != nil {
		t.Fatal(err)
	}
	b, named := parse(t), 0
	for _, r := range rules {
		for _, word := range []string{"panel ", "panels ", "row "} {
			for _, rest := range strings.Split(r.Annotations["description"], word)[1:] {
				named++
				if !slices.ContainsFunc(b.Panels, func(p drawn) bool {
					return strings.HasPrefix(rest, p.Title) && (p.Type == "row") == (word == "row ")
				}) {
					t.Errorf("%s: there is no %s%.20s...", r.Alert, word, rest)
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d panels are named", named)
	}
}
