package check

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"triton-gateway/deploy/check/debian"
)

// need skips a test without something, or fails it where everything has to be there.
func need(t *testing.T, what string, there bool) {
	t.Helper()
	if there {
		return
	}
	if os.Getenv("TRITON_GATEWAY_REQUIRE_PARTS") == "1" {
		t.Fatal(what + " is not there")
	}
	t.Skip(what + " is not there")
}

// owners tells which installed package has a file of this name in a folder of libraries.
func owners(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	lists, err := filepath.Glob("/var/lib/dpkg/info/*.list")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		for _, path := range strings.Split(string(data), "\n") {
			if strings.Contains(path, "/lib") && strings.Contains(filepath.Base(path), ".so") {
				out[strings.TrimPrefix(path, "/usr")] = name
			}
		}
	}
	return out
}

// loaded lists what the loader takes for a program: name of each library and the file it is found at.
func loaded(t *testing.T, program string) map[string]string {
	t.Helper()
	text, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if !ok {
			continue
		}
		path, _, _ := strings.Cut(rest, " (")
		if !filepath.IsAbs(path) {
			t.Fatalf("%s: %s is %s", program, name, path)
		}
		out[name] = path
	}
	return out
}

// of gives the package of a file. Where there are alternatives, it is the package of the one that is chosen.
func of(owner map[string]string, path string) string {
	if name := owner[strings.TrimPrefix(path, "/usr")]; name != "" {
		return name
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return owner[strings.TrimPrefix(real, "/usr")]
}

// The packages that the image installs are exactly those of the libraries that the program names, and bring all others that the loader wants.
func TestTheImageHasTheLibrariesAndNoMore(t *testing.T) {
	program := filepath.Join(root, "bin", "triton-gateway")
	if path := os.Getenv("TRITON_GATEWAY_BIN"); path != "" {
		program = path
	}
	_, err := os.Stat(program)
	need(t, "the built program", err == nil)
	file, err := os.Open("/var/lib/dpkg/status")
	need(t, "dpkg's list of packages", err == nil)
	defer file.Close()
	status, err := debian.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	base, err := status.Closure("apt", "bash", "coreutils", "dpkg") // part of every Debian image
	if err != nil {
		t.Fatal(err)
	}
	runtime := dockerfile(t, "Dockerfile").Stages[0].Packages()
	brought, err := status.Closure(runtime...)
	if err != nil {
		t.Fatal(err)
	}
	brought = append(brought, base...)
	owner := owners(t)
	named := map[string]bool{"ca-certificates": true} // for calls of HTTPS; nothing links it
	for _, p := range []string{program, filepath.Join(root, "bin", "libonnxruntime.so")} {
		_, err := os.Stat(p)
		need(t, p, err == nil)
		binary, err := elf.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		direct, err := binary.ImportedLibraries()
		binary.Close()
		if err != nil {
			t.Fatal(err)
		}
		found := loaded(t, p)
		for name, path := range found {
			switch by := of(owner, path); {
			case by == "":
				t.Errorf("%s: %s (%s) is of no package", p, name, path)
			case !slices.Contains(brought, by):
				t.Errorf("%s: %s is of %s, which the image does not have", p, name, by)
			case slices.Contains(direct, name) && !slices.Contains(base, by):
				named[by] = true
			}
		}
		if len(found) < 5 {
			t.Errorf("%s: only %v", p, found)
		}
	}
	for _, p := range runtime {
		if !named[p] {
			t.Errorf("the image installs %s, of which nothing is linked", p)
		}
		delete(named, p)
	}
	for p := range named {
		t.Errorf("the image does not install %s by its name", p)
	}
	size := 0
	for _, p := range brought {
		size += status.Get(p).SizeKiB
	}
	t.Logf("%d packages, %d MiB installed, those of the base image included", len(brought), size/1024)
}
