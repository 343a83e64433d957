package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the whole repository.
const root = "../.."

func dockerfile(t *testing.T, path string) *Dockerfile {
	t.Helper()
	file, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDockerfiles(t *testing.T) {
	for _, path := range []string{"Dockerfile", "dashboard/Dockerfile"} {
		d := dockerfile(t, path)
		if faults := d.Faults(); len(faults) > 0 || len(d.Stages) < 2 {
			t.Errorf("%s: %d stages; %s", path, len(d.Stages), strings.Join(faults, "; "))
		}
	}
}

// What a stage copies from the context is in the repository, and .dockerignore lets it through.
func TestWhatIsCopiedIsThere(t *testing.T) {
	for _, path := range []string{"Dockerfile", "dashboard/Dockerfile"} {
		for _, stage := range dockerfile(t, path).Stages {
			for _, step := range stage.Steps {
				if step.Word != "COPY" || len(step.Flags) > 0 {
					continue
				}
				for _, source := range step.Parts[:len(step.Parts)-1] {
					if _, err := os.Stat(filepath.Join(root, source)); err != nil {
						t.Errorf("%s, line %d: %v", path, step.Line, err)
					}
				}
			}
		}
	}
}

// The bill of materials of a built tree has the packages of the image.
func TestTheBillHasTheImagesPackages(t *testing.T) {
	command := exec.Command("make", "-n", "sbom")
	command.Dir = root
	out, err := command.Output()
	packages := strings.Join(dockerfile(t, "Dockerfile").Stages[0].Packages(), ",")
	if err != nil || !strings.Contains(string(out), "-packages '"+packages+"'") {
		t.Errorf("no %s in %s: %v", packages, out, err)
	}
}

const good = `FROM debian:12.11-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends b a && rm -rf /var/lib/apt/lists/*
FROM base
LABEL a=b
COPY x y
HEALTHCHECK CMD ["true"]
USER 1:1
CMD ["x"]
`

func TestRulesOfDockerfiles(t *testing.T) {
	d, err := Parse(strings.NewReader(good))
	if err != nil || len(d.Faults()) > 0 {
		t.Fatalf("%v %v", err, d.Faults())
	}
	if got := d.Stages[0].Packages(); !slices.Equal(got, []string{"a", "b"}) || len(d.Stages[1].Packages()) != 0 {
		t.Errorf("packages: %v", got)
	}
	for _, c := range []struct{ old, new, want string }{
		{"debian:12.11-slim", "debian:latest", "not pinned"},
		{"debian:12.11-slim", "debian", "not pinned"},
		{"debian:12.11-slim", "debian:12", "not pinned"},
		{"debian:12.11-slim", "debian:bookworm", "not pinned"},
		{"debian:12.11-slim", "debian@sha256:abc", "no digest"},
		{" --no-install-recommends", "", "line 2: write apt-get install"},
		{" && rm -rf /var/lib/apt/lists/*", "", "line 2: apt-get update and rm"},
		{"apt-get install", "apt install", "line 2: write apt-get install"},
		{"USER 1:1\n", "", `USER is ""`},
		{"USER 1:1", "USER 0", `USER is "0"`},
		{"USER 1:1", "USER root", `USER is "root"`},
		{"USER 1:1\n", "USER 1\nRUN true\n", "RUN behind USER"},
		{"COPY", "ADD", "write COPY"},
		{"LABEL a=b\n", "", "no LABEL"},
		{"HEALTHCHECK CMD [\"true\"]\n", "", "no HEALTHCHECK"},
		{"COPY x y", "RUN curl -o x y", "not pinned by a hash"},
		{"COPY x y", "RUN pip install x", "--require-hashes"},
	} {
		d, err := Parse(strings.NewReader(strings.Replace(good, c.old, c.new, 1)))
		if err != nil || !strings.Contains(strings.Join(d.Faults(), "\n"), c.want) {
			t.Errorf("%s: %v, %v", c.new, err, d.Faults())
		}
	}
	for _, text := range []string{"", "RUN x", "FROM", "FROM a AS b c"} {
		if d, err := Parse(strings.NewReader(text)); err == nil && len(d.Faults()) == 0 {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("FROM")
	f.Add("# syntax=x\nFROM a\nRUN <<E\nx\nE\nHEALTHCHECK NONE\nUSER")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := Parse(strings.NewReader(text)); err == nil {
			d.Faults()
		}
	})
}
