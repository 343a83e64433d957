package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

func TestWhatIsLeftOut(t *testing.T) {
	got, err := sent([]byte("**\n# all but\n!cli\n!main.go\n**/*_test.go\n**/testdata\n"), []string{"main.go", "main_test.go", "cli/a.go", "cli/a_test.go", "cli/testdata/x", "docs/cli/a.go", "x"})
	if want := []string{"main.go", "cli/a.go"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, not %v: %v", got, want, err)
	}
	if _, err := sent([]byte("[\n"), []string{"a"}); err == nil {
		t.Error("a pattern that is none is taken")
	}
}

// Every file that the program is made of reaches the build.
func TestTheProgramsFilesAreSent(t *testing.T) {
	files := contextFiles(t)
	command := exec.Command("go", "list", "-e", "-deps", "-tags", "gocv_specific_modules,nomsgpack", "-json=ImportPath,Dir,Module,GoFiles,CgoFiles,CFiles,CXXFiles,HFiles,SFiles,EmbedFiles", ".")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Dir                                                 string
			Module                                                          *struct{ Path string }
			GoFiles, CgoFiles, CFiles, CXXFiles, HFiles, SFiles, EmbedFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Path != "triton-gateway" {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.HFiles, p.SFiles, p.EmbedFiles) {
			path, err := filepath.Rel(top, filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			count++
			if !slices.Contains(files, filepath.ToSlash(path)) && tracked(path) {
				t.Errorf("%s is left out", path)
			}
		}
	}
	if count < 200 {
		t.Errorf("only %d files", count)
	}
}

// tracked says whether git has a file: what is new and not added yet is no fault of .dockerignore.
func tracked(path string) bool {
	return exec.Command("git", "-C", root, "ls-files", "--error-unmatch", path).Run() == nil
}

func contextFiles(t *testing.T) []string {
	t.Helper()
	all, err := known(root)
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := sent(ignore, all)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestOnlyWhatIsNeededIsSent(t *testing.T) {
	for _, file := range contextFiles(t) {
		for _, unwanted := range []string{".git/", "_test.go", "docs/", "bench/", "e2e/", "training/"} {
			if strings.HasPrefix(file, unwanted) || strings.HasSuffix(file, unwanted) {
				t.Errorf("%s is sent", file)
			}
		}
	}
}

func TestFilesAreCopied(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{"a/run.sh": "run", "b": "no", ".dockerignore": "b\n.dockerignore\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
		if out, err := exec.Command("git", append([]string{"-C", from}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := run(from, to); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(to)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(filepath.Join(to, "a/run.sh")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if run(t.TempDir(), to) == nil {
		t.Error("a folder that is no repository is taken")
	}
}
