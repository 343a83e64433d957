package task

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"triton-gateway/internal/nearest"
)

// kind names what a node is, for messages.
func kind(node ast.Node) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias (write the values out)"
	case *ast.TagNode:
		return "a tag"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", short(n.Value))
	case *ast.LiteralNode:
		return "a block of text"
	}
	return short(node.GetToken().Value)
}

func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}

// plain reads text; a number or truth value stands for the text that was written.
func plain(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, nil
	}
	return "", fmt.Errorf("text is expected here, not %s", kind(node))
}

// number reads a finite number. The parser takes 1e-3 for text, so text without quotes is tried too.
func number(node ast.Node) (float64, error) {
	var text string
	switch n := node.(type) {
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case int64:
			return float64(v), nil
		case uint64:
			return float64(v), nil
		}
	case *ast.FloatNode:
		if !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value) {
			return n.Value, nil
		}
	case *ast.StringNode:
		if n.Token.Type == token.StringType {
			text = n.Value
		}
	}
	if f, ok := decimal(text); ok {
		return f, nil
	}
	return 0, fmt.Errorf("a number is expected here, not %s", kind(node))
}

// decimal reads a finite decimal number, exponent included; no hexadecimal, no "inf".
func decimal(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "+-.eE0123456789") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// whole reads a whole number that fits 32 bits.
func whole(node ast.Node) (int, error) {
	f, err := number(node)
	if err != nil {
		return 0, fmt.Errorf("a whole number is expected here, not %s", kind(node))
	}
	if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return 0, fmt.Errorf("a whole number is expected here, not %s", kind(node))
	}
	return int(f), nil
}

// duration reads 1h30m and the like; a bare number other than 0 has no unit and is refused.
func duration(node ast.Node) (time.Duration, error) {
	if f, err := number(node); err == nil && f == 0 {
		return 0, nil
	}
	if s, ok := node.(*ast.StringNode); ok {
		if d, err := time.ParseDuration(s.Value); err == nil {
			return d, nil
		}
	}
	return 0, fmt.Errorf("a duration with a unit is expected here, such as 90s, 10m or 1h, not %s", kind(node))
}

// suggest gives `; did you mean "x"?` where a known key is near, and otherwise the list of the keys.
func suggest(name string, known []string) string {
	if best := nearest.Word(name, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; the keys here are " + strings.Join(known, ", ")
}

// choose is the same for the values of a text.
func choose(value string, known []string) string {
	if best := nearest.Word(value, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return "; it is one of " + strings.Join(known, ", ")
}
