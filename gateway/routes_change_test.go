package gateway

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

func inJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPutRoute: made, changed, refused with a stale version, rolled back and deleted, each with who and when, and outlived by none.
func TestPutRoute(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	folder := t.TempDir()
	edit := func(c *Config) {
		withRoutes(c)
		c.AuditLog = audit
		c.Jobs.Queue = Queue("sqlite:" + filepath.Join(folder, "jobs.db"))
	}
	r := newRouteRig(t, edit)
	at := r.inside + "/v1/routes/mine"
	res, body := r.want(201, "PUT", at, typeJSON, inJSON(t, shapesAB(90, 10)), "If-None-Match", "*")
	v := decode[routeView](t, body)
	if res.Header.Get("ETag") != `"1"` || v.Version != 1 || v.Source != "stored" || v.Kept != "file" || v.At == nil || v.Candidates[0].Weight != 90 || v.Kind != "route" {
		t.Errorf("%s %s", res.Header.Get("ETag"), body)
	}
	r.want(200, "POST", r.public+"/v1/models/mine/infer", "image/png", samplePicture(t))
	r.want(412, "PUT", at, typeJSON, inJSON(t, shapesAB(1, 1)), "If-None-Match", "*")
	r.want(412, "PUT", at, typeJSON, inJSON(t, shapesAB(1, 1)), "If-Match", `"7"`)
	r.want(200, "PUT", at, typeJSON, `{"sticky":"header:X-User","candidates":[{"model":"shapes","version":1,"weight":0},{"model":"shapes","version":"2","weight":3}]}`, "If-Match", `"1"`)
	if res, _ := r.want(200, "POST", r.public+"/v1/models/mine/infer", "image/png", samplePicture(t), "X-User", "a"); res.Header.Get("X-Model-Version") != "2" {
		t.Error("the change is not in force")
	}
	_, body = r.want(200, "POST", at+"/rollback", "", "")
	if v := decode[routeView](t, body); v.Version != 3 || v.Candidates[0].Weight != 90 {
		t.Error(body)
	}
	r.want(404, "POST", at+"/rollback?version=9", "", "")
	_, body = r.want(200, "GET", at+"/versions", "", "")
	list := decode[versionsView](t, body).Versions
	if len(list) != 3 || list[0].Action != "rollback" || list[1].Action != "put" || list[2].Spec.Candidates[0].Weight != 90 {
		t.Error(body)
	}
	// Over a route of the settings, and back.
	r.want(200, "PUT", r.inside+"/v1/routes/shapes-ab", typeJSON, inJSON(t, shapesAB(0, 1)), "If-Match", `"0"`)
	r.want(204, "DELETE", r.inside+"/v1/routes/shapes-ab", "", "")
	_, body = r.want(200, "GET", r.public+"/v1/routes/shapes-ab", "", "")
	if v := decode[routeView](t, body); v.Source != "gateway.yaml" || v.Version != 2 || v.Candidates[0].Weight != 50 {
		t.Error(body)
	}
	r.want(409, "DELETE", r.inside+"/v1/routes/iris-ab", "", "")
	// Another gateway on the same file, and the one before it is gone for both.
	other := newRouteRig(t, func(c *Config) { edit(c); c.AuditLog = "" })
	other.want(200, "GET", other.public+"/v1/routes/mine", "", "")
	r.want(204, "DELETE", at, "", "", "If-Match", `"3"`)
	parts.Until(t, "the other gateway sees it", time.Minute, func() bool {
		res, _ := other.send("GET", other.public+"/v1/routes/mine", "", "")
		return res.StatusCode == 404
	})
	r.want(404, "DELETE", at, "", "")
	r.want(403, "PUT", r.public+"/v1/routes/mine", typeJSON, inJSON(t, shapesAB(1)))
	done := map[string]int{}
	for _, line := range stories(t, audit) {
		words := strings.Fields(line)
		done[strings.Join(words[:min(4, len(words))], " ")]++
	}
	for line, n := range map[string]int{"ended route.put mine done": 2, "ended route.put mine precondition_failed": 2, "ended route.rollback mine done": 1, "ended route.delete mine done": 1, "refused route.put mine forbidden": 1} {
		if done[line] != n {
			t.Errorf("%d of %q in the audit log, not %d: %v", done[line], line, n, done)
		}
	}
}

