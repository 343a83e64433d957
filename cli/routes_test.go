package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"triton-gateway/gateway"
)

const split = `# two versions
sticky: header:X-User
candidates:
  - {model: m, version: 1, weight: 9}
  - {model: m, version: "2", weight: 1}
rules:
  - {when: {header: {X-New: "yes"}, time: {from: 00:00, to: "23:59"}}, use: {model: m, version: 2}}
  - {when: {header: {X-New: "always"}}, use: {model: m, version: 2}}
fallback: [{model: m}]
shadow: {model: m, version: 2, percent: 12.5}
`

// TestRoutes: made from YAML, shown, changed by what get printed, refused where somebody else was faster, rolled back and deleted; on a gateway that runs.
func TestRoutes(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	r.want(0, "routes ls", "NAME VERSION ANSWERS CANARY SOURCE CHANGED BY", "1 model left out")
	r.want(0, "routes put split "+r.file("split.yaml", split)+" --new", "split version 1: m/1 90 %, m/2 10 %")
	r.want(1, "routes put split "+r.file("split.yaml", split)+" --new", "precondition_failed (412)")
	r.want(0, "routes ls --models", "m m/2 100 % model", "split 1 m/1 90 %, m/2 10 % stored in file")
	r.want(0, "routes get split", "route split", "source stored in file", "version 1", "sticky header:X-User", "rule 0 {", `"from":"00:00"`, "} -> m/2", "rule 1 {", "answers m/1 90 %", "answers m/2 10 %",
		"fallback 0 m", "shadow m/2 12.5 %")
	r.want(0, "routes get m", "route m", "source model", "answers m/2 100 %")

	spec, _, _ := r.cmd(r.public, "routes get split --spec")
	changed := strings.Replace(spec, `"weight": 9`, `"weight": 1`, 1)
	if changed == spec {
		t.Fatal(spec)
	}
	path := r.file("changed.json", changed)
	r.want(1, "routes put split "+path+" --if-match 7", "precondition_failed (412)")
	r.want(0, "routes put split "+path+" --if-match 1", "split version 2: m/1 50 %, m/2 50 %")
	r.want(0, "routes history split", "VERSION ACTION AT BY CANDIDATES", "2 put", "m/1 1, m/2 1", "1 put", "m/1 9, m/2 1")

	r.want(0, "routes explain split", "route split", "answers m/", "reason weight", "task raw")
	r.want(0, "routes explain split --header X-New:always", "answers m/2", "reason rule[1]")
	r.want(0, "routes explain m --json", `"reason": "policy"`)

	r.want(0, "routes rollback split", "split version 3: m/1 90 %, m/2 10 %")
	r.want(0, "routes rollback split --version 2 --if-match 3", "split version 4: m/1 50 %, m/2 50 %")
	r.want(1, "routes rollback split --version 9", "version_not_found (404)")
	r.want(1, "routes rm split --if-match 1", "precondition_failed (412)")
	r.want(0, "routes rm split", "split is out of force")
	r.want(1, "routes get split", "_not_found (404)")
	r.want(1, "routes rm split", "route_not_found (404)")
	r.want(0, "routes history split", "5 delete", "4 rollback")
	r.want(0, "routes put one "+r.file("one.yaml", "candidates: [{model: m, weight: 1}]"), "one version 1")
	r.want(0, "routes rollback one", "one is no route any more")
}

func TestRoutesAsTheGatewayHasThem(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	path := r.file("split.yaml", split)
	for args, name := range map[string]string{"routes put split " + path + " --json": "split", "routes get split --json": "split", "routes rollback split --json": "split", "routes get m --json": "m"} {
		if strings.Contains(args, "rollback") || strings.Contains(args, "get split") {
			r.want(0, "routes put split "+path)
		}
		out, errs, code := r.cmd(r.inside, args)
		var d struct{ Name string }
		if err := json.Unmarshal([]byte(out), &d); err != nil || d.Name != name || code != 0 {
			t.Errorf("%s: %d %v %s%s", args, code, err, out, errs)
		}
	}
	r.want(0, "routes put split "+path)
	for args, member := range map[string]string{"routes ls": "routes", "routes history split": "versions", "shadow show split": "pairs", "shadow disagreements split": "disagreements", "switch show m": "phase", "routes rm split": "deleted"} {
		if args == "routes rm split" {
			continue // last
		}
		out, errs, code := r.cmd(r.inside, args+" --json")
		var d map[string]any
		if err := json.Unmarshal([]byte(out), &d); err != nil || d[member] == nil || code != 0 {
			t.Errorf("%s: %d %v %s%s", args, code, err, out, errs)
		}
	}
	r.want(0, "routes rm split --json", `{ "deleted": "split" }`)
}

