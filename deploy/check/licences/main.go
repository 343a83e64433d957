// Command licences reads the licence of every Go module that the program and its tests are made of, and fails on one that is not on the list of those that may be,
// or that it does not know. It exists because a licence is not seen in go.mod, and changes with versions.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is what go list says of one.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// allowed are the licences that may be, by their names at https://spdx.org/licenses/.
func allowed() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib", "blessing"}
}

// phrases are what tells a licence, in its text in lower case with single blanks. The first that is found in a paragraph counts.
func phrases() [][2]string {
	return [][2]string{
		{"gnu affero general public license", "AGPL"}, {"gnu lesser general public license", "LGPL"}, {"gnu general public license", "GPL"},
		{"business source license", "BUSL"}, {"server side public license", "SSPL"}, {"creative commons", "CC"}, {"commons clause", "Commons-Clause"},
		{"apache license, version 2.0", "Apache-2.0"}, {"apache license version 2.0, january 2004", "Apache-2.0"}, {"mozilla public license version 2.0", "MPL-2.0"}, {"mozilla public license, version 2.0", "MPL-2.0"},
		{"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"},
		{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that", "ISC"},
		{"permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that", "ISC"},
		{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.", "0BSD"},
		{"this is free and unencumbered software released into the public domain", "Unlicense"},
		{"all of the code and documentation in sqlite has been dedicated to the public domain", "blessing"},
		{"this software is provided 'as-is', without any express or implied warranty", "Zlib"},
	}
}

var blanks = regexp.MustCompile(`[\s*#/]+`)

// classify names the licences in a text, sorted; nil where it holds none that is known.
func classify(text string) (names []string) {
	text = strings.NewReplacer("“", `"`, "”", `"`, "’", "'").Replace(blanks.ReplaceAllString(strings.ToLower(text), " "))
	// The last section of MPL-2.0 names the licences of GNU that it goes with.
	mozilla := strings.Contains(text, "mozilla public license version 2.0") || strings.Contains(text, "mozilla public license, version 2.0")
	for _, p := range phrases() {
		if strings.Contains(text, p[0]) && !(mozilla && strings.HasSuffix(p[1], "GPL")) {
			names = append(names, p[1])
		}
	}
	if strings.Contains(text, "redistribution and use in source and binary forms") {
		if strings.Contains(text, "neither the name") || strings.Contains(text, "may not be used to endorse") || strings.Contains(text, "names of its contributors") {
			names = append(names, "BSD-3-Clause")
		} else {
			names = append(names, "BSD-2-Clause")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-.].*)?$`)

// licencesOf reads the files of a module's own folder.
func licencesOf(dir string) (names []string, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.Name() == "LICENSE-LOGO" { // of a picture that is in no program
			continue
		}
		if f.IsDir() || !licenceFile.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		found := classify(string(text))
		if found == nil {
			found = []string{"unknown (" + f.Name() + ")"}
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// check gives what is wrong with a module; nil for nothing. sums is go.sum.
func check(m module, sums string) (names []string, err error) {
	if !strings.Contains(sums, m.Path+" "+m.Version+" h1:") {
		err = fmt.Errorf("%s %s has no checksum in go.sum", m.Path, m.Version)
	}
	names, e := licencesOf(m.Dir)
	if e != nil {
		return nil, errors.Join(err, e)
	}
	if len(names) == 0 {
		err = errors.Join(err, fmt.Errorf("%s %s has no licence file", m.Path, m.Version))
	}
	for _, name := range names {
		if !slices.Contains(allowed(), name) {
			err = errors.Join(err, fmt.Errorf("%s %s has the licence %s; allowed are %s", m.Path, m.Version, name, strings.Join(allowed(), ", ")))
		}
	}
	return names, err
}

// modules lists what the packages of a module and their tests are made of.
func modules(root, tags string) ([]module, error) {
	c := exec.Command("go", "list", "-deps", "-test", "-tags", tags, "-f", "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{.Main}}{{end}}", "./...")
	c.Dir, c.Stderr = root, os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(strings.ReplaceAll(string(out), "\t\t", "\t-\t"))
	var list []module
	for i := 0; i+3 < len(lines); i += 4 {
		m := module{lines[i], lines[i+1], lines[i+2], lines[i+3] == "true"}
		if !m.Main && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func run(root, tags string, out io.Writer) error {
	list, err := modules(root, tags)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, m := range list {
		names, e := check(m, string(sums))
		err = errors.Join(err, e)
		count[strings.Join(names, " AND ")]++
	}
	text, _ := json.Marshal(count) // texts and numbers: cannot fail
	fmt.Fprintf(out, "licences of %d modules: %s\n", len(list), text)
	return err
}

func main() {
	root, tags := "../..", ""
	if len(os.Args) > 1 {
		tags = os.Args[1]
	}
	if err := run(root, tags, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}
