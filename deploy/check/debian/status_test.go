package debian

import (
	"slices"
	"strings"
	"testing"
)

const text = `Package: program
Status: install ok installed
Installed-Size: 12
Version: 1:2.0-1
Architecture: amd64
Source: src (1)
Pre-Depends: base
Depends: lib (>= 2), none | alternative:any, virtual, absent
Description: one
 Depends: not this
 .
 more

Package: lib
Status: install ok installed
Version: 2
Architecture: amd64
Depends: base, program

Package: base
Status: install ok installed
Version: 1

Package: alternative
Status: install ok installed
Version: 1

Package: provider
Status: install ok installed
Version: 1
Provides: virtual (= 1)

Package: gone
Status: deinstall ok config-files
Version: 1

Package: other
Status: install ok installed
Version: 1
`

func TestClosure(t *testing.T) {
	s, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Closure("program")
	if want := []string{"alternative", "base", "lib", "program", "provider"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, not %v: %v", got, want, err)
	}
	if p := s.Get("program"); p.Version != "1:2.0-1" || p.SizeKiB != 12 || p.Source != "src (1)" || p.Arch != "amd64" {
		t.Errorf("%+v", p)
	}
	if s.Get("gone") != nil || slices.Contains(s.Names(), "gone") || len(s.Names()) != 6 {
		t.Errorf("what was removed is there: %v", s.Names())
	}
	if _, err := s.Closure("base", "gone"); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("what is not installed: %v", err)
	}
}

func TestLinesHaveAnEnd(t *testing.T) {
	if _, err := Read(strings.NewReader("Package: " + strings.Repeat("a", maxLine+1))); err == nil {
		t.Error("a line without end is read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(text)
	f.Add("Package: a\nStatus: install ok installed\nDepends: a | a, , |\nProvides: ,")
	f.Add(" \n:\n\tx")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		names := s.Names()
		got, err := s.Closure(names...)
		if err != nil || !slices.Equal(got, names) {
			t.Errorf("all of them: %v, %v", got, err)
		}
	})
}