func TestRoutesAreRefused(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"routes get nowhere", 1, "(404)"},
		{"routes explain nowhere", 1, "(404)"},
		{"routes history nowhere", 1, "route_not_found (404)"},
		{"routes rollback nowhere", 1, "route_not_found (404)"},
		{"routes get m --spec", 1, "m is a model"},
		{"routes put x " + r.file("a.yaml", "candidates: [{model: nowhere, weight: 1}]"), 1, "body.candidates[0]"},
		{"routes put x " + r.file("b.yaml", "candidats: []"), 1, "(422)"},
		{"routes put m " + r.file("c.yaml", "candidates: [{model: m, weight: 1}]"), 1, "model"},
		{"routes put x " + r.file("d.yaml", "a: [1"), 1, "d.yaml: [1:4]"},
		{"routes put x " + r.file("e.yaml", "- 1"), 1, "e.yaml: this is no route"},
		{"routes put x " + r.file("f.yaml", ""), 1, "f.yaml: this is no route"},
		{"routes put x " + r.file("g.yaml", "candidates: [{model: m, weight: .inf}]"), 1, "g.yaml: json: unsupported value"},
		{"routes put x " + r.file("h.yaml", "a: &a [1]\nb:\n  c: *a"), 1, "h.yaml: line 3: an alias; write it out"},
		{"routes put x " + r.file("i.yaml", strings.Repeat("#", mostRoute+1)), 1, "i.yaml is larger than 1048576 bytes"},
		{"routes put x nowhere.yaml", 1, "nowhere.yaml"},
		{"routes put x", 2, "<file>"},
		{"routes put x c.yaml --new --if-match 3", 2, "do not go together"},
		{"routes put x c.yaml --if-match=-3", 2, "--if-match is -3"},
		{"routes rollback x --version=-1", 2, "--version is -1"},
	} {
		out, errs, code := r.cmd(r.inside, c.args)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%s: %d, no %q in %s%s", c.args, code, c.want, out, errs)
		}
	}
	out, errs, code := r.cmd(r.public, "routes history m")
	r.looked("the public listener", 1, out, errs, code, "forbidden (403)", "listen.admin", "--url names it, such as http://localhost:9090")
	out, errs, code = r.cmd("http://127.0.0.1:1", "routes ls")
	r.looked("away", 1, out, errs, code, "no gateway answers at http://127.0.0.1:1; start one with `triton-gateway serve`, or name another with --url")
}

func TestOperatorsNeedTheirScope(t *testing.T) {
	r := newTraffic(t, withKeys(t))
	path := r.file("split.yaml", split)
	for _, c := range []struct {
		args, key string
		code      int
		want      string
	}{
		{"routes ls", "look", 0, "NAME"},
		{"routes ls", "", 1, "unauthenticated (401)"},
		{"routes put split " + path, "look", 1, "forbidden (403): the key lacks the scope admin"},
		{"routes put split " + path, "run", 0, "split version 1: m/1 90 %"},
		{"routes history split", "run", 0, "1 put"},
		{"routes history split", "look", 1, "lacks the scope admin"},
		{"canary show split", "look", 1, "lacks the scope admin"},
		{"canary rollback split", "look", 1, "lacks the scope admin"},
		{"shadow show split", "look", 1, "lacks the scope admin"},
		{"switch m 1", "look", 1, "lacks the scope admin"},
		{"switch show m", "run", 0, "serving 2"},
	} {
		args := c.args
		if c.key != "" {
			args += " --key " + c.key
		}
		out, errs, code := r.cmd(r.public, args)
		r.looked(args, c.code, out, errs, code, c.want)
		if strings.Contains(errs, "--url names it") {
			t.Errorf("%s: another listener does not help: %s", args, errs)
		}
	}
	out, _, _ := r.cmd(r.public, "routes get split --key run")
	r.looked("who", 0, out, "", 0, "by run")
}
