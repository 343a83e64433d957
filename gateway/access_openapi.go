package gateway

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeAccess says in the document who may call what, and how a key is sent. Without authentication the document is the same: it describes the program.
func describeAccess(doc *huma.OpenAPI) {
	if doc.Components.SecuritySchemes == nil {
		doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{}
	}
	doc.Components.SecuritySchemes["bearer"] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: "A key, or a token (JWT) of the gateway's identity provider. Asked for where the operator has set auth."}
	doc.Components.SecuritySchemes["apiKey"] = &huma.SecurityScheme{Type: "apiKey", In: "header", Name: "X-API-Key", Description: "The same key, in a header of its own."}
	schema := doc.Components.Schemas.Map()["Problem"]
	if schema != nil {
		schema = &huma.Schema{Ref: "#/components/schemas/Problem"}
	}
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "PUT": item.Put, "POST": item.Post, "DELETE": item.Delete, "HEAD": item.Head, "PATCH": item.Patch} {
			if op == nil {
				continue
			}
			n := needOf(method, templateOf(path))
			if n.open {
				op.Security = []map[string][]string{} // none, whatever holds for others
				continue
			}
			scopes := strings.Fields(n.scope.String())
			op.Security = []map[string][]string{{}, {"bearer": scopes}, {"apiKey": scopes}} // {}: where nobody is asked
			if n.or != 0 {
				scopes = strings.Fields(n.or.String())
				op.Security = append(op.Security, map[string][]string{"bearer": scopes}, map[string][]string{"apiKey": scopes})
			}
			for _, status := range []int{401, 403} {
				text := map[int]string{401: "401", 403: "403"}[status]
				op.Responses[text] = problemResponse(status, schema)
			}
		}
	}
}

// templateOf turns OpenAPI's template of a path into gin's, as access has it.
func templateOf(path string) string {
	for key := range access {
		if pathOf(key.path) == path {
			return key.path
		}
	}
	return path
}
