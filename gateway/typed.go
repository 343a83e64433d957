package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

// typedAPI puts typed handlers on a router. No typed handler takes a raw or multipart body: huma's pooled RawBody and its own
// form limits never come into play. The document and its page are served by the gateway itself, without any third party.
func (s *server) typedAPI(e *gin.Engine) huma.API {
	config := huma.DefaultConfig("triton-gateway", s.build.Version)
	config.DocsPath, config.OpenAPIPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // it would add $schema links to every body
	config.Formats = map[string]huma.Format{typeJSON: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.RejectUnknownQueryParameters = true
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Transformers = []huma.Transformer{s.transform}
	return humagin.New(e, config)
}

// schemaName names a type in the document. Those of packages route and canary have names that say so.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t.PkgPath() {
	case reflect.TypeFor[route.Spec]().PkgPath():
		return "Route" + name
	case reflect.TypeFor[canary.Spec]().PkgPath():
		return "Canary" + name
	}
	return name
}

// register adds a typed handler. Its errors are faults, turned into problem documents here, once.
func register[I, O any](s *server, api huma.API, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		next(huma.WithValue(hc, ginKey{}, humagin.Unwrap(hc)))
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err == nil {
			return out, nil
		}
		c, _ := ctx.Value(ginKey{}).(*gin.Context)
		p := newProblem(err, requestID(c))
		s.note(c, err, p)
		p.setHeaders(c.Writer.Header())
		return nil, p
	})
}

// ginKey finds gin's context of a typed handler.
type ginKey struct{}

// transform turns huma's own errors - of validation - into problem documents of the contract.
func (s *server) transform(hc huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	c := humagin.Unwrap(hc)
	f := fault.New(fault.Invalid, "invalid_request", "%s", model.Detail)
	for _, detail := range model.Errors {
		f.At(plainly(model.Status, detail.Location, detail.Message))
	}
	if len(f.Fields) > 0 {
		f.Detail += ": " + f.Fields[0].Location + ": " + f.Fields[0].Message
	}
	if model.Status >= http.StatusInternalServerError {
		f = fault.New(fault.Internal, "internal", "").Wrap(errors.New(model.Detail))
	}
	p := newProblem(f, requestID(c))
	p.Status, p.Title = model.Status, title(model.Status)
	s.note(c, f, p)
	p.setHeaders(c.Writer.Header())
	return p, nil
}

// document gives the handler of /openapi.json: what the typed handlers say, and by hand what they cannot.
func (s *server) document(api huma.API) gin.HandlerFunc {
	body, err := s.openAPI(api)
	if err != nil {
		panic(fmt.Sprintf("gateway: the OpenAPI document cannot be written: %v", err)) // it is made of constants: a bug
	}
	tag := etagOf(body)
	return func(c *gin.Context) { serveBytes(c, body, "application/json", tag, "no-cache") }
}

// openAPI writes the document.
func (s *server) openAPI(api huma.API) ([]byte, error) {
	doc := api.OpenAPI()
	describeByHand(doc)
	describeAccess(doc)
	body, err := json.MarshalIndent(doc, "", "  ")
	return append(body, '\n'), err
}

// pathOf turns gin's template of a path into OpenAPI's.
func pathOf(template string) string {
	parts := strings.Split(template, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") {
			parts[i] = "{" + p[1:] + "}"
		}
	}
	return strings.Join(parts, "/")
}

// plainly says what huma says of a place in words that help: which media type is taken, and that a version is a number.
func plainly(status int, location, message string) (string, string) {
	switch unknown := huma.ErrUnknownContentType.Error() + ": "; {
	case status == http.StatusUnsupportedMediaType && strings.HasPrefix(message, unknown):
		return "header.Content-Type", fmt.Sprintf("%q is not taken; send %s", clip(message[len(unknown):]), typeJSON)
	case message == validation.MsgExpectedMatchExactlyOneSchema && (strings.HasSuffix(location, ".version") || strings.HasSuffix(location, ".to")):
		return location, "expected the number of a version, such as 2"
	}
	return location, message
}
