package gateway

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"triton-gateway/internal/nearest"
)

// mostQuoted is for how many faults of a file its lines are shown too.
const mostQuoted = 3

// misread says in words of the file what the decoder could not read: each unknown key and each value of another kind, with its place, key and what is expected
// there. nil where it finds nothing: the decoder's own error has to do then.
func misread(data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil || len(file.Docs) == 0 {
		return nil
	}
	m := &misreader{}
	m.node(file.Docs[0].Body, reflect.TypeFor[Config](), "")
	var list []error
	for _, f := range m.faults {
		list = append(list, errors.New(yaml.FormatErrorWithToken(f.text, f.at, false, len(m.faults) <= mostQuoted)))
	}
	return errors.Join(list...)
}

type misreader struct{ faults []misreading }

type misreading struct {
	at   *token.Token
	text string
}

func (m *misreader) add(at *token.Token, path, format string, args ...any) {
	m.faults = append(m.faults, misreading{at, path + ": " + fmt.Sprintf(format, args...)})
}

// node holds a node against the type that it is for. What refers to another place of the file is left to the decoder, and so are types that read YAML by themselves.
func (m *misreader) node(n ast.Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := n.(type) {
	case nil, *ast.NullNode, *ast.AliasNode, *ast.TagNode:
		return
	case *ast.AnchorNode:
		m.node(v.Value, t, path)
		return
	}
	if _, own := reflect.PointerTo(t).MethodByName("UnmarshalYAML"); own {
		return
	}
	switch kind := t.Kind(); {
	case kind == reflect.Struct:
		m.section(n, t, path)
	case kind == reflect.Map:
		for _, pair := range m.pairs(n, path) {
			m.node(pair.Value, t.Elem(), keyUnder(path, pair.Key.GetToken().Value))
		}
	case kind == reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			m.add(n.GetToken(), path, "a list is expected here, such as [a, b]")
			return
		}
		for i, one := range list.Values {
			m.node(one, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		m.scalar(n, t, path)
	}
}

func (m *misreader) section(n ast.Node, t reflect.Type, path string) {
	fields := map[string]reflect.Type{}
	fieldsOf(t, fields)
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	slices.Sort(known)
	for _, pair := range m.pairs(n, path) {
		key := pair.Key.GetToken()
		if of, ok := fields[key.Value]; ok {
			m.node(pair.Value, of, keyUnder(path, key.Value))
			continue
		}
		if pair.Key.IsMergeKey() {
			continue
		}
		hint := "the keys here are " + strings.Join(known, ", ")
		if near := nearest.Word(key.Value, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		m.add(key, keyUnder(path, clip(key.Value)), "unknown key; %s", hint)
	}
}

// fieldsOf collects the keys of a section, with those of sections that stand in its own place.
func fieldsOf(t reflect.Type, fields map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			fieldsOf(f.Type, fields)
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
}

func (m *misreader) pairs(n ast.Node, path string) []*ast.MappingValueNode {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	}
	if path == "" {
		path = "gateway.yaml"
	}
	m.add(n.GetToken(), path, "keys with values are expected here, such as {key: value}")
	return nil
}

// scalar holds a single value against its type, as far as the decoder does.
func (m *misreader) scalar(n ast.Node, t reflect.Type, path string) {
	at := n.GetToken()
	if _, ok := n.(ast.ScalarNode); !ok {
		m.add(at, path, "a single value is expected here, neither a list nor keys with values")
		return
	}
	if text, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
		if err := text.UnmarshalText([]byte(at.Value)); err != nil {
			m.add(at, path, "%v", err)
		}
		return
	}
	number, err := strconv.ParseFloat(strings.ReplaceAll(at.Value, "_", ""), 64)
	if _, whole := n.(*ast.IntegerNode); whole {
		err = nil // 0x10 too
	}
	wants := ""
	switch kind := t.Kind(); {
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(at.Value); err != nil || n.Type() != ast.StringType {
			wants = "a time with its unit is expected here, such as 5s or 10m"
		}
	case kind == reflect.Bool:
		if n.Type() != ast.BoolType {
			wants = "true or false is expected here"
		}
	case kind >= reflect.Int && kind <= reflect.Uint64:
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			wants = "a whole number without a unit is expected here, such as 10"
		}
	case kind == reflect.Float32 || kind == reflect.Float64:
		if special := n.Type() == ast.NanType || n.Type() == ast.InfinityType; err != nil && !special {
			wants = "a number without a unit is expected here, such as 10 or 0.5"
		}
	}
	if wants != "" {
		m.add(at, path, "%s, not %q", wants, clip(at.Value))
	}
}

func keyUnder(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
