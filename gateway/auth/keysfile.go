package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"triton-gateway/internal/caller"
)

const (
	maxFile   = 4 << 20 // bytes of a keys file
	mostKeys  = 10_000
	maxDepth  = 8   // of nesting; the YAML parser's time grows with its square
	maxName   = 128 // bytes of an id, tenant, tier or name of a certificate
	maxFaults = 50  // that are told at once
)

// at is a fault in a line of the file. Its text must not show what stands there, which may be a key by mistake.
func at(line int, format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
}

// parseKeys reads a keys file. All faults are told at once, each with its line.
func parseKeys(data []byte) (*keys, error) {
	rows, err := rowsOf(data)
	if err != nil {
		return nil, err
	}
	var list []*entry
	var faults []error
	for _, row := range rows {
		e, bad := readEntry(row)
		if faults = append(faults, bad...); len(faults) > maxFaults {
			return nil, errors.Join(append(faults[:maxFaults], errors.New("and more"))...)
		}
		list = append(list, e)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return index(list)
}

// rowsOf gives the entries of the list.
func rowsOf(data []byte) ([]ast.Node, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
	case len(data) > maxFile:
		return nil, fmt.Errorf("the file is larger than %d MiB", maxFile>>20)
	case !utf8.ValidString(text):
		return nil, errors.New("the file is not UTF-8 text")
	case deep(text):
		return nil, errors.New("the file is nested too deeply; it is keys: [{id: ..., sha256: ..., ...}]")
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
			return nil, at(syntax.GetToken().Position.Line, "%s", syntax.GetMessage())
		}
		return nil, errors.New("the file is no YAML")
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d == nil || d.Body == nil })
	if len(docs) != 1 {
		return nil, errors.New("the file holds no list of keys, or several documents; it is keys: [{id: ..., sha256: ..., ...}]")
	}
	pairs := pairsOf(docs[0].Body)
	if len(pairs) != 1 || nameOf(pairs[0]) != "keys" {
		return nil, at(lineOf(docs[0].Body), "the file has one member, keys, which is a list")
	}
	list, ok := pairs[0].Value.(*ast.SequenceNode)
	switch {
	case !ok:
		return nil, at(lineOf(pairs[0]), "keys is a list: keys: [{id: ..., sha256: ..., ...}]")
	case len(list.Values) > mostKeys:
		return nil, at(lineOf(pairs[0]), "%d keys; at most %d are taken", len(list.Values), mostKeys)
	}
	return list.Values, nil
}

// readEntry reads one key.
func readEntry(node ast.Node) (e *entry, faults []error) {
	e = &entry{line: lineOf(node)}
	given := map[string]bool{}
	fault := func(n ast.Node, format string, args ...any) { faults = append(faults, at(lineOf(n), format, args...)) }
	pairs := pairsOf(node)
	if pairs == nil {
		fault(node, "a key is {id: ..., sha256: ..., tenant: ..., scopes: [...]}")
		return e, faults
	}
	for _, pair := range pairs {
		name := nameOf(pair)
		if given[name] {
			fault(pair, "%s is given twice", name)
		}
		given[name] = true
		var err error
		switch name {
		case "id":
			err = readName(pair.Value, &e.who.ID)
		case "tenant":
			err = readName(pair.Value, &e.who.Tenant)
		case "tier":
			err = readName(pair.Value, &e.who.Tier)
		case "certificate":
			err = readName(pair.Value, &e.name)
		case "sha256":
			err = readSum(pair.Value, &e.sum)
		case "scopes":
			e.who.Scopes, err = readScopes(pair.Value)
		case "expires":
			e.who.Expires, err = readTime(pair.Value)
		default:
			fault(pair, "there is no member of that name; a key has id, sha256, certificate, tenant, tier, scopes and expires")
		}
		if err != nil {
			fault(pair, "%s: %w", name, err)
		}
	}
	for _, name := range []string{"id", "tenant", "scopes"} {
		if !given[name] {
			fault(node, "%s is missing", name)
		}
	}
	if !given["sha256"] && !given["certificate"] {
		fault(node, "sha256 is missing: the SHA-256 of the key; `triton-gateway key new` makes both (or certificate, a name of the client's)")
	}
	return e, faults
}

// readName reads a text without blanks.
func readName(node ast.Node, into *string) error {
	text, ok := textOf(node)
	if !ok || !name(text) {
		return fmt.Errorf("write 1 to %d visible ASCII characters without blanks", maxName)
	}
	*into = text
	return nil
}

// name reports whether a text may name a caller, a tenant or a tier: it goes into logs, keys of stores and labels.
func name(s string) bool {
	return len(s) <= maxName && secretText(s)
}

func readSum(node ast.Node, into *[sha256.Size]byte) error {
	text, ok := textOf(node)
	raw, err := hex.DecodeString(text)
	if !ok || err != nil || len(raw) != sha256.Size {
		return errors.New("it is the SHA-256 of the key in 64 hexadecimal digits, in quotation marks if they are digits alone: printf %s KEY | sha256sum")
	}
	if *into = [sha256.Size]byte(raw); *into == sha256.Sum256(nil) || *into == [sha256.Size]byte{} {
		return errors.New("it is the digest of nothing; printf %s KEY | sha256sum gives that of a key")
	}
	return nil
}

func readScopes(node ast.Node) (all caller.Scopes, err error) {
	list, ok := node.(*ast.SequenceNode)
	wrong := errors.New("it is a list of some of infer, jobs and admin, such as [infer, jobs]")
	if !ok || len(list.Values) == 0 {
		return 0, wrong
	}
	for _, item := range list.Values {
		text, _ := textOf(item)
		one := caller.ParseScope(text)
		if one == 0 || all.Has(one) {
			return 0, wrong
		}
		all |= one
	}
	return all, nil
}

func readTime(node ast.Node) (time.Time, error) {
	text, ok := textOf(node)
	t, err := time.Parse(time.RFC3339, text)
	if !ok || err != nil || t.IsZero() {
		return t, errors.New("it is a time such as 2027-01-31T08:00:00Z")
	}
	return t, nil
}

// pairsOf are the members of a mapping; nil where it is none.
func pairsOf(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// nameOf is the name of a member; "" where it is no plain text.
func nameOf(pair *ast.MappingValueNode) string {
	s, ok := pair.Key.(*ast.StringNode)
	if !ok {
		return ""
	}
	return s.Value
}

// textOf is a text, also one that looks like a number or a time.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// lineOf is where a node begins; 1 where that is not known.
func lineOf(node ast.Node) int {
	switch n := node.(type) {
	case *ast.MappingValueNode:
		node = n.Key
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			node = n.Values[0].Key
		}
	}
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 1
	}
	return node.GetToken().Position.Line
}

// deep reports whether the text nests too many levels of brackets, or of dashes within a line.
func deep(text string) bool {
	brackets := 0
	for line := range strings.Lines(text) {
		if indent := len(line) - len(strings.TrimLeft(line, "-?: \t")); strings.Count(line[:indent], "-")+strings.Count(line[:indent], "?")+strings.Count(line[:indent], ":") > maxDepth {
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
