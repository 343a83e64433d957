package graph

import (
	"reflect"
	"testing"
)

// The nodes are told in the document's order, with what they read and which switch decides about them.
func TestParts(t *testing.T) {
	g, err := Parse([]byte(`
output: kind
nodes:
  - {name: kind, model: shapes, version: "1", from: cut}
  - {name: find, model: shapes-detector, from: input}
  - name: gate
    from: find
    switch: {cases: [{when: {label: circle, count_under: 1}, stop: true}], else: {run: cut}}
  - {name: cut, crop: {labels: [circle]}, from: find}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Part{
		{Name: "kind", Kind: "model", Model: "shapes", Version: "1", From: []string{"cut"}, Answers: true},
		{Name: "find", Kind: "model", Model: "shapes-detector", From: []string{"input"}},
		{Name: "gate", Kind: "switch", From: []string{"find"}},
		{Name: "cut", Kind: "crop", From: []string{"find"}, Gates: []string{"gate"}},
	}
	if got := g.Parts(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
