package promql

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadRules(t *testing.T) {
	dir := write(t, "a.yml", `groups:
  - name: g
    rules:
      - record: job:x:rate5m
        expr: sum by (job, code) (rate(x_total[5m]))
      - {record: "job:x:double", expr: "2 * job:x:rate5m"}
      - alert: Bad
        expr: job:x:double{code="500"} > 1
        for: 5m
        labels: {severity: page}
        annotations: {summary: s}
`)
	rules, err := ReadRules(dir)
	want := []Rule{
		{Record: "job:x:rate5m", Expr: "sum by (job, code) (rate(x_total[5m]))", File: "a.yml", Group: "g"},
		{Record: "job:x:double", Expr: "2 * job:x:rate5m", File: "a.yml", Group: "g"},
		{Alert: "Bad", Expr: `job:x:double{code="500"} > 1`, For: "5m", Labels: map[string]string{"severity": "page"}, Annotations: map[string]string{"summary": "s"}, File: "a.yml", Group: "g"},
	}
	if err != nil || !reflect.DeepEqual(rules, want) {
		t.Fatalf("%+v, %v", rules, err)
	}
	k := Known{"x_total": {"code"}}
	if err := k.ReadRules(rules); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if err := k.Check(r.Expr); err != nil {
			t.Errorf("%s: %v", r.Expr, err)
		}
	}
	if err := k.Check(`job:x:double{model="m"}`); err == nil {
		t.Error("a recorded metric has a label that its expression does not keep")
	}
}

func TestReadRulesRefuses(t *testing.T) {
	if _, err := ReadRules(t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "no rules in ") {
		t.Errorf("an empty folder: %v", err)
	}
	for _, text := range []string{"groups: [{name: g, rules: [{alert: A, exp: up}]}]", "groups: 7", "a: ["} {
		if _, err := ReadRules(write(t, "b.yml", text)); err == nil || !strings.Contains(err.Error(), "b.yml") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := (Known{}).ReadRules([]Rule{{Record: "r", Expr: `a{`}}); err == nil || err.Error() != "r: byte 2: } is missing" {
		t.Errorf("got %v", err)
	}
}

func FuzzReadRules(f *testing.F) {
	f.Add("groups: [{name: g, rules: [{alert: A, expr: up}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := parseRules([]byte(text))
		if err != nil && rules != nil {
			t.Error("an error and rules")
		}
	})
}
