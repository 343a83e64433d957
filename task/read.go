package task

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Read decodes a YAML document of up to MaxBytes into the struct that out points to, as strictly as Parse reads a task.yaml: all faults at once, each
// with its place. The fields of out have the tag yaml, and are text, numbers, truth values, durations, pointers to them, structs, lists and maps by text, or know
// UnmarshalYAML(ast.Node) error. check, called where the text could be decoded, gives what else is wrong, by path; it may be nil. given reports whether
// the text has a value at a path, such as nodes[2].timeout.
func Read(data []byte, out any, check func(given func(path string) bool) Faults) error {
	text, body, err := document(data, "the file is empty")
	if err != nil {
		return err
	}
	d := decoder{text: text, at: map[string]*token.Token{}}
	d.object(body, "", out)
	if len(d.faults) == 0 && check != nil {
		d.add(check(func(path string) bool { return d.at[path] != nil }))
	}
	return d.faults.err()
}

// add notes faults that were found in what was decoded, with the place of the nearest thing that the text has.
func (d *decoder) add(faults Faults) {
	for _, f := range faults {
		d.place(f, f.Path)
		d.faults = append(d.faults, f)
	}
	slices.SortStableFunc(d.faults, func(a, b *Fault) int { return a.Line - b.Line })
}

// document is the text of a file that is within the limits, and the one mapping in it. empty is what is said where there is none.
func document(data []byte, empty string) (text string, body ast.Node, err error) {
	if len(data) > MaxBytes {
		return "", nil, Faults{{Message: "the file is larger than 256 KiB; put the labels into a file of their own"}}
	}
	text = strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return "", nil, Faults{{Message: "the file is not UTF-8 text"}}
	}
	if deep(text) {
		return "", nil, Faults{{Message: "the file is nested too deeply"}}
	}
	body, fault := root(text, empty)
	if fault != nil {
		return "", nil, Faults{fault}
	}
	return text, body, nil
}
