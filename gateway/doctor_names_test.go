package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/parts"
)

// examined gives what the doctor says of graphs and routes, by subject.
func examined(t *testing.T, edit func(*Config)) map[string][]Check {
	t.Helper()
	c := DefaultConfig()
	c.Listen = Listen{}
	c.ModelRepository, c.Embedded.Library = filepath.Join(parts.Root(t), "model_repository"), parts.ONNXRuntime(t)
	edit(&c)
	found := map[string][]Check{}
	for check := range Examine(t.Context(), c) {
		if kind, _, _ := strings.Cut(check.Subject, " "); kind == "graph" || kind == "graphs" || kind == "route" || kind == "routes" {
			found[check.Subject] = append(found[check.Subject], check)
		}
	}
	return found
}

func TestTheDoctorLooksAtGraphsAndRoutes(t *testing.T) {
	to := func(model string) route.Spec {
		return route.Spec{Candidates: []route.Candidate{{Target: route.Target{Model: model}, Weight: 1}}}
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("nodes: [{name: a, model: nowhere, from: input}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(parts.Root(t), "graphs", "find-and-name.yaml")
	found := examined(t, func(c *Config) {
		c.Graphs = Graphs{"find-and-name": good, "broken": broken, "gone": broken + "x", "iris": good}
		c.Routes = Routes{"ab": to("shapes"), "lost": to("nowhere"), "digits": to("shapes")}
	})
	for subject, want := range map[string]Check{
		"graph find-and-name": {Fine, "", "object-detection, asks shapes-detector@1, shapes@2", ""},
		"graph broken":        {Wrong, "", "nowhere", "mend the graph"},
		"graph iris":          {Odd, "", "a model has this name", "another name"},
		"graphs":              {Wrong, "", "graphs.gone: ", "mend the file"},
		"route ab":            {Fine, "", "from the settings, leads to shapes", ""},
		"route lost":          {Odd, "", `there is no model "nowhere"`, "bring the model"},
		"route digits":        {Odd, "", `a model is called "digits"`, "change the route"},
	} {
		got := found[subject]
		if len(got) != 1 || got[0].Verdict != want.Verdict || !strings.Contains(got[0].Finding, want.Finding) || !strings.Contains(got[0].Mend, want.Mend) || (want.Mend == "") != (got[0].Mend == "") {
			t.Errorf("%s: %+v, want %+v", subject, got, want)
		}
	}
	if len(found) != 7 {
		t.Errorf("%+v", found)
	}
}
