package promql

import (
	"reflect"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		text   string
		uses   []Use
		groups []string
	}{
		{`up`, []Use{{"up", nil}}, nil},
		{`up{job="a", instance=~"b}{.*",} == 0`, []Use{{"up", []string{"job", "instance"}}}, nil},
		{`sum by (route, le) (rate(x_bucket{code!~'5..'}[5m:30s]))`, []Use{{"x_bucket", []string{"code"}}}, []string{"route", "le"}},
		{`histogram_quantile(0.99, SUM(rate(x_bucket[$__rate_interval])) BY (le))`, []Use{{"x_bucket", nil}}, []string{"le"}},
		{`a / on (model) group_left b offset 1d > 1e3`, []Use{{"a", nil}, {"b", nil}}, []string{"model"}},
		{`a * ignoring(x) group_right(y, z) b`, []Use{{"a", nil}, {"b", nil}}, []string{"x", "y", "z"}},
		{`job:x:rate5m or vector(0) # and y`, []Use{{"job:x:rate5m", nil}}, nil},
		{"a{l=`\\`} unless b{m=\"\\\"\"} @ start()", []Use{{"a", []string{"l"}}, {"b", []string{"m"}}}, nil},
		{`topk(5, a) + bool_count`, []Use{{"a", nil}, {"bool_count", nil}}, nil},
		{`predict_linear(a[1h], 4*3600) and min_over_time(b{x="$x"}[${range}]) > Inf`, []Use{{"a", nil}, {"b", []string{"x"}}}, nil},
		{``, nil, nil},
	} {
		q, err := Read(c.text)
		if err != nil || !reflect.DeepEqual(q.Uses, c.uses) || !reflect.DeepEqual(q.Groups, c.groups) {
			t.Errorf("%s: %+v, %v", c.text, q, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{__name__="a"}`:       "byte 0: matchers without a metric's name",
		`a{__name__=~"b"}`:     "byte 2: a metric that is named by a matcher",
		`a{b="c"`:              "byte 7: } is missing",
		`a{b="c`:               "byte 4: a string without an end",
		`rate(a[5m`:            "byte 9: ] is missing",
		`sum by (a b="c") (x)`: `byte 11: "=" where a label`,
		`sum by (a`:            `byte 9: "" where a label`,
		`a "b\`:                "byte 2: a string without an end",
	} {
		if _, err := Read(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

const page = "| metric | type | labels | meaning |\n|---|---|---|---|\n| `x_seconds` | histogram | route, code | Time. |\n" +
	"| `jobs` | gauge |  | Jobs. |\n| `listen` | text | localhost | no metric |\n"

func TestKnown(t *testing.T) {
	k := Known{}
	k.ReadTable(page)
	k.ReadList("# others\nup\nnv_count model version # Triton\n\n")
	want := Known{
		"x_seconds_sum": {"route", "code"}, "x_seconds_count": {"route", "code"}, "x_seconds_bucket": {"route", "code", "le"}, "jobs": {},
		"up": {}, "nv_count": {"model", "version"},
	}
	if !reflect.DeepEqual(k, want) {
		t.Fatalf("got %v", k)
	}
	for text, want := range map[string]string{
		`sum by (route, job) (rate(x_seconds_count{code="200", instance="a"}[5m]))`: "",
		`up * on (instance) jobs`:        "",
		`sum by (le) (x_seconds_bucket)`: "",
		`x_seconds`:                      "there is no metric x_seconds",
		`jobs{state="queued"}`:           "jobs has no label state, it has []",
		`sum by (model) (x_seconds_sum)`: "no metric of the query has the label model",
		`vector(1)`:                      "it reads no metric",
		`up{`:                            "byte 3: } is missing",
		`nv_count{version="1"} > 0 and missing{} `: "there is no metric missing",
	} {
		got := ""
		if err := k.Check(text); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`sum by (a, le) (rate(x{b=~"c\"", d!='e'}[5m:1m] offset 1d)) / on(f) group_left y @ start() # z`)
	f.Add("{`")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Read(text)
		if err != nil && (q.Uses != nil || q.Groups != nil) {
			t.Error("an error and a result")
		}
		for _, u := range q.Uses {
			if !strings.Contains(text, u.Metric) || u.Metric == "" {
				t.Errorf("%q is not in the query", u.Metric)
			}
		}
	})
}
