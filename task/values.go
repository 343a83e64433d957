package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// UnmarshalYAML reads one number or [height, width].
func (s *Size) UnmarshalYAML(node ast.Node) error {
	if seq, ok := node.(*ast.SequenceNode); ok {
		if len(seq.Values) != 2 {
			return fmt.Errorf("one number or [height, width] is expected here, not %d numbers", len(seq.Values))
		}
		h, err1 := whole(seq.Values[0])
		w, err2 := whole(seq.Values[1])
		s.Height, s.Width = h, w
		return s.check(errors.Join(err1, err2))
	}
	n, err := whole(node)
	s.Height, s.Width = n, n
	return s.check(err)
}

func (s *Size) check(err error) error {
	if err != nil {
		return fmt.Errorf("one whole number or [height, width] is expected here: %w", err)
	}
	if s.Height < 1 || s.Width < 1 || s.Height > maxSide || s.Width > maxSide {
		return fmt.Errorf("sizes are 1 to %d pixels", maxSide)
	}
	return nil
}

// value is the shorter spelling: a number for a square.
func (s Size) value() any {
	if s.Height == s.Width {
		return s.Height
	}
	return []int{s.Height, s.Width}
}

// MarshalYAML gives one number for a square, else [height, width].
func (s Size) MarshalYAML() (any, error) { return s.value(), nil }

// MarshalJSON gives one number for a square, else [height, width].
func (s Size) MarshalJSON() ([]byte, error) { return json.Marshal(s.value()) }

// UnmarshalYAML reads a number or a fraction.
func (s *Scale) UnmarshalYAML(node ast.Node) error {
	f, err := number(node)
	if text, ok := node.(*ast.StringNode); ok && err != nil {
		over, under, found := strings.Cut(text.Value, "/")
		a, ok1 := decimal(strings.TrimSpace(over))
		b, ok2 := 1.0, true
		if found {
			b, ok2 = decimal(strings.TrimSpace(under))
		}
		if ok1 && ok2 {
			f, err = a/b, nil
		}
	}
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return fmt.Errorf("a number above 0 or a fraction such as 1/255 is expected here, not %s", kind(node))
	}
	*s = Scale(f)
	return nil
}

// value gives 1/255 rather than 0.00392156862745098, where that is exactly the same number.
func (s Scale) value() any {
	if d := math.Round(1 / float64(s)); d > 1 && d <= 1<<16 && 1/d == float64(s) {
		return "1/" + strconv.Itoa(int(d))
	}
	return float64(s)
}

// MarshalYAML gives a number, or a fraction where that is exact.
func (s Scale) MarshalYAML() (any, error) { return s.value(), nil }

// MarshalJSON gives a number, or a fraction as text where that is exact.
func (s Scale) MarshalJSON() ([]byte, error) { return json.Marshal(s.value()) }

// UnmarshalYAML reads one number or a list.
func (n *Numbers) UnmarshalYAML(node ast.Node) error {
	items := []ast.Node{node}
	if seq, ok := node.(*ast.SequenceNode); ok {
		items = seq.Values
	}
	if len(items) == 0 {
		return errors.New("the list is empty")
	}
	*n = nil
	for _, item := range items {
		f, err := number(item)
		if err != nil {
			return fmt.Errorf("a number or a list of numbers is expected here: %w", err)
		}
		*n = append(*n, f)
	}
	return nil
}

// UnmarshalYAML reads [low, high].
func (r *Range) UnmarshalYAML(node ast.Node) error {
	var n Numbers
	if _, ok := node.(*ast.SequenceNode); !ok || n.UnmarshalYAML(node) != nil || len(n) != 2 {
		return fmt.Errorf("[low, high] is expected here, not %s", kind(node))
	}
	*r = Range{n[0], n[1]}
	return nil
}

// UnmarshalYAML reads a list of labels or the name of a file.
func (l *Labels) UnmarshalYAML(node ast.Node) error {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		name, err := plain(node)
		if err != nil {
			return fmt.Errorf("a list of labels or the name of a file is expected here, not %s", kind(node))
		}
		*l = Labels{File: name}
		return nil
	}
	list := make([]string, len(seq.Values))
	for i, item := range seq.Values {
		text, err := plain(item)
		if err != nil {
			return fmt.Errorf("label %d: %w", i, err)
		}
		list[i] = text
	}
	*l = Labels{List: list}
	return nil
}

func (l Labels) value() any {
	if l.File != "" {
		return l.File
	}
	return l.List
}

// MarshalYAML gives the list or the name of the file.
func (l Labels) MarshalYAML() (any, error) { return l.value(), nil }

// MarshalJSON gives the list or the name of the file.
func (l Labels) MarshalJSON() ([]byte, error) { return json.Marshal(l.value()) }

// MarshalJSON writes the duration as text, such as "1h0m0s".
func (c Cache) MarshalJSON() ([]byte, error) {
	var out struct {
		TTL     string `json:"ttl,omitempty"`
		Disable bool   `json:"disable,omitempty"`
	}
	if out.Disable = c.Disable; c.TTL != 0 {
		out.TTL = time.Duration(c.TTL).String()
	}
	return json.Marshal(out)
}
