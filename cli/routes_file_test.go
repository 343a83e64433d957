package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRouteJSON(t *testing.T) {
	for text, want := range map[string]string{
		"candidates: [{model: m, version: 1, weight: 0.5}]": `{"candidates":[{"model":"m","version":1,"weight":0.5}]}`,
		"{candidates: []}": `{"candidates":[]}`,
		" {\"a\": 1e3 }\n": " {\"a\": 1e3 }\n", // JSON stays as it is
		"a: 22:00\nb: 5m\nc: \"2\"\nd: yes\ne: 2026-11-22": `{"a":"22:00","b":"5m","c":"2","d":"yes","e":"2026-11-22"}`,
		"a: 18446744073709551615":                          `{"a":18446744073709551615}`,
		"a: ~\n# b\n":                                      `{"a":null}`,
	} {
		got, err := routeJSON([]byte(text))
		if err != nil || string(got) != want {
			t.Errorf("%q: %s %v, not %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "no route", "[]": "no route", "null": "no route", "text": "no route", "- a": "no route", "# nothing": "no route", "---\na: 1\n---\nb: 2\n": "2 YAML documents",
		"a: 1\na: 2": "already defined", "a: .nan": "unsupported value", "a: &b 1\nc: *b": "line 2: an alias", "\t": "",
	} {
		got, err := routeJSON([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s %v, not %q", text, got, err, want)
		}
	}
}

func FuzzRouteJSON(f *testing.F) {
	for _, text := range []string{split, "{}", "a: &b 1\nc: *b", "? [a]\n: b", "1: 2", "a: !!binary xx", "<<: {a: 1}", "a: |\n  b", "%YAML 1.2\n---\na: 1", "a: .inf", "\x00", "a: 'b", "!!set {a}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		got, err := routeJSON(data)
		if err != nil {
			return
		}
		var v map[string]any
		if err := json.Unmarshal(got, &v); err != nil {
			t.Errorf("%q becomes %q: %v", data, got, err)
		}
	})
}
