// Package debian reads dpkg's list of installed packages: which version each has, and what it brings along.
package debian

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Package is one that is installed.
type Package struct {
	Name, Version, Source, Arch string
	SizeKiB                     int
	needs                       [][]string // each inner list: any of these will do
	provides                    []string
}

// Status is the content of /var/lib/dpkg/status.
type Status struct {
	packages map[string]*Package
	provided map[string][]string // virtual name -> packages
}

// maxLine bounds one line of the file; the longest ones are lists of dependencies, of some KB.
const maxLine = 1 << 20

// Read takes the packages that are installed, and leaves out those that were removed.
func Read(r io.Reader) (*Status, error) {
	s := &Status{map[string]*Package{}, map[string][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	fields := map[string]string{}
	end := func() {
		if fields["Package"] != "" && fields["Status"] == "install ok installed" {
			s.add(fields)
		}
		fields = map[string]string{}
	}
	for lines.Scan() {
		line := lines.Text()
		if strings.TrimSpace(line) == "" {
			end()
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && line[0] != ' ' && line[0] != '\t' {
			fields[name] = strings.TrimSpace(value)
		}
	}
	end()
	return s, lines.Err()
}

func (s *Status) add(fields map[string]string) {
	p := &Package{Name: fields["Package"], Version: fields["Version"], Source: fields["Source"], Arch: fields["Architecture"]}
	fmt.Sscan(fields["Installed-Size"], &p.SizeKiB)
	for _, key := range []string{"Pre-Depends", "Depends"} {
		for _, need := range split(fields[key], ",") {
			p.needs = append(p.needs, names(split(need, "|")))
		}
	}
	p.provides = names(split(fields["Provides"], ","))
	s.packages[p.Name] = p
	for _, name := range p.provides {
		s.provided[name] = append(s.provided[name], p.Name)
	}
}

func split(text, mark string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(text, mark)
}

// names takes versions and architectures off: "libc6:any (>= 2.34)" is libc6.
func names(list []string) (out []string) {
	for _, text := range list {
		name, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		name, _, _ = strings.Cut(name, ":")
		out = append(out, name)
	}
	return out
}

// Get gives a package by its name, or nil.
func (s *Status) Get(name string) *Package { return s.packages[name] }

// Names lists all installed packages, sorted.
func (s *Status) Names() []string {
	var out []string
	for name := range s.packages {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Closure lists these packages and all that they depend on, sorted. Errors name what is not installed.
func (s *Status) Closure(roots ...string) ([]string, error) {
	seen := map[string]bool{}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		p := s.packages[queue[0]]
		if p == nil {
			return nil, fmt.Errorf("package %s is not installed", queue[0])
		}
		if seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		for _, need := range p.needs {
			if chosen := s.choose(need); chosen != "" {
				queue = append(queue, chosen)
			}
		}
	}
	var out []string
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

// choose gives the first of several that is installed, or "".
func (s *Status) choose(need []string) string {
	for _, name := range need {
		if s.packages[name] != nil {
			return name
		}
		for _, provider := range s.provided[name] {
			return provider
		}
	}
	return ""
}
