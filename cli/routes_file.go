package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// mostRoute is the largest file that is read as a route, in bytes; the gateway takes less, in JSON.
const mostRoute = 1 << 20

// readRoute reads a route from a file, or - for standard input, and gives it in JSON.
func readRoute(file string) ([]byte, error) {
	from := file
	if file == "-" {
		from = "/dev/stdin"
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRoute+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > mostRoute:
		return nil, fmt.Errorf("%s is larger than %d bytes; a route is much smaller", file, mostRoute)
	}
	body, err := routeJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return body, nil
}

// routeJSON makes JSON of YAML. What is JSON stays as it is: the gateway names the places in it.
func routeJSON(data []byte) ([]byte, error) {
	if json.Valid(data) {
		if trimmed := bytes.TrimSpace(data); trimmed[0] != '{' {
			return nil, errNoRoute
		}
		return data, nil
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, err
	}
	switch {
	case len(f.Docs) > 1:
		return nil, fmt.Errorf("it holds %d YAML documents; one route is wanted", len(f.Docs))
	case len(f.Docs) == 0 || f.Docs[0].Body == nil:
		return nil, errNoRoute
	}
	body := f.Docs[0].Body
	aliases := &aliasFinder{}
	ast.Walk(aliases, body)
	if aliases.at != nil {
		return nil, fmt.Errorf("line %d: an alias; write it out", aliases.at.GetToken().Position.Line) // a few of them can stand for gigabytes
	}
	var v any
	if err := yaml.NodeToValue(body, &v); err != nil {
		return nil, err
	}
	route, ok := v.(map[string]any)
	if !ok {
		return nil, errNoRoute
	}
	return json.Marshal(route) // an error where it holds .inf and .nan, which JSON lacks
}

var errNoRoute = errors.New("this is no route: candidates and what else there is of it are wanted, without the name, such as candidates: [{model: shapes, version: 1, weight: 1}]")

// aliasFinder finds a YAML alias.
type aliasFinder struct{ at *ast.AliasNode }

// Visit implements ast.Visitor.
func (f *aliasFinder) Visit(n ast.Node) ast.Visitor {
	if alias, ok := n.(*ast.AliasNode); ok {
		f.at = alias
		return nil
	}
	return f
}
