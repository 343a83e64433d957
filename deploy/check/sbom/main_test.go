package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

const status = "Package: a\nStatus: install ok installed\nVersion: 1.0+b1\nArchitecture: amd64\nDepends: b\n\n" +
	"Package: b\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\nPackage: c\nStatus: install ok installed\nVersion: 3\nArchitecture: all\n"

// folder has a status and a library; the program is this test's own, which the linker has written its modules into.
func folder(t *testing.T, packages string) (settings, string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{binary: self, library: filepath.Join(dir, "lib.so"), libraryVersion: "1.24.3", status: filepath.Join(dir, "status"), packages: packages, version: "v1"}
	for path, text := range map[string]string{s.library: "library", s.status: status} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, filepath.Join(dir, "out.json")
}

func write(t *testing.T, s settings, out string) (*cyclonedx.BOM, []byte) {
	t.Helper()
	if err := run(s, out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	bom := new(cyclonedx.BOM)
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(data), cyclonedx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	return bom, data
}

func TestWhatIsInside(t *testing.T) {
	s, out := folder(t, "a")
	bom, data := write(t, s, out)
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	for _, want := range []string{"pkg:deb/debian/a@1.0%2Bb1?arch=amd64&distro=debian-12", "pkg:deb/debian/b@2?arch=all&distro=debian-12", "pkg:pypi/onnxruntime@1.24.3",
		"pkg:golang/github.com/CycloneDX/cyclonedx-go@v0.9.3"} {
		if !slices.Contains(urls, want) {
			t.Errorf("no %s in %v", want, urls)
		}
	}
	if slices.Contains(urls, "pkg:deb/debian/c@3?arch=all&distro=debian-12") {
		t.Error("c is not needed by a")
	}
	if bom.SpecVersion != cyclonedx.SpecVersion1_6 || bom.Metadata.Component.Version != "v1" || len(*(*bom.Dependencies)[0].Dependencies) != len(urls) {
		t.Errorf("%+v", bom)
	}
	if _, again := write(t, s, out); !bytes.Equal(data, again) {
		t.Error("the same input gives another output")
	}
}

func TestAllPackagesWhereNoneAreNamed(t *testing.T) {
	s, out := folder(t, "")
	bom, _ := write(t, s, out)
	count := 0
	for _, c := range *bom.Components {
		if c.Name == "a" || c.Name == "b" || c.Name == "c" {
			count++
		}
	}
	if count != 3 {
		t.Errorf("%d of 3 packages", count)
	}
}

func TestWhatIsMissing(t *testing.T) {
	for name, change := range map[string]func(*settings){
		"program":       func(s *settings) { s.binary = s.library },
		"library":       func(s *settings) { s.library += "x" },
		"packages":      func(s *settings) { s.packages = "a,nothing" },
		"status":        func(s *settings) { s.status += "x" },
		"empty, status": func(s *settings) { s.status = os.DevNull },
	} {
		s, out := folder(t, "")
		change(&s)
		if err := run(s, out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
