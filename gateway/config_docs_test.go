package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"triton-gateway/internal/committed"
	"triton-gateway/task"
)

func TestConfigDocsSchema(t *testing.T) {
	schema, err := ConfigSchema()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, schema, "", "  "); err != nil {
		t.Fatal(err)
	}
	text.WriteByte('\n')
	committed.Check(t, "../docs/schema/gateway.schema.json", "go test ./gateway -run ConfigDocs -update", text.Bytes(), *update)
}

// setting is one line of the reference.
type setting struct{ key, variable, value, initial, text string }

// statedDefault is the sentence of a description that names a default.
var statedDefault = regexp.MustCompile(` ?Default:? (.*)\.$`)

// zeroParts are the minutes and seconds of 1h0m0s.
var zeroParts = regexp.MustCompile(`([hm])0[ms](0s)?$`)

// settings lists the keys of a struct and of those in it; v holds the defaults, section describes the struct.
func settings(v reflect.Value, key, variable, section string) []setting {
	var out []setting
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name := field.Tag.Get("yaml")
		if name == "-" || !field.IsExported() {
			continue
		}
		if prefix, nested := field.Tag.Lookup("envPrefix"); nested {
			out = append(out, settings(value, key+name+".", variable+prefix, field.Tag.Get("jsonschema_description"))...)
			continue
		}
		s := setting{key: key + name, variable: variable + field.Tag.Get("env"), text: field.Tag.Get("jsonschema_description")}
		s.value, s.initial = kindOf(field), initialOf(value)
		if said := statedDefault.FindStringSubmatch(s.text); said != nil {
			s.text = strings.TrimSuffix(s.text, said[0])
			if s.initial == "" {
				s.initial = said[1]
			}
		}
		if s.text == "" {
			s.text = section
		}
		out = append(out, s)
	}
	return out
}

// kindOf says what may be written.
func kindOf(field reflect.StructField) string {
	var enum []string
	for _, part := range strings.Split(field.Tag.Get("jsonschema"), ",") {
		if value, ok := strings.CutPrefix(part, "enum="); ok {
			enum = append(enum, "`"+value+"`")
		}
	}
	switch {
	case len(enum) > 0:
		return strings.Join(enum, " ")
	case field.Type == reflect.TypeFor[ByteSize]():
		return "size"
	case field.Type == reflect.TypeFor[time.Duration]():
		return "duration"
	case field.Type == reflect.TypeFor[[]int]():
		return "list of numbers"
	case field.Type.Kind() == reflect.Slice:
		return "list of text"
	case field.Type == reflect.TypeFor[EndpointHeaders]():
		return "endpoint: {name: text}"
	case field.Type == reflect.TypeFor[QuotaTiers]():
		return "tier: {requests: text, ...}"
	case field.Type == reflect.TypeFor[Routes]():
		return "name: {candidates: list, ...}"
	case field.Type.Kind() == reflect.Map:
		return "name: text"
	case field.Type.Kind() == reflect.Int, field.Type.Kind() == reflect.Float64:
		return "number"
	}
	return "text"
}

func initialOf(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return zeroParts.ReplaceAllString(d.String(), "$1")
	}
	return fmt.Sprint(v.Interface())
}

// configTable writes the reference of all keys.
func configTable() string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning | in the environment |\n|---|---|---|---|---|\n")
	for _, s := range settings(reflect.ValueOf(DefaultConfig()), "", envPrefix, "") {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` |\n", s.key, s.value, s.initial, s.text, s.variable)
	}
	return b.String()
}

func TestConfigDocsPage(t *testing.T) {
	committed.CheckPart(t, "../docs/gateway-yaml.md", "keys", "go test ./gateway -run ConfigDocs -update", configTable(), *update)
}

// Each line of the table names a key that the decoder takes and a variable that the environment takes, and none is left out.
func TestConfigDocsNameTheSettings(t *testing.T) {
	var printed map[string]any
	text, err := DefaultConfig().Print()
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &printed); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	flatten(printed, "", keys)
	variables := map[string]bool{}
	for _, name := range Variables() {
		variables[name] = true
	}
	list := settings(reflect.ValueOf(DefaultConfig()), "", envPrefix, "")
	for _, s := range list {
		if !keys[s.key] || !variables[s.variable] {
			t.Errorf("%s or %s is no setting", s.key, s.variable)
		}
		if s.text == "" {
			t.Errorf("%s is not described", s.key)
		}
	}
	if len(list) != len(keys) || len(list) != len(variables) {
		t.Errorf("%d settings in the table, %d keys, %d variables", len(list), len(keys), len(variables))
	}
}

// flatten collects the paths of all leaves; maps of headers are two of them.
func flatten(m map[string]any, path string, into map[string]bool) {
	for name, value := range m {
		if inner, ok := value.(map[string]any); ok && !strings.HasSuffix(name, "headers") && name != "tiers" && path+name != "graphs" && path+name != "routes" {
			flatten(inner, path+name+".", into)
			continue
		}
		into[path+name] = true
	}
}

// The examples in the guides are settings that are taken.
func TestConfigDocsExamples(t *testing.T) {
	pages, err := filepath.Glob("../docs/guide/*.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range append(pages, "../docs/gateway-yaml.md") {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(# gateway.yaml\n.*?)```").FindAllStringSubmatch(string(page), -1) {
			count++
			c := DefaultConfig()
			if err := c.decode([]byte(block[1])); err != nil {
				t.Errorf("%s: an example is wrong:\n%v", path, err)
				continue
			}
			c.Insecure = true
			if err := c.Validate(); err != nil {
				t.Errorf("%s: an example is wrong:\n%v", path, err)
			}
		}
	}
	if count == 0 {
		t.Error("no page has an example that begins with `# gateway.yaml`")
	}
}

// So are the examples of task.yaml.
func TestConfigDocsTaskExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/guide/your-own-model.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(task:.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		if _, err := task.Parse([]byte(block[1])); err != nil {
			t.Errorf("an example is wrong:\n%v", err)
		}
	}
	if len(blocks) < 5 {
		t.Errorf("%d examples; the page shows five kinds of models", len(blocks))
	}
}
