package task

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/committed"
)

var update = flag.Bool("update", false, "write docs/task-yaml.md and docs/schema/task.schema.json anew")

// paths lists the keys of a struct and of those in it.
func paths(t reflect.Type, prefix string) []string {
	var out []string
	for i, name := range keysOf(t) {
		field := t.Field(i).Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		out = append(out, join(prefix, name))
		leaf := field == reflect.TypeFor[Size]() || field == reflect.TypeFor[Labels]() || field == reflect.TypeFor[time.Duration]()
		if field.Kind() == reflect.Struct && !leaf {
			out = append(out, paths(field, join(prefix, name))...)
		}
	}
	return out
}

func TestKeysAreThoseOfSpec(t *testing.T) {
	var described []string
	for _, k := range Keys() {
		described = append(described, k.Path)
		if k.Text == "" || k.Type == "" {
			t.Errorf("%s is not described", k.Path)
		}
	}
	want := paths(reflect.TypeFor[Spec](), "")
	slices.Sort(described)
	slices.Sort(want)
	if !slices.Equal(described, want) {
		t.Errorf("described\n%q\nthere are\n%q", described, want)
	}
}

// Each struct spells its keys in JSON as in YAML.
func TestKeysAreTheSameInJSON(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[Spec](), reflect.TypeFor[Input](), reflect.TypeFor[Preprocess](), reflect.TypeFor[Resize](),
		reflect.TypeFor[Crop](), reflect.TypeFor[Output](), reflect.TypeFor[Cache](), reflect.TypeFor[Batching]()} {
		for i, name := range keysOf(typ) {
			if got, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); got != name {
				t.Errorf("%s.%s: %q in YAML, %q in JSON", typ.Name(), typ.Field(i).Name, name, got)
			}
		}
	}
}

func TestDocsSchema(t *testing.T) {
	text := Schema()
	committed.Check(t, "../docs/schema/task.schema.json", "go test ./task -update", text, *update)
	var s struct {
		Schema               string `json:"$schema"`
		AdditionalProperties bool
		Required             []string
		Properties           map[string]struct {
			Enum                 []string
			AdditionalProperties any
			Properties           map[string]any
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || s.AdditionalProperties || !slices.Equal(s.Required, []string{"task"}) {
		t.Errorf("%s, %v, %v", s.Schema, s.AdditionalProperties, s.Required)
	}
	if !slices.Equal(s.Properties["task"].Enum, enumOf("task")) {
		t.Errorf("tasks %v", s.Properties["task"].Enum)
	}
	for name, p := range s.Properties {
		if p.Properties != nil && p.AdditionalProperties != false {
			t.Errorf("%s takes unknown keys", name)
		}
	}
}

// table writes the reference of all keys.
func table() string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range Keys() {
		value := k.Type
		if len(k.Enum) > 0 {
			value = "`" + strings.Join(k.Enum, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, value, k.Default, k.Text)
	}
	return b.String()
}

func TestDocsPage(t *testing.T) {
	const path = "../docs/task-yaml.md"
	committed.CheckPart(t, path, "keys", "go test ./task -update", table(), *update)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Name]bool{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		s, err := Parse([]byte(block[1]))
		if err != nil {
			t.Errorf("an example is wrong:\n%v", err)
			continue
		}
		seen[s.Task] = true
	}
	for _, name := range enumOf("task") {
		if !seen[Name(name)] {
			t.Errorf("there is no example of %s", name)
		}
	}
}
