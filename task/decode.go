package task

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder walks the text and the Spec side by side, so that it can go on after a fault and report them all.
type decoder struct {
	text   string
	at     map[string]*token.Token // path -> where its value is
	faults Faults
}

// fault notes what is wrong with a node.
func (d *decoder) fault(tok *token.Token, path, format string, args ...any) {
	f := &Fault{Path: path, Message: fmt.Sprintf(format, args...)}
	if tok != nil && tok.Position != nil {
		f.Line, f.Column = tok.Position.Line, tok.Position.Column
		f.Excerpt = excerpt(d.text, f.Line, f.Column)
	}
	d.faults = append(d.faults, f)
}

// pairs gives the entries of a mapping; false, with a fault noted, where node is none.
func (d *decoder) pairs(node ast.Node, path string) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	d.fault(first(node), path, "keys and values are expected here, not %s", kind(node))
	return nil, false
}

// object decodes a mapping into the struct that out points to.
func (d *decoder) object(node ast.Node, path string, out any) {
	pairs, _ := d.pairs(node, path)
	v := reflect.ValueOf(out).Elem()
	for _, pair := range pairs {
		tok := pair.Key.GetToken()
		name := key(pair)
		field := fieldByKey(v, name)
		full := join(path, name)
		if _, merge := pair.Key.(*ast.MergeKeyNode); merge {
			d.fault(tok, full, "merge keys are not read here; write the values out")
		} else if !field.IsValid() {
			d.fault(tok, full, "unknown key%s", suggest(name, keysOf(v.Type())))
		} else {
			d.value(pair.Value, full, field)
		}
	}
}

// value decodes one value; null leaves it as not given.
func (d *decoder) value(node ast.Node, path string, out reflect.Value) {
	if node == nil || node.Type() == ast.NullType {
		return
	}
	d.at[path] = first(node)
	if n, ok := out.Addr().Interface().(interface{ UnmarshalYAML(ast.Node) error }); ok {
		d.check(node, path, n.UnmarshalYAML(node))
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(node, path, out.Elem())
	case reflect.Struct:
		d.object(node, path, out.Addr().Interface())
	case reflect.Map:
		d.table(node, path, out)
	case reflect.Slice:
		d.list(node, path, out)
	default:
		d.check(node, path, scalar(node, out))
	}
}

// table decodes a mapping with free keys.
func (d *decoder) table(node ast.Node, path string, out reflect.Value) {
	pairs, ok := d.pairs(node, path)
	if !ok {
		return
	}
	out.Set(reflect.MakeMapWithSize(out.Type(), len(pairs)))
	for _, pair := range pairs {
		v := reflect.New(out.Type().Elem()).Elem()
		d.value(pair.Value, join(path, key(pair)), v)
		out.SetMapIndex(reflect.ValueOf(key(pair)), v)
	}
}

// list decodes a sequence.
func (d *decoder) list(node ast.Node, path string, out reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(first(node), path, "a list is expected here, not %s", kind(node))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		d.value(item, fmt.Sprintf("%s[%d]", path, i), out.Index(i))
	}
}

func (d *decoder) check(node ast.Node, path string, err error) {
	if err != nil {
		d.fault(first(node), path, "%s", err)
	}
}

// scalar decodes text, a number, a truth value or a duration.
func scalar(node ast.Node, out reflect.Value) error {
	switch {
	case out.Type() == reflect.TypeFor[time.Duration]():
		d, err := duration(node)
		out.SetInt(int64(d))
		return err
	case out.Kind() == reflect.String:
		s, err := plain(node)
		out.SetString(s)
		return err
	case out.Kind() == reflect.Int:
		n, err := whole(node)
		out.SetInt(int64(n))
		return err
	case out.Kind() == reflect.Float64:
		f, err := number(node)
		out.SetFloat(f)
		return err
	case out.Kind() == reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			return fmt.Errorf("true or false is expected here, not %s", kind(node))
		}
		out.SetBool(b.Value)
		return nil
	}
	panic("task: no decoding for " + out.Type().String())
}

// first is the token that a caret points to.
func first(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	case nil:
		return nil
	}
	return node.GetToken()
}

func key(pair *ast.MappingValueNode) string {
	if s, ok := pair.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return pair.Key.GetToken().Value
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldByKey finds the field with this key in its yaml tag.
func fieldByKey(v reflect.Value, name string) reflect.Value {
	if i := slices.Index(keysOf(v.Type()), name); i >= 0 {
		return v.Field(i)
	}
	return reflect.Value{}
}

// keysOf lists the keys of a struct in the order of its fields.
func keysOf(t reflect.Type) []string {
	out := make([]string, t.NumField())
	for i := range out {
		out[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return out
}
