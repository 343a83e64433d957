package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

// uploads is how many calls of infer a gateway has answered, and asked how many questions by digest, as its metrics tell.
func (g *gateway) uploads(t *testing.T) (uploads, asked string) {
	t.Helper()
	text := string(do(t, "GET", g.URL+"/metrics", "", nil).body)
	sum := func(route string) string {
		found := regexp.MustCompile(`(?m)^gateway_http_request_duration_seconds_count\{[^}]*route="`+regexp.QuoteMeta(route)+`"[^}]*\} (\d+)$`).FindAllStringSubmatch(text, -1)
		total := 0
		for _, m := range found {
			n := 0
			_, _ = fmt.Sscan(m[1], &n)
			total += n
		}
		return fmt.Sprint(total)
	}
	return sum("/v1/models/:model/infer"), sum("/v1/models/:model/results/:sha256")
}

// The example of the guide sends a picture once, and asks for its answer from then on.
func TestTheGuidesDigestFirst(t *testing.T) {
	_, rest, _ := strings.Cut(string(readFile(t, "docs/guide/caching.md")), "```sh\n# digest first\n")
	script, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the guide has no example that begins with `# digest first`")
	}
	g := start(t)
	script = strings.Replace(script, "localhost:8080", g.URL, 1)
	for i, want := range []string{`"from_cache":false`, `"from_cache":true`, `"from_cache":true`} {
		command := exec.Command("bash", "-euo", "pipefail", "-c", script)
		command.Dir = parts.Root(t)
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), `"label":"circle"`) {
			t.Errorf("call %d: %v, no %s in %s", i, err, want, out)
		}
	}
	if uploads, asked := g.uploads(t); uploads != "1" || asked != "3" {
		t.Errorf("%s uploads, %s questions by digest", uploads, asked)
	}
}

func TestTheCommandLineSendsAPictureOnce(t *testing.T) {
	g := start(t)
	const file = "model_repository/shapes/golden/circle-1.png"
	infer := func(more ...string) string {
		out, code := run(t, append([]string{"infer", file, "-m", "shapes", "--url", g.URL}, more...)...)
		if code != 0 {
			t.Fatalf("%v: exit code %d\n%s", more, code, out)
		}
		return out
	}
	for _, c := range []struct {
		flags          []string
		uploads, asked string
		cached         bool
	}{
		{nil, "1", "1", false},
		{nil, "1", "2", true},
		{[]string{"--model-version", "2"}, "1", "3", true}, // what the policy gives
		{[]string{"--model-version", "1"}, "2", "4", false},
		{[]string{"--upload"}, "3", "4", true},
		{[]string{"--no-cache"}, "4", "4", false},
	} {
		out := infer(c.flags...)
		if uploads, asked := g.uploads(t); uploads != c.uploads || asked != c.asked || strings.Contains(out, `"from_cache": true`) != c.cached {
			t.Errorf("%v: %s uploads, %s questions; wanted %s, %s, from the cache: %v\n%s", c.flags, uploads, asked, c.uploads, c.asked, c.cached, out)
		}
	}
	if r := do(t, "GET", g.URL+"/v1/models/shapes/results/"+strings.Repeat("0", 64), "", nil); r.status != http.StatusNotFound {
		t.Errorf("a digest that nobody has: %d", r.status)
	}
}
