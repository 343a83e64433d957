package task

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong in a task.yaml.
type Fault struct {
	Path    string // such as output.top_k or input.columns[2]; "" for the whole file
	Message string // what is wrong and what to do
	Line    int    // 1-based; 0 where the text is not known (see Spec.Validate)
	Column  int    // 1-based
	Excerpt string // the line of the text and a caret below it; "" where Line is 0
}

// Error gives place, message and excerpt.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "[%d:%d] ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Excerpt != "" {
		b.WriteString("\n" + f.Excerpt)
	}
	return b.String()
}

// Faults is everything that is wrong in a task.yaml, in the order of the text where that is known.
type Faults []*Fault

// Error gives one fault after the other, each on its own lines.
func (f Faults) Error() string {
	text := make([]string, len(f))
	for i := range f {
		text[i] = f[i].Error()
	}
	return strings.Join(text, "\n")
}

// Unwrap lets errors.As find a single *Fault.
func (f Faults) Unwrap() []error {
	out := make([]error, len(f))
	for i := range f {
		out[i] = f[i]
	}
	return out
}

// add notes a fault.
func (f *Faults) add(path, format string, args ...any) {
	*f = append(*f, &Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// err is nil where there is no fault.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// excerpt shows one line of text with a caret below the column; both are 1-based. Long lines are cut around the column.
func excerpt(text string, line, column int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	show := []rune(strings.ReplaceAll(strings.TrimRight(lines[line-1], "\r"), "\t", " "))
	at := min(max(column-1, 0), len(show))
	const width = 60
	if from := at - width; from > 0 {
		show, at = show[from:], width
	}
	if len(show) > at+width {
		show = show[:at+width]
	}
	margin := fmt.Sprintf("%4d | ", line)
	return margin + string(show) + "\n" + strings.Repeat(" ", len(margin)+at) + "^"
}
