// Package grafana writes the dashboard that Grafana is provisioned with. It exists because a dashboard's JSON is a thousand lines of which ten matter: what
// is asked, what it is called, and what it tells stand in rows.go and the files beside it, and a test keeps the JSON the same as they are.
package grafana

import (
	"encoding/json"
	"strings"
)

// Row is a headline and the panels below it.
type Row struct {
	Title  string
	Panels []Panel
}

// Panel is one picture of a dashboard.
type Panel struct {
	Kind    string // timeseries, stat or table
	Title   string
	About   string // what it tells, and what to do
	Unit    string // as Grafana calls it: s, percentunit, bytes, ...
	Width   int    // of 24
	Height  int
	Stacked bool    // areas on top of each other
	Bad     float64 // of a stat: red from here on; 0 for never
	Low     bool    // Bad is red below, not above
	Most    float64 // upper end of the scale; 0 to fit
	Queries []Query
}

// Query is one PromQL query, and what its series are called: {{label}} stands for a label's value.
type Query struct{ Expr, Legend string }

// lines draws series over time.
func lines(title, unit, about string, queries ...Query) Panel {
	return Panel{Kind: "timeseries", Title: title, About: about, Unit: unit, Width: 8, Height: 8, Queries: expand(queries)}
}

// stack draws series on top of each other, so that the upper edge is their sum.
func stack(title, unit, about string, queries ...Query) Panel {
	p := lines(title, unit, about, queries...)
	p.Stacked = true
	return p
}

// figure shows the last value.
func figure(title, unit, about string, bad float64, query string) Panel {
	return Panel{Kind: "stat", Title: title, About: about, Unit: unit, Width: 3, Height: 4, Bad: bad, Queries: expand([]Query{{query, title}})}
}

func (p Panel) wide(columns int) Panel { p.Width = columns; return p }

func (p Panel) upTo(most float64) Panel { p.Most = most; return p }

// red below the limit instead of above.
func (p Panel) whenLow() Panel { p.Low = true; return p }

// expand writes out what every query has: {G for the gateways that were chosen, {T for the Tritons, [R] for a range that holds several scrapes.
func expand(queries []Query) []Query {
	long := strings.NewReplacer(`{G`, `{job="$job", instance=~"$instance"`, `{T`, `{job="$triton"`, `[R]`, `[$__rate_interval]`)
	for i := range queries {
		queries[i].Expr = long.Replace(queries[i].Expr)
	}
	return queries
}

// All is the dashboard's contents, from top to bottom.
func All() []Row {
	return []Row{now(), requests(), stages(), cached(), pool(), limits(), waiting(), jobs(), moving(), versions(), triton(), runtime()}
}

// JSON is the dashboard as Grafana 10 and later read it.
func JSON() ([]byte, error) {
	text, err := json.MarshalIndent(map[string]any{
		"uid": "triton-gateway", "title": "Triton gateway", "tags": []string{"triton", "inference"},
		"description":   "Written by go test ./deploy/grafana -update; what stands here is made in deploy/grafana/*.go.",
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "10s", "timezone": "browser",
		"time":       map[string]string{"from": "now-1h", "to": "now"},
		"templating": map[string]any{"list": variables()},
		"annotations": map[string]any{"list": []any{
			mark("Gateways start", `changes(process_start_time_seconds{job="$job"}[1m]) > 0`, "{{instance}}", "blue"),
			mark("Alerts", `ALERTS{alertstate="firing", severity="page"}`, "{{alertname}}", "red"),
		}},
		"panels": arrange(All()),
	}, "", " ")
	return append(text, '\n'), err
}