func TestBadRoutesAreRefused(t *testing.T) {
	r := newRouteRig(t, withRoutes)
	candidate := `{"model":"shapes","weight":1}`
	rules := strings.TrimSuffix(strings.Repeat(`{"when":{"tier":"a"},"use":{"model":"shapes"}},`, 65), ",")
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"bad", `{"candidates":[{"model":"nowhere","weight":1}]}`, 400, `there is no model \"nowhere\"`},
		{"bad", `{"candidates":[{"model":"shapes-ab","weight":1}]}`, 400, "shapes-ab is a route; a route leads to models alone"},
		{"bad", `{"candidates":[{"model":"bad","weight":1}]}`, 400, "bad is a route"},
		{"bad", `{"candidates":[` + candidate + `,{"model":"iris","weight":1}]}`, 400, "body.candidates[1].model"},
		{"bad", `{"candidates":[` + candidate + `],"shadow":{"model":"iris","percent":5}}`, 400, "body.shadow.model"},
		{"bad", `{"candidates":[{"model":"shapes","weight":0}]}`, 400, "all weights are 0"},
		{"bad", `{"candidates":[{"model":"shapes","weight":-1}]}`, 400, "weight"},
		{"bad", `{"candidates":[{"model":"shapes","weight":NaN}]}`, 400, ""},
		{"bad", `{"candidates":[{"model":"shapes","weight":1e999}]}`, 400, ""},
		{"bad", `{"candidates":[{"model":"shapes","version":"x","weight":1}]}`, 400, "version"},
		{"bad", `{"candidates":[` + candidate + `],"rules":[` + rules + `]}`, 400, "rules"},
		{"bad", `{"candidates":[` + candidate + `],"sticky":"moon"}`, 400, "body.sticky"},
		{"bad", `{"candidates":[` + candidate + `],"colour":"red"}`, 400, "colour"},
		{"bad", `{}`, 400, "candidates"},
		{"bad", `[]`, 400, ""},
		{"bad", `{"candidates":`, 400, ""},
		{"bad", `{"candidates":[` + candidate + `],"sticky":"` + strings.Repeat("a", 30_000) + `"}`, 413, ""},
		{"a%20b", `{"candidates":[` + candidate + `]}`, 400, "a route's name"},
		{"x.image", `{"candidates":[` + candidate + `]}`, 400, ".image"},
		{"shapes", `{"candidates":[` + candidate + `]}`, 409, `a model is called \"shapes\"`},
	} {
		res, body := r.send("PUT", r.inside+"/v1/routes/"+c.name, typeJSON, c.body)
		p := decode[problem](t, body)
		if res.StatusCode != c.status && !(c.status == 400 && res.StatusCode == 422) || !strings.Contains(body, c.says) || p.Detail == "" {
			t.Errorf("%.120s: %d %s, not %d with %q", c.body, res.StatusCode, body, c.status, c.says)
		}
	}
	r.want(404, "GET", r.public+"/v1/routes/bad", "", "")
	for _, c := range [][2]string{{"If-Match", "7"}, {"If-Match", `"x"`}, {"If-Match", `"-1"`}, {"If-None-Match", `"1"`}} {
		r.want(400, "PUT", r.inside+"/v1/routes/bad", typeJSON, `{"candidates":[`+candidate+`]}`, c[0], c[1])
	}
}

// TestTwoGatewaysOnOneRedis: the other one sees a route, a change and its end, users are on the same side on both, and what was put outlives both.
func TestTwoGatewaysOnOneRedis(t *testing.T) {
	redis := parts.Redis(t)
	edit := func(c *Config) { c.Cache.Redis, c.Cache.patience = Secret("redis://"+redis.Addr+"/0"), time.Minute }
	one, two := newRouteRig(t, edit), newRouteRig(t, edit)
	seen := func(what string, is func() bool) {
		t.Helper()
		parts.Until(t, what, time.Minute, is)
	}
	version := func(r *routeRig, user string) string {
		res, _ := r.send("POST", r.public+"/v1/routes/ab/explain", "", "", "X-User", user)
		if res.StatusCode != 200 {
			return ""
		}
		return "there"
	}
	_, body := one.want(201, "PUT", one.inside+"/v1/routes/ab", typeJSON, inJSON(t, shapesAB(50, 50)))
	if v := decode[routeView](t, body); v.Kept != "redis" {
		t.Error(body)
	}
	seen("a new route", func() bool { return version(two, "a") != "" })
	picture := samplePicture(t)
	side := func(r *routeRig, user string) string {
		res, _ := r.want(200, "POST", r.public+"/v1/models/ab/infer", "image/png", picture, "X-User", user)
		return res.Header.Get("X-Model-Version")
	}
	for i := range 10 {
		user := fmt.Sprint("u", i)
		if a, b := side(one, user), side(two, user); a != b {
			t.Errorf("%s is at version %s on one gateway and %s on the other", user, a, b)
		}
	}
	two.want(200, "PUT", two.inside+"/v1/routes/ab", typeJSON, inJSON(t, shapesAB(0, 1)), "If-Match", `"1"`)
	seen("a change", func() bool {
		return side(one, "u0") == "2" && side(one, "u1") == "2" && side(one, "u2") == "2" && side(one, "u3") == "2"
	})
	one.want(412, "PUT", one.inside+"/v1/routes/ab", typeJSON, inJSON(t, shapesAB(1, 0)), "If-Match", `"1"`)
	three := newRouteRig(t, edit)
	if side(three, "u0") != "2" {
		t.Error("a gateway that starts later does not know it")
	}
	one.want(204, "DELETE", one.inside+"/v1/routes/ab", "", "")
	seen("its end", func() bool { return version(two, "a") == "" })
}
