package task

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// MaxBytes is the largest task.yaml that is read. A list of more labels than fit belongs into a file of its own.
	MaxBytes = 256 << 10
	// maxDepth bounds nesting: a Spec has five levels, and the YAML parser's time grows with the square of the depth.
	maxDepth = 32
)

// Parse reads a task.yaml; JSON is YAML. Unknown keys, wrong types and everything that Validate finds are reported at once,
// as Faults with line, column and the line itself. Anchors, aliases, merge keys and further documents are refused.
func Parse(data []byte) (*Spec, error) {
	text, body, err := document(data, "the file is empty; it needs at least `task: ...`")
	if err != nil {
		return nil, err
	}
	spec := new(Spec)
	d := decoder{text: text, at: map[string]*token.Token{}}
	d.object(body, "", spec)
	if len(d.faults) == 0 {
		d.validate(spec)
	}
	if err := d.faults.err(); err != nil {
		return nil, err
	}
	return spec, nil
}

// validate adds what Validate finds, with the place of the nearest thing that the text has.
func (d *decoder) validate(spec *Spec) {
	var faults Faults
	errors.As(spec.Validate(), &faults)
	for path, n := range map[string]int{"output.top_k": spec.Output.TopK, "output.max_detections": spec.Output.MaxDetections} {
		if d.at[path] != nil && n == 0 {
			faults.add(path, "must be 1 or more")
		}
	}
	d.add(faults)
}

// place sets line and column to those of path or of what holds it.
func (d *decoder) place(f *Fault, path string) {
	for path != "" {
		if tok := d.at[path]; tok != nil {
			f.Line, f.Column = tok.Position.Line, tok.Position.Column
			f.Excerpt = excerpt(d.text, f.Line, f.Column)
			return
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// root parses the text down to its one mapping. empty is what is said where there is none.
func root(text, empty string) (ast.Node, *Fault) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		f := &Fault{Message: err.Error()}
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			f.Message = syntax.GetMessage()
			if tok := syntax.GetToken(); tok != nil && tok.Position != nil {
				f.Line, f.Column = tok.Position.Line, tok.Position.Column
				f.Excerpt = excerpt(text, f.Line, f.Column)
			}
		}
		return nil, f
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d == nil || d.Body == nil })
	switch len(docs) {
	case 0:
		return nil, &Fault{Message: empty}
	case 1:
		return docs[0].Body, nil
	}
	return nil, &Fault{Message: "the file holds several documents; only one is read"}
}

// deep reports whether the text nests more than maxDepth levels of brackets, or of dashes within one line.
func deep(text string) bool {
	brackets := 0
	for line := range strings.Lines(text) {
		dashes := 0
		for _, c := range line {
			if c == '-' || c == '?' || c == ':' {
				dashes++
			} else if c != ' ' && c != '\t' {
				break
			}
		}
		if dashes > maxDepth {
			return true
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				brackets++
			case ']', '}':
				brackets = max(brackets-1, 0)
			}
			if brackets > maxDepth {
				return true
			}
		}
	}
	return false
}
