package gateway

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/shadow"
)

func TestShadowSettings(t *testing.T) {
	c, err := load(t, "shadows: {parallel: 1, waiting: 0, held: 1MiB, timeout: 2s, keep: 0, keep_bytes: 1KiB, inputs: digest}")
	if err != nil || c.Shadows != (Shadows{1, 0, 1 << 20, 2 * time.Second, 0, 1 << 10, "digest"}) {
		t.Errorf("%+v, %v", c.Shadows, err)
	}
	if o := c.Shadows.options(); o.Parallel != 1 || o.Waiting != -1 || o.HeldBytes != 1<<20 || o.Timeout != 2*time.Second || o.Keep != -1 || o.KeepBytes != 1<<10 {
		t.Errorf("%+v", o)
	}
	if c, err = load(t, "{}"); err != nil || c.Shadows != defaultShadows() {
		t.Errorf("%+v, %v", c.Shadows, err)
	}
	if o := c.Shadows.options(); o.Waiting != 16 || o.Keep != 20 {
		t.Errorf("%+v", o)
	}
	if c, err = LoadConfig("", []string{"GATEWAY_SHADOWS__PARALLEL=3", "GATEWAY_SHADOWS__TIMEOUT=1s"}); err != nil || c.Shadows.Parallel != 3 || c.Shadows.Timeout != time.Second {
		t.Errorf("%+v, %v", c.Shadows, err)
	}
	for text, want := range map[string]string{
		"shadows: {parallel: 0}":      "shadows.parallel: must be 1 to 256",
		"shadows: {parallel: 257}":    "shadows.parallel: must be 1 to 256",
		"shadows: {waiting: -1}":      "shadows.waiting: must be 0 to 65536",
		"shadows: {held: 0}":          "shadows.held: must be above 0",
		"shadows: {timeout: 0s}":      "shadows.timeout: must be above 0",
		"shadows: {keep: 1001}":       "shadows.keep: must be 0 to 1000",
		"shadows: {keep_bytes: 0}":    "shadows.keep_bytes: must be above 0",
		"shadows: {inputs: pictures}": `shadows.inputs: "pictures" is not one of preview, digest`,
		"shadows: {percent: 5}":       "unknown",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

// What is counted of shadows is bounded by what operators write, and has all outcomes from the beginning.
func TestShadowReadings(t *testing.T) {
	of := shadow.Stats{Pair: shadow.Pair{Route: "r", Primary: "a/1", Shadow: "a/2"}, Outcomes: map[shadow.Outcome]uint64{shadow.Compared: 10, shadow.TimedOut: 2}, Alike: 7, Distance: 1.5, Took: 3 * time.Second}
	got := map[string]float64{}
	for _, f := range shadowReadings(func() []shadow.Stats { return []shadow.Stats{of} })() {
		for _, v := range f.values {
			if len(v.labels) != len(f.labels) || !f.grows {
				t.Errorf("%+v", f)
			}
			got[f.name+" "+strings.Join(v.labels, " ")] = v.value
		}
	}
	for name, want := range map[string]float64{
		"gateway_shadow_requests_total r a/1 a/2 compared": 10, "gateway_shadow_requests_total r a/1 a/2 timed_out": 2, "gateway_shadow_requests_total r a/1 a/2 dropped_late": 0,
		"gateway_shadow_disagreements_total r a/1 a/2": 3, "gateway_shadow_distance_total r a/1 a/2": 1.5, "gateway_shadow_seconds_total r a/1 a/2": 3,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v", name, v)
		}
	}
	if len(got) != len(shadow.Outcomes())+3 {
		t.Errorf("%d series", len(got))
	}
}
