package check

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// variables lists what the gateway takes from the environment, out of the schema of gateway.yaml, which a test of the gateway keeps equal to its settings.
func variables(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs/schema/gateway.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]json.RawMessage
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for name, raw := range schema.Properties {
		var section struct {
			Properties map[string]json.RawMessage
		}
		if err := json.Unmarshal(raw, &section); err != nil {
			t.Fatal(err)
		}
		if len(section.Properties) == 0 {
			out["GATEWAY_"+strings.ToUpper(name)] = true
		}
		for key := range section.Properties {
			out["GATEWAY_"+strings.ToUpper(name+"__"+key)] = true
		}
	}
	for _, want := range []string{"GATEWAY_LISTEN__HTTP", "GATEWAY_MODEL_REPOSITORY", "GATEWAY_JOBS__WEBHOOK_SECRET"} {
		if !out[want] {
			t.Fatalf("%s is not read from the schema: %v", want, out)
		}
	}
	return out
}

func rules(t *testing.T) Rules {
	return Rules{Variables: variables(t), Published: []string{"proxy", "dashboard", "prometheus", "grafana"},
		Outward: []string{"proxy", "dashboard", "prometheus", "grafana", "gateway", "worker"}}
}

func TestComposeFile(t *testing.T) {
	common := []string{"dashboard", "gateway", "grafana", "jobs-redis", "prometheus", "proxy", "redis", "worker"}
	for profile, triton := range map[string]string{"cpu": "triton", "gpu": "triton-gpu"} {
		p, err := Load(t.Context(), filepath.Join(root, "compose.yaml"), profile)
		if err != nil {
			t.Fatal(err)
		}
		want := append(slices.Clone(common), triton)
		slices.Sort(want)
		if got := p.ServiceNames(); !slices.Equal(got, want) {
			t.Errorf("%s: services %v, not %v", profile, got, want)
		}
		for _, fault := range rules(t).Faults(p) {
			t.Errorf("%s: %s", profile, fault)
		}
		if g, w := p.Services["gateway"], p.Services["worker"]; g.GetScale() != 2 || w.GetScale() != 3 || !slices.Contains(w.Command, "--roles=jobs") {
			t.Errorf("%s: %d gateways and %d workers", profile, g.GetScale(), w.GetScale())
		}
		if jobs := strings.Join(p.Services["jobs-redis"].Command, " "); !strings.Contains(jobs, "--appendfsync always") || !strings.Contains(jobs, "noeviction") {
			t.Errorf("%s: jobs are kept by %s", profile, jobs)
		}
	}
	p, err := Load(t.Context(), filepath.Join(root, "compose.yaml"), "gpu")
	if err != nil {
		t.Fatal(err)
	}
	gpu := p.Services["triton-gpu"]
	if d := gpu.Deploy.Resources.Reservations.Devices; len(d) != 1 || d[0].Driver != "nvidia" || !slices.Contains(gpu.Networks["inside"].Aliases, "triton") {
		t.Errorf("the GPU's Triton: %+v, %+v", d, gpu.Networks["inside"])
	}
	if p, err := Load(t.Context(), filepath.Join(root, "compose.yaml"), ""); err == nil && len(p.Services) > 0 {
		t.Errorf("without a profile there are %v", p.ServiceNames())
	}
}

// The images of the settings of one service are those of the others, so that what is tested together runs together.
func TestOneVersionOfEachImage(t *testing.T) {
	p, err := Load(t.Context(), filepath.Join(root, "compose.yaml"), "*")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, s := range p.Services {
		name, _, _ := strings.Cut(s.Image, ":")
		if other := seen[name]; other != "" && other != s.Image {
			t.Errorf("%s and %s", other, s.Image)
		}
		seen[name] = s.Image
	}
}

const sound = `
services:
  a:
    image: a:1.2
    user: "1:1"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    command: [serve]
    environment: {GATEWAY_KNOWN: x}
    logging: {driver: json-file, options: {max-size: 1m}}
    ports: ["127.0.0.1:1:1"]
    volumes: ["./:/x:ro", "data:/v"]
    tmpfs: ["/tmp:size=1m"]
    healthcheck: {test: [CMD, "true"], interval: 1s, timeout: 1s, start_period: 1s}
    deploy: {resources: {limits: {cpus: "1", memory: 1m, pids: 1}}}
networks: {default: {}}
volumes: {data: {}}
`

func load(t *testing.T, text string) (*types.Project, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(context.Background(), file, "*")
}

func TestRulesOfComposeFiles(t *testing.T) {
	r := Rules{Variables: map[string]bool{"GATEWAY_KNOWN": true}, Published: []string{"a"}, Outward: []string{"a"}}
	p, err := load(t, sound)
	if err != nil {
		t.Fatal(err)
	}
	if faults := r.Faults(p); len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, c := range []struct{ old, new, want string }{
		{"a:1.2", "a:latest", "not pinned"}, {"a:1.2", "a", "not pinned"}, {"a:1.2", "a:7", "not pinned"}, {"a:1.2", "a:bookworm-1.2", "not pinned"},
		{`user: "1:1"`, "", "its user is root"}, {`user: "1:1"`, "user: root", "its user is root"}, {`user: "1:1"`, `user: "0:0"`, "its user is root"},
		{"read_only: true", "", "read_only"}, {"cap_drop: [ALL]", "", "cap_drop"}, {"cap_drop: [ALL]", "cap_drop: [ALL]\n    cap_add: [NET_RAW]", "cap_drop"},
		{`["no-new-privileges:true"]`, "[]", "no-new-privileges"}, {"command:", "privileged: true\n    command:", "privileged"}, {"command:", "pid: host\n    command:", "host"},
		{"test: [CMD, \"true\"]", "disable: true", "no health check"}, {", options: {max-size: 1m}", "", "log has no end"},
		{"GATEWAY_KNOWN: x", "GATEWAY_UNKNOWN: x", "GATEWAY_UNKNOWN is no setting"}, {"GATEWAY_KNOWN: x", "GATEWAY_KNOWN:", "without a default"},
		{"127.0.0.1:1:1", "1:1", "no authentication"}, {"127.0.0.1:1:1", "0.0.0.0:1:1", "no authentication"}, {`ports: ["127.0.0.1:1:1"]`, "", "0 ports"},
		{"./:/x:ro", "./:/x", "can be written to"}, {"./:/x:ro", "./none:/x:ro", "is not there"}, {"size=1m", "mode=1777", "memory without a limit"},
		{", pids: 1", "", "have no limit"}, {"deploy: {resources: {limits: {cpus: \"1\", memory: 1m, pids: 1}}}", "", "no limits"},
		{"default: {}", "default: {internal: true}", "leads outside: false"}, {"image: a:1.2", "build: .\n    image: a", "no version"},
	} {
		p, err := load(t, strings.Replace(sound, c.old, c.new, 1))
		if err != nil {
			t.Errorf("%s: %v", c.new, err)
			continue
		}
		if faults := strings.Join(r.Faults(p), "\n"); !strings.Contains(faults, c.want) {
			t.Errorf("%s: %q", c.new, faults)
		}
	}
	for _, text := range []string{strings.Replace(sound, "read_only", "readonly", 1), strings.Replace(sound, "data:/v", "none:/v", 1), "services: []"} {
		if _, err := load(t, text); err == nil {
			t.Errorf("taken: %s", text)
		}
	}
}
