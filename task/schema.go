package task

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema (draft 2020-12) of task.yaml, indented, for editors: shapes from Spec, texts and values from Keys.
// It refuses unknown keys. What depends on the task, Validate checks alone.
func Schema() []byte {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, FieldNameTag: "yaml", Mapper: shape}
	s := reflector.Reflect(new(Spec))
	s.Title = "task.yaml"
	s.Description = "What a model does, and how bytes become its tensors and its tensors become answers. It lies beside config.pbtxt."
	s.Required = []string{"task"}
	for _, key := range Keys() {
		at := s
		for part := range strings.SplitSeq(key.Path, ".") {
			at, _ = at.Properties.Get(part)
		}
		at.Description = key.Text
		if key.Default != "" && !strings.HasPrefix(key.Default, "required") {
			at.Description += " Default: " + key.Default + "."
		}
		if len(key.Tasks) > 0 {
			at.Description += " For " + names(key.Tasks) + "."
		}
		if limits, ok := ranges()[key.Path]; ok {
			at.Minimum, at.Maximum = limits[0], limits[1]
		}
		for _, value := range key.Enum {
			at.Enum = append(at.Enum, value)
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("task: a schema is always JSON: " + err.Error())
	}
	return append(text, '\n')
}

func names(list []Name) string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = string(list[i])
	}
	return strings.Join(out, ", ")
}

// shape gives the schema of the types that can be written in several ways.
func shape(t reflect.Type) *jsonschema.Schema {
	type schema = jsonschema.Schema
	count := func(n uint64) *uint64 { return &n }
	either := func(list ...*schema) *schema { return &schema{AnyOf: list} }
	number, text := &schema{Type: "number"}, &schema{Type: "string"}
	side := &schema{Type: "integer", Minimum: "1", Maximum: json.Number("16384")}
	switch t {
	case reflect.TypeFor[Size]():
		return either(side, &schema{Type: "array", Items: side, MinItems: count(2), MaxItems: count(2)})
	case reflect.TypeFor[Scale]():
		return either(&schema{Type: "number", ExclusiveMinimum: "0"}, &schema{Type: "string", Pattern: `^\s*[0-9.]+([eE][-+]?[0-9]+)?\s*(/\s*[0-9.]+([eE][-+]?[0-9]+)?\s*)?$`})
	case reflect.TypeFor[Numbers]():
		return either(number, &schema{Type: "array", Items: number, MinItems: count(1)})
	case reflect.TypeFor[Range]():
		return &schema{Type: "array", Items: number, MinItems: count(2), MaxItems: count(2)}
	case reflect.TypeFor[Labels]():
		return either(text, &schema{Type: "array", Items: either(text, number, &schema{Type: "boolean"}), MinItems: count(1)})
	case reflect.TypeFor[time.Duration]():
		return &schema{Type: "string", Pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"1h"}}
	}
	return nil
}

// ranges gives the lowest and the highest value of numbers; "" where there is none.
func ranges() map[string][2]json.Number {
	return map[string][2]json.Number{"preprocess.resize.pad": {"0", "255"}, "output.top_k": {"1", ""}, "output.max_detections": {"1", ""},
		"batching.size":     {"2", "4096"},
		"output.confidence": {"0", "1"}, "output.iou": {"0", "1"}}
}
