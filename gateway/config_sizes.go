package gateway

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// sizeSettings gives the paths of all settings that are a ByteSize, such as limits.body.
func sizeSettings(of reflect.Type, under string) (paths []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		path := under + name
		switch {
		case f.Type == reflect.TypeFor[ByteSize]():
			paths = append(paths, path)
		case f.Type.Kind() == reflect.Struct && options == "inline":
			paths = append(paths, sizeSettings(f.Type, under)...)
		case f.Type.Kind() == reflect.Struct && name != "" && name != "-":
			paths = append(paths, sizeSettings(f.Type, path+".")...)
		}
	}
	return paths
}

// misreadSizes names the settings of a file that should be sizes and are none, each with its line: the decoder stops at the first of them, and gives its text alone.
func misreadSizes(data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil // the decoder says it better
	}
	sizes := map[string]bool{}
	for _, path := range sizeSettings(reflect.TypeFor[Config](), "") {
		sizes["$."+path] = true
	}
	v := &sizeVisitor{sizes: sizes}
	for _, doc := range file.Docs {
		ast.Walk(v, doc)
	}
	return errors.Join(v.faults...)
}

type sizeVisitor struct {
	sizes  map[string]bool
	faults []error
}

// Visit looks at one node.
func (v *sizeVisitor) Visit(n ast.Node) ast.Visitor {
	pair, ok := n.(*ast.MappingValueNode)
	if !ok {
		return v
	}
	s, ok := pair.Value.(ast.ScalarNode)
	if ok && s.Type() != ast.NullType && v.sizes[s.GetPath()] {
		if err := new(ByteSize).UnmarshalText([]byte(s.GetToken().Value)); err != nil {
			v.faults = append(v.faults, fmt.Errorf("line %d: %s: %w", s.GetToken().Position.Line, strings.TrimPrefix(s.GetPath(), "$."), err))
		}
	}
	return v
}

// takeMisreadSizes takes the variables out of values that should be sizes and are none, and gives their faults.
func takeMisreadSizes(values map[string]string) (faults []error) {
	for _, path := range sizeSettings(reflect.TypeFor[Config](), "") {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
		if value, given := values[name]; given {
			if err := new(ByteSize).UnmarshalText([]byte(value)); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
				delete(values, name)
			}
		}
	}
	return faults
}
