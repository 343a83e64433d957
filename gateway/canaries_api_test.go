package gateway

import (
	"path/filepath"
	"strings"
	"testing"
)

// shapesCanary puts version 2 of shapes beside version 1.
const shapesCanary = `{"candidates":[{"model":"shapes","version":1,"weight":1},{"model":"shapes","version":2,"weight":0}],
	"canary":{"model":"shapes","version":2,"steps":[10,50,100],"every":"1h","guard":{"slower":-1}}}`

// TestCanaryCalls: shown, paused, resumed, promoted and rolled back, each with who and when, and refused where it does not fit.
func TestCanaryCalls(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	r := newRouteRig(t, func(c *Config) { c.AuditLog = audit })
	at := r.inside + "/v1/routes/new"
	_, body := r.want(201, "PUT", at, typeJSON, shapesCanary)
	if v := decode[routeView](t, body); v.Canary == nil || v.Canary.State != "running" || v.Canary.Share != 10 || v.Candidates[1].Weight != 10 || v.Spec.Candidates[1].Weight != 0 || v.Spec.Canary.Version != "2" {
		t.Errorf("%s", body)
	}
	state := func(want string, share float64) canaryView {
		t.Helper()
		_, body := r.want(200, "GET", at+"/canary", "", "")
		v := decode[canaryView](t, body)
		if v.State != want || v.Share != share || v.Model != "shapes" || v.Number != "2" || v.Steps != 3 || v.Control != "shapes/1" || v.Route != "new" {
			t.Errorf("not %s at %v: %s", want, share, body)
		}
		return v
	}
	v := state("running", 10)
	if v.Step != 1 || len(v.History) != 1 || v.History[0].Action != "put" {
		t.Errorf("%+v", v)
	}
	r.want(409, "POST", at+"/resume", "", "")
	r.want(412, "POST", at+"/pause", "", "", "If-Match", `"7"`)
	r.want(200, "POST", at+"/pause", "", "", "If-Match", `"1"`)
	state("paused", 10)
	r.want(409, "POST", at+"/pause", "", "")
	r.want(200, "POST", at+"/resume", "", "")
	r.want(200, "POST", at+"/promote", "", "")
	state("done", 100)
	if res, _ := r.want(200, "POST", r.public+"/v1/models/new/infer", "image/png", samplePicture(t)); res.Header.Get("X-Model-Version") != "2" {
		t.Error("promoted, and version 1 answers")
	}
	r.want(409, "POST", at+"/promote", "", "")
	_, body = r.want(200, "POST", at+"/rollback", "", "")
	if v := decode[routeView](t, body); v.Canary.State != "back" || v.Candidates[0].Weight != 100 || v.Version != 5 {
		t.Errorf("%s", body)
	}
	v = state("back", 0)
	if v.Reason != "rolled back by an operator" || v.Rule != "" || len(v.History) != 5 || v.History[0].Action != "rollback" || v.History[1].Action != "promote" || v.History[3].Action != "pause" {
		t.Errorf("%+v", v)
	}
	if res, _ := r.want(200, "POST", r.public+"/v1/models/new/infer", "image/png", samplePicture(t)); res.Header.Get("X-Model-Version") != "1" {
		t.Error("rolled back, and version 2 answers")
	}
	r.want(409, "POST", at+"/rollback", "", "")
	r.want(409, "POST", at+"/promote", "", "")
	r.want(200, "POST", at+"/resume", "", "")
	state("running", 10)
	_, body = r.want(200, "GET", at+"/versions", "", "")
	if list := decode[versionsView](t, body).Versions; len(list) != 6 || list[0].Action != "resume" {
		t.Error(body)
	}
	_, metrics := r.want(200, "GET", r.inside+"/metrics", "", "")
	if !strings.Contains(metrics, `gateway_canary_share{route="new"} 0.1`) {
		t.Error("its share is not among the metrics")
	}
	eventually(t, "what speaks against it is among the metrics", func() bool {
		_, metrics := r.want(200, "GET", r.inside+"/metrics", "", "")
		return strings.Contains(metrics, `gateway_canary_evidence{route="new",rule="errors"} 0`)
	})
	// No canary, no route, and not the public listener.
	r.want(201, "PUT", r.inside+"/v1/routes/plain", typeJSON, inJSON(t, shapesAB(1, 1)))
	for _, path := range []string{"plain", "nothing"} {
		r.want(404, "GET", r.inside+"/v1/routes/"+path+"/canary", "", "")
		for _, word := range []string{"/pause", "/resume", "/promote"} {
			r.want(404, "POST", r.inside+"/v1/routes/"+path+word, "", "")
			r.want(403, "POST", r.public+"/v1/routes/"+path+word, "", "")
		}
	}
	r.want(403, "GET", r.public+"/v1/routes/new/canary", "", "")
	done := strings.Join(stories(t, audit), "\n")
	for _, line := range []string{"ended route.pause new done", "ended route.pause new precondition_failed", "ended route.resume new conflict", "ended route.promote new done", "refused route.promote plain forbidden"} {
		if !strings.Contains(done, line) {
			t.Errorf("%q is not in the audit log: %s", line, done)
		}
	}
}

// A canary whose state ends with the gateway is warned of.
func TestACanaryInMemory(t *testing.T) {
	r := newRouteRig(t, func(c *Config) { c.Jobs.Queue = "off" })
	_, body := r.want(201, "PUT", r.inside+"/v1/routes/new", typeJSON, shapesCanary)
	if v := decode[routeView](t, body); v.Kept != "memory" || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "canary: how far it is is kept in memory alone") {
		t.Error(body)
	}
}

func TestBadCanariesAreRefused(t *testing.T) {
	r := newRouteRig(t, func(*Config) {})
	for _, c := range []struct{ canary, says string }{
		{`{"model":"shapes","version":9}`, "body.canary.model"},
		{`{"model":"shapes","version":"x"}`, "canary.version"},
		{`{"model":"shapes","version":2,"steps":[10,5]}`, "body.canary.steps[1]"},
		{`{"model":"shapes","version":2,"steps":[10,50]}`, "the last one has to be 100"},
		{`{"model":"shapes","version":2,"every":"soon"}`, "body.canary.every: expected string to be a time such as 5m"},
		{`{"model":"shapes","version":2,"every":-5}`, "every"},
		{`{"model":"shapes","version":2,"samples":-1}`, "canary.samples"},
		{`{"model":"shapes","version":2,"compare":2}`, "canary.compare"},
		{`{"model":"shapes","version":2,"guard":{"errors":7}}`, "body.canary.guard.errors"},
		{`{"model":"shapes","version":2,"guard":{"slower":1}}`, "body.canary.guard.slower"},
		{`{"model":"shapes","version":2,"colour":"red"}`, "colour"},
		{`{"version":2}`, "model"},
		{`[]`, "canary"},
	} {
		body := strings.Replace(shapesCanary[:strings.Index(shapesCanary, `"canary"`)]+`"canary":`+c.canary+`}`, "\n\t", "", 1)
		res, text := r.send("PUT", r.inside+"/v1/routes/bad", typeJSON, body)
		if res.StatusCode != 400 && res.StatusCode != 422 || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, without %q", c.canary, res.StatusCode, text, c.says)
		}
	}
	r.want(404, "GET", r.public+"/v1/routes/bad", "", "")
}
