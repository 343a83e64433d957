package gateway

import (
	"reflect"
	"time"

	"github.com/invopop/jsonschema"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route"
)

// schemaOf gives the schema of the types that YAML writes as text.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[ByteSize]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: `^[0-9.]+ *([KMG]i?)?B?$`}, {Type: "integer"}}, Examples: []any{"64MiB"}}
	case reflect.TypeFor[time.Duration](), reflect.TypeFor[canary.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+(ns|us|ms|s|m|h))+$`, Examples: []any{"30s"}}
	case reflect.TypeFor[Queue]():
		return queueSchema()
	case reflect.TypeFor[route.Version]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: `^[0-9]*$`}, {Type: "integer"}}}
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}
