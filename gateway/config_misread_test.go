package gateway

import (
	"strings"
	"testing"
)

// Whoever writes a value of another kind, or a key that is not there, is told key, line and what is expected, and nothing of the decoder's types.
func TestMisreadSettingsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"routes:\n  ab:\n    candidates: [{model: m, weight: 10%}]\n":               `[3:37] routes.ab.candidates[0].weight: a number without a unit is expected here, such as 10 or 0.5, not "10%"`,
		"routes:\n  ab:\n    rules: [{when: {pixels_over: 2M}, use: {model: m}}]\n": `[3:34] routes.ab.rules[0].when.pixels_over: a whole number without a unit is expected here, such as 10, not "2M"`,
		"priorities: {ageing: 5}\n": `[1:22] priorities.ageing: a time with its unit is expected here, such as 5s or 10m, not "5"`,
		"routes:\n  ab:\n    candidates: [{model: m, weight: 1}]\n    canary: {model: m, every: 5}\n": `[4:31] routes.ab.canary.every: "5" is not a time such as 5m`,
		"routes:\n  ab:\n    candidats: []\n": `[3:5] routes.ab.candidats: unknown key; did you mean "candidates"?`,
		"batching: {off: true}\n":             `[1:12] batching.off: unknown key; the keys here are bound, size`,
		"batchin: {size: 2}\n":                `[1:1] batchin: unknown key; did you mean "batching"?`,
		"rollout: {required: maybe}\n":        `[1:21] rollout.required: true or false is expected here, not "maybe"`,
		"triton: {endpoints: 'a:1'}\n":        `triton.endpoints: a list is expected here, such as [a, b]`,
		"limits: 5\n":                         `limits: keys with values are expected here, such as {key: value}`,
		"log: {level: [info]}\n":              `log.level: a single value is expected here, neither a list nor keys with values`,
		"graphs: {a: {file: x}}\n":            `graphs.a: a single value is expected here`,
		"routes:\n  ab:\n    canary: {model: m, steps: [1, x], samples: y}\n    shadow: {model: m, percnt: 1}\n": `routes.ab.shadow.percnt: unknown key; did you mean "percent"?`,
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "gateway.yaml") || !strings.Contains(err.Error(), "^") || strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "time.Duration") {
			t.Errorf("%q: %v\nnot %s", text, err, want)
		}
	}
	_, err := load(t, "limits: {items: a, pixels: b}\nlog: {levl: info}\nlisten: {drain: 3}\n")
	if err == nil || strings.Count(err.Error(), "expected here") != 3 || !strings.Contains(err.Error(), `log.levl: unknown key; did you mean "level"?`) {
		t.Errorf("not all four: %v", err)
	}
}

// What the decoder takes is no fault: quoted numbers, versions as numbers, anchors, and sections that read YAML by themselves.
func TestWhatIsReadIsNotMisread(t *testing.T) {
	text := "limits: {items: \"7\", pixels: 1e6}\njobs: {queue: {realtime: 'sqlite:a', batch: 'sqlite:b', overflow: 3}}\nrollout: {load: &long 5m, drain: *long}\ncache: {memory: 0}\n" +
		"routes:\n  ab:\n    candidates: [{model: m, version: 1, weight: 90}, {model: m, version: \"2\", weight: .5}]\n    rules: [{when: {pixels_to: 0x10}, use: {model: m}}]\nlog:\n"
	if err := misread([]byte(text)); err != nil {
		t.Errorf("misread: %v", err)
	}
	if _, err := load(t, text); err != nil && !strings.Contains(err.Error(), "jobs") {
		t.Errorf("the decoder: %v", err)
	}
}

func FuzzMisread(f *testing.F) {
	for _, text := range []string{"", "a", "- 1", "limits: {items: x}", "routes: {a: {candidates: [{model: &x m, version: *x}]}}", "? [a]\n: b", "<<: {limits: 3}", "log: !!str info", "1: 2"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := misread(data); err != nil && err.Error() == "" {
			t.Errorf("%q: a fault without words", data)
		}
	})
}
