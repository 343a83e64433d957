package check

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	requirement = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ;]+( ;.*)? \\$`)
	hashed      = regexp.MustCompile(`^    --hash=sha256:[0-9a-f]{64}( \\)?$`)
)

// TestRequirementsArePinned: every Python package has one version and the checksums of its files, and pip is told to hold it to them.
func TestRequirementsArePinned(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../requirements/*.txt", "../../*/requirements*.txt", "../../scripts/*/requirements.txt"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 8 {
		t.Fatalf("only %v", pages)
	}
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := pinned(t, path, string(text)); n == 0 {
			t.Errorf("%s: no package", path)
		}
	}
	for _, script := range []string{"venv.sh", "onnxruntime.sh"} {
		text, err := os.ReadFile("../../scripts/install/" + script)
		if err != nil || strings.Count(string(text), "-m pip --disable-pip-version-check --quiet") == 0 {
			t.Fatalf("%s does not call pip any more: %v", script, err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "--quiet install") || strings.Contains(line, "--quiet download") {
				if !strings.Contains(line, "--require-hashes") {
					t.Errorf("%s: %s", script, line)
				}
			}
		}
	}
}

// pinned counts the packages of a file.
func pinned(t *testing.T, path, text string) (packages int) {
	open := false // a package without a checksum yet
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "", strings.HasPrefix(trimmed, "#"):
		case requirement.MatchString(line):
			if open {
				t.Errorf("%s: before %q there is a package without a checksum", path, line)
			}
			packages, open = packages+1, true
		case hashed.MatchString(line):
			open = false
		default:
			t.Errorf("%s: %q is neither a package with its version nor a checksum", path, line)
		}
	}
	if open {
		t.Errorf("%s: the last package has no checksum", path)
	}
	return packages
}
