package gateway

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// places gives the errors of a problem document, one a line.
func places(p problem) string {
	var b strings.Builder
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "%s: %s\n", e.Location, e.Message)
	}
	return b.String()
}

func TestWhereAllItemsFail(t *testing.T) {
	r := newRig(t)
	pic := func(_ context.Context, request *pipeline.Request) (bool, error) {
		if request.Item.Row != nil {
			return true, fault.New(fault.Invalid, "invalid_row", "the whole story").At("sepal_width", "is missing").At("petal_width", "is 99")
		}
		if len(request.Options.Classes) > 0 {
			return true, fault.New(fault.Invalid, "invalid_request", "classes[0]: no such class").At("classes[0]", "unknown")
		}
		if string(content(request)) == "gone" {
			return true, fault.New(fault.Unavailable, "backend_unavailable", "is away")
		}
		return true, fault.New(fault.Unsupported, "unsupported_media_type", "no picture")
	}
	r.runner.before = pic
	formKind, form := makeForm("@image", "abc", "@file", "", "@image", "gone")
	oneKind, one := makeForm("@file", "abc")
	emptyKind, empty := makeForm("@file", "")
	const js, rows = "application/json", "/v1/models/iris/infer"
	const shapes = "/v1/models/shapes/infer"
	listed, listedBody := makeForm("@image", "abc", "classes", "dog,cat")
	for name, c := range map[string]struct{ path, kind, body, want string }{
		"rows":       {rows, js, `{"rows":[{},{}]}`, "body.rows[0].sepal_width: is missing\nbody.rows[0].petal_width: is 99\nbody.rows[1].sepal_width: is missing\nbody.rows[1].petal_width: is 99\n"},
		"row":        {rows, js, `{"row":{}}`, "body.row.sepal_width: is missing\nbody.row.petal_width: is 99\n"},
		"no rows":    {rows, js, `{"rows":[1]}`, "body.rows[0]: a row is an object by column name, or a list in the order of the columns\n"},
		"pictures":   {shapes, js, `{"images":[{"base64":"aGk="},{"base64":"Z29uZQ=="}]}`, "body.images[0]: no picture\nbody.images[1]: is away\n"},
		"picture":    {shapes, js, `{"image":{"base64":"aGk="}}`, "body.image: no picture\n"},
		"bytes":      {shapes, "image/png", "hi", "body: no picture\n"},
		"form":       {shapes, formKind, form, "body.image[0]: no picture\nbody.image[1]: the field file of the form is empty\nbody.image[2]: is away\n"},
		"small form": {shapes, oneKind, one, "body.image: no picture\n"},
		"empty form": {shapes, emptyKind, empty, "body.image: the field file of the form is empty\n"},
		"query":      {shapes + "?classes=dog", "image/png", "hi", "query.classes: unknown\n"},
		"once":       {shapes + "?classes=dog", js, `{"images":[{"base64":"aGk="},{"base64":"aGk="}]}`, "query.classes: unknown\n"},
		"form field": {shapes, listed, listedBody, "body.classes: unknown\n"},
		"text":       {shapes, js, `{"image":{"base64":"aGk="},"classes":"dog"}`, "body.classes: unknown\n"},
		"list":       {shapes, js, `{"image":{"base64":"aGk="},"classes":["dog"]}`, "body.classes[0]: unknown\n"},
	} {
		_, body := r.do(t, "POST", c.path, c.kind, c.body)
		if at, _, classes := strings.Cut(c.want, ": unknown"); classes && decode[problem](t, body).Detail != at+": no such class" {
			t.Errorf("%s: %s", name, body)
		}
		if got := places(decode[problem](t, body)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}
