package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := Load(t.Context(), filepath.Join(root, "compose.yaml"), "*")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The gateway itself takes what compose.yaml puts into its environment.
func TestTheGatewayTakesItsSettings(t *testing.T) {
	program := filepath.Join(root, "bin", "triton-gateway")
	if path := os.Getenv("TRITON_GATEWAY_BIN"); path != "" {
		program = path
	}
	_, err := os.Stat(program)
	need(t, "the built program", err == nil)
	for _, name := range []string{"gateway", "worker"} {
		service := project(t).Services[name]
		check := func(more ...string) (string, error) {
			command := exec.Command(program, "config", "check")
			for name, value := range service.Environment {
				if !strings.HasPrefix(name, "GATEWAY_LISTEN__") { // refused without serve --insecure
					command.Env = append(command.Env, name+"="+*value)
				}
			}
			command.Env = append(command.Env, more...)
			out, err := command.CombinedOutput()
			return string(out), err
		}
		if out, err := check(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if out, err := check("GATEWAY_LIMITS__BODYY=1"); err == nil {
			t.Errorf("%s: what is no setting is taken: %s", name, out)
		}
		if _, err := exec.Command(program, append(slices.Clone(service.Command), "--help")...).Output(); err != nil {
			t.Errorf("%s: %v: %v", name, service.Command, err)
		}
		if _, err := exec.Command(program, append(slices.Clone(service.HealthCheck.Test[2:]), "--help")...).Output(); err != nil {
			t.Errorf("%s: %v: %v", name, service.HealthCheck.Test, err)
		}
	}
}

// A real Redis takes the flags of both, and is then as the guides want it.
func TestRedisTakesItsFlags(t *testing.T) {
	program, err := exec.LookPath("redis-server")
	need(t, "redis-server", err == nil)
	for name, want := range map[string]string{
		"redis":      "maxmemory-policy volatile-lfu maxmemory 536870912 appendonly no save ",
		"jobs-redis": "maxmemory-policy noeviction maxmemory 2147483648 appendonly yes save  appendfsync always",
	} {
		service := project(t).Services[name]
		if service.Command[0] != "redis-server" {
			t.Fatalf("%s: %v", name, service.Command)
		}
		dir := t.TempDir()
		socket := filepath.Join(dir, "socket")
		server := exec.Command(program, append(slices.Clone(service.Command[1:]), "--port", "0", "--unixsocket", socket, "--dir", dir)...)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = server.Process.Kill()
			_ = server.Wait()
		})
		test := service.HealthCheck.Test[1:]
		eventually(t, name+"'s health", func() bool { return exec.Command(test[0], append([]string{"-s", socket}, test[1:]...)...).Run() == nil })
		out, err := exec.Command("redis-cli", append([]string{"-s", socket, "config", "get"}, regexp.MustCompile(`[a-z-]+`).FindAllString("maxmemory-policy maxmemory appendonly save appendfsync", -1)...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		lines := strings.Split(string(out), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			got[lines[i]] = lines[i+1]
		}
		words := strings.Split(want, " ")
		for i := 0; i+1 < len(words); i += 2 {
			if got[words[i]] != words[i+1] {
				t.Errorf("%s: %s is %q, not %q", name, words[i], got[words[i]], words[i+1])
			}
		}
	}
}

// The guide names every image and every variable, so that nobody pins or sets one less.
func TestTheGuideIsWhole(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "docs/guide/compose.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := string(data)
	images := []string{}
	for _, s := range project(t).Services {
		if s.Build == nil {
			images = append(images, s.Image)
		}
	}
	for _, path := range []string{"Dockerfile", "dashboard/Dockerfile"} {
		stages := []string{}
		for _, s := range dockerfile(t, path).Stages {
			if !slices.Contains(stages, s.From) {
				images = append(images, s.From)
			}
			stages = append(stages, s.Name)
		}
	}
	for _, image := range images {
		if !strings.Contains(guide, image) {
			t.Errorf("%s is not in the guide", image)
		}
	}
	file, err := os.ReadFile(filepath.Join(root, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	variables := regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(string(file), -1)
	for _, v := range variables {
		if !strings.Contains(guide, "`"+v[1]+"`") {
			t.Errorf("%s is not in the guide", v[1])
		}
	}
	if len(images) < 8 || len(variables) < 8 {
		t.Errorf("only %d images and %d variables", len(images), len(variables))
	}
}
