package cli

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway"
	"triton-gateway/internal/parts"
)

const stepping = `
candidates: [{model: m, version: 1, weight: 1}, {model: m, version: 2, weight: 0}]
canary: {model: m, version: 2, steps: [5, 100], every: 1h, compare: 0}
`

// TestCanary: each word that an operator can say, those that do not fit, and what is shown of it.
func TestCanary(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	r.want(0, "routes put live "+r.file("live.yaml", stepping), "live version 1: m/1 95 %, m/2 5 %", "canary: running, step 1 of 2, 5 %")
	r.want(0, "canary show live", "route live", "canary m/2", "control m/1", "state running", "step 1 of 2", "share 5 %", "VERSION ACTION STATE STEP SHARE AT BY REASON", "1 put running 1 5 %")
	r.want(0, "routes ls", "live 1 m/1 95 %, m/2 5 % running, step 1 of 2, 5 % stored in file")
	r.want(1, "canary resume live", "conflict (409)")
	r.want(0, "canary pause live --if-match 1", "live version 2", "canary: paused, step 1 of 2, 5 %")
	r.want(1, "canary pause live", "conflict (409)", "it is paused")
	r.want(1, "canary promote live --if-match 1", "precondition_failed (412)")
	r.want(0, "canary resume live", "canary: running")
	r.want(0, "canary promote live", "live version 4: m/1 0 %, m/2 100 %", "canary: done")
	r.want(0, "canary rollback live", "live version 5: m/1 100 %, m/2 0 %", "canary: back, step 1 of 2, 0 %")
	r.want(0, "canary show live", "state back", "reason rolled back by an operator", "5 rollback back", "4 promote done", "3 resume running", "2 pause paused", "1 put running")
	r.want(0, "routes get live", "canary m/2 back, step 1 of 2, 0 %")
	r.want(0, "canary pause live --help", "Keep it at its step")

	// A route without a canary is not rolled back by it.
	r.want(0, "routes put plain "+r.file("a.yaml", "candidates: [{model: m, version: 1, weight: 1}]"), "plain version 1")
	r.want(0, "routes put plain "+r.file("b.yaml", "candidates: [{model: m, version: 2, weight: 1}]"), "plain version 2")
	for _, word := range []string{"show", "pause", "resume", "promote", "rollback"} {
		r.want(1, "canary "+word+" plain", "(404)")
		r.want(1, "canary "+word+" nowhere", "route_not_found (404)")
	}
	r.want(0, "routes get plain", "version 2", "answers m/2 100 %")
}

// TestShadow: what of a shadow's answers is counted and kept, of real requests.
func TestShadow(t *testing.T) {
	r := newTraffic(t, func(c *gateway.Config) { c.Shadows.Timeout = time.Minute }) // more than any machine needs
	r.want(0, "routes put both "+r.file("both.yaml", "candidates: [{model: m, version: 1, weight: 1}]\nshadow: {model: m, version: 2, percent: 100}"), "both version 1")
	r.want(0, "shadow show both", "route both", "shadow m/2 100 %")
	for x := range 3 {
		r.ask("both", x)
	}
	parts.Until(t, "the shadow's answers are compared", time.Minute, func() bool {
		out, _, _ := r.cmd(r.inside, "shadow show both")
		return strings.Contains(strings.Join(strings.Fields(out), " "), "compared 3")
	})
	r.want(0, "shadow show both", "pair m/2 beside m/1", "compared 3", "agreement 0", "mean distance", "mean time", "figures", "greatest_difference 1")
	r.want(0, "shadow disagreements both", "DISTANCE PRIMARY SHADOW INPUT AT FIGURES", "m/1 m/2 raw", "greatest_difference 1")
	r.want(0, "routes put alone "+r.file("alone.yaml", "candidates: [{model: m, weight: 1}]"), "alone version 1")
	r.want(0, "shadow show alone", "shadow none")
	r.want(0, "shadow disagreements alone", "DISTANCE")
	for _, word := range []string{"show", "disagreements"} {
		r.want(1, "shadow "+word+" nowhere", "route_not_found (404)")
	}
}
