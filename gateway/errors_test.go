package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// checkProblem holds a response to the contract of problem documents and gives the document.
func checkProblem(t *testing.T, r *rig, name string, status int, code, location, method, path, contentType, body string, header ...string) problem {
	t.Helper()
	res, got := r.do(t, method, path, contentType, body, header...)
	var p problem
	if err := json.Unmarshal([]byte(got), &p); err != nil {
		t.Errorf("%s: no problem document: %d %s", name, res.StatusCode, got)
		return p
	}
	at := ""
	if len(p.Errors) > 0 {
		at = p.Errors[0].Location
	}
	if res.StatusCode != status || p.Code != code || location != "" && at != location {
		t.Errorf("%s: got %d %s at %q, want %d %s at %q: %s", name, res.StatusCode, p.Code, at, status, code, location, p.Detail)
	}
	if p.Status != res.StatusCode || p.Title == "" || p.Detail == "" || p.Type != "urn:triton-gateway:error:"+p.Code || p.RequestID != res.Header.Get("X-Request-Id") ||
		p.RequestID == "" || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: the document is not complete: %s %v", name, got, res.Header)
	}
	if retry := res.Header.Get("Retry-After"); (status == 429 || status == 503) && retry == "" {
		t.Errorf("%s: no Retry-After", name)
	}
	return p
}

func TestBadInput(t *testing.T) {
	r := newRig(t)
	pic := string(picture(1))
	const shapes, iris, plain = "/v1/models/shapes/infer", "/v1/models/iris/infer", "/v1/models/plain/infer"
	type bad struct {
		name, method, path, kind, body string
		status                         int
		code, location                 string
	}
	form := func(name, path string, status int, code, location string, pairs ...string) bad {
		kind, body := makeForm(pairs...)
		return bad{name, "POST", path, kind, body, status, code, location}
	}
	js := func(name, path, body string, location string) bad {
		return bad{name, "POST", path, "application/json", body, 400, "invalid_request", location}
	}
	for _, c := range []bad{
		{"unknown model", "POST", "/v1/models/shape/infer", "image/png", pic, 404, "model_not_found", ""},
		{"broken model", "POST", "/v1/models/broken/infer", "image/png", pic, 503, "backend_unavailable", ""},
		{"two versions", "POST", "/v1/models/shapes/versions/1/infer?version=2", "image/png", pic, 400, "invalid_request", "path.version"},
		{"empty version", "POST", shapes + "?version=", "image/png", pic, 400, "invalid_request", "query.version"},
		{"empty body", "POST", shapes, "image/png", "", 400, "invalid_request", "body"},
		{"no content type", "POST", shapes, "", pic, 415, "unsupported_media_type", "header.Content-Type"},
		{"urlencoded", "POST", shapes, "application/x-www-form-urlencoded", pic, 415, "unsupported_media_type", "header.Content-Type"},
		{"broken content type", "POST", shapes, "image/png; =", pic, 415, "unsupported_media_type", "header.Content-Type"},
		{"body too large", "POST", shapes, "image/png", strings.Repeat("x", testBodyLimit+1), 413, "body_too_large", "body"},
		{"unknown option", "POST", shapes + "?topk=3", "image/png", pic, 400, "invalid_request", "query.topk"},
		{"top_k zero", "POST", shapes + "?top_k=0", "image/png", pic, 400, "invalid_request", "query.top_k"},
		{"top_k text", "POST", shapes + "?top_k=many", "image/png", pic, 400, "invalid_request", "query.top_k"},
		{"top_k empty", "POST", shapes + "?top_k=", "image/png", pic, 400, "invalid_request", "query.top_k"},
		{"confidence high", "POST", shapes + "?confidence=1.5", "image/png", pic, 400, "invalid_request", "query.confidence"},
		{"confidence NaN", "POST", shapes + "?confidence=NaN", "image/png", pic, 400, "invalid_request", "query.confidence"},
		{"iou negative", "POST", shapes + "?iou=-0.1", "image/png", pic, 400, "invalid_request", "query.iou"},
		{"empty class", "POST", shapes + "?classes=a,,b", "image/png", pic, 400, "invalid_request", "query.classes"},
		{"cache mode", "POST", shapes + "?cache=never", "image/png", pic, 400, "invalid_request", "query.cache"},
		{"twice in the query", "POST", shapes + "?top_k=1&top_k=2", "image/png", pic, 400, "invalid_request", "query.top_k"},
		{"broken query", "POST", shapes + "?top_k=%zz", "image/png", pic, 400, "invalid_request", "query"},
		form("wrong field", shapes, 400, "invalid_request", "body.picture", "@picture", pic),
		form("unknown field", shapes, 400, "invalid_request", "body.topk", "@image", pic, "topk", "3"),
		form("no picture", shapes, 400, "invalid_request", "body.image", "top_k", "3"),
		form("empty picture", shapes, 400, "invalid_request", "body.image", "@image", ""),
		form("query against form", shapes+"?top_k=2", 400, "invalid_request", "query.top_k", "@image", pic, "top_k", "3"),
		{"no boundary", "POST", shapes, "multipart/form-data", pic, 400, "invalid_request", "header.Content-Type"},
		{"other boundary", "POST", shapes, "multipart/form-data; boundary=abc", "--abd\r\n", 400, "invalid_request", "body"},
		{"cut form", "POST", shapes, "multipart/form-data; boundary=abc", "--abc\r\nContent-Disposition: form-data; name=image\r\n\r\nxyz", 400, "invalid_request", "body"},
		{"encoded part", "POST", shapes, "multipart/form-data; boundary=abc", "--abc\r\nContent-Disposition: form-data; name=image\r\nContent-Transfer-Encoding: base64\r\n\r\nxyz\r\n--abc--", 415, "unsupported_media_type", "body"},
		js("no JSON", iris, "sepal_length=5", "body"),
		js("JSON list", iris, "[1,2,3,4]", "body"),
		js("cut JSON", iris, `{"row":[1,2`, "body.row"),
		js("after the end", iris, `{"row":[1]} {}`, "body"),
		js("name twice", iris, `{"row":{"a":1,"a":2}}`, "body.row.a"),
		js("nothing", iris, `{}`, "body"),
		js("two inputs", iris, `{"row":[1],"rows":[[1]]}`, "body.row"),
		js("empty rows", iris, `{"rows":[]}`, "body.rows"),
		js("unknown member", iris, `{"rwo":[1]}`, "body.rwo"),
		js("text option", iris, `{"row":[1],"top_k":"3"}`, "body.top_k"),
		js("fraction option", iris, `{"row":[1],"top_k":1.5}`, "body.top_k"),
		js("query against JSON", iris+"?top_k=2", `{"row":[1],"top_k":3}`, "query.top_k"),
		js("image as text", shapes, `{"image":"abc"}`, "body.image"),
		js("image by URL", shapes, `{"image":{"url":"http://x"}}`, "body.image.url"),
		js("no base64", shapes, `{"image":{"base64":"?"}}`, "body.image.base64"),
		js("empty base64", shapes, `{"image":{"base64":""}}`, "body.image.base64"),
		js("bad UTF-8", shapes, "{\"image\":{\"base64\":\"\xff\"}}", "body.image.base64"),
		{"row is a number", "POST", iris, "application/json", `{"row":7}`, 422, "invalid_row", "body.row"},
		{"all rows bad", "POST", iris, "application/json", `{"rows":[7,8]}`, 422, "invalid_row", "body.rows[0]"},
		js("tensor without data", plain, `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}`, "body.inputs[0]"),
		js("tensor too short", plain, `{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[1,2]}]}`, "body.inputs[0].data"),
		js("tensor too long", plain, `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1,2]}]}`, "body.inputs[0].data"),
		js("huge shape", plain, `{"inputs":[{"name":"x","shape":[9223372036854775807,2],"datatype":"FP32","data":[1]}]}`, "body.inputs[0].data"),
		js("bad datatype", plain, `{"inputs":[{"name":"x","shape":[1],"datatype":"FLOAT","data":[1]}]}`, "body.inputs[0].datatype"),
		js("half floats", plain, `{"inputs":[{"name":"x","shape":[1],"datatype":"FP16","data":[1]}]}`, "body.inputs[0].datatype"),
		js("uint8 overflow", plain, `{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[256]}]}`, "body.inputs[0].data"),
		{"GET without row", "GET", iris, "", "", 422, "invalid_row", "query"},
		{"GET column twice", "GET", iris + "?a=1&a=2", "", "", 422, "invalid_row", "query.a"},
		{"GET with two options", "GET", iris + "?a=1&top_k=1&top_k=3", "", "", 400, "invalid_request", "query.top_k"},
		{"short digest", "GET", "/v1/models/shapes/results/abc", "", "", 400, "invalid_request", "path.sha256"},
		{"bad digest", "GET", "/v1/models/shapes/results/" + strings.Repeat("z", 64), "", "", 400, "invalid_request", "path.sha256"},
		{"unknown path", "GET", "/v1/nothing", "", "", 404, "not_found", ""},
		{"wrong method", "DELETE", shapes, "", "", 405, "method_not_allowed", ""},
		{"admin on the public side", "DELETE", "/v1/cache", "", "", 403, "forbidden", ""},
		{"unknown sample", "GET", "/v1/models/shapes/samples/x.png", "", "", 404, "not_found", "path.file"},
		{"sample of a parent folder", "GET", "/v1/models/shapes/samples/..%2Fconfig.pbtxt", "", "", 404, "not_found", "path.file"},
		{"typed: unknown model", "GET", "/v1/models/none", "", "", 404, "model_not_found", ""},
		{"typed: unknown parameter", "GET", "/v1/models?x=1", "", "", 422, "invalid_request", "query.x"},
	} {
		before := r.runner.count()
		checkProblem(t, r, c.name, c.status, c.code, c.location, c.method, c.path, c.kind, c.body)
		if r.runner.count() != before {
			t.Errorf("%s: the model was asked", c.name)
		}
		if used := r.budget.Stats().Used; used != 0 {
			t.Fatalf("%s: %d bytes of the budget are not given back", c.name, used)
		}
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	checkProblem(t, newRig(t), "gzip", 415, "unsupported_media_type", "header.Content-Encoding", "POST", "/v1/models/shapes/infer", "image/png", "x", "Content-Encoding", "gzip")
}

func TestConflictNamesBothPlaces(t *testing.T) {
	r := newRig(t)
	kind, body := makeForm("@image", "x", "top_k", "3")
	p := checkProblem(t, r, "conflict", 400, "invalid_request", "query.top_k", "POST", "/v1/models/shapes/infer?top_k=2", kind, body)
	if len(p.Errors) != 2 || p.Errors[1].Location != "body.top_k" {
		t.Errorf("%+v", p.Errors)
	}
	p = checkProblem(t, r, "near", 400, "invalid_request", "", "POST", "/v1/models/shapes/infer?confidense=0.5", "image/png", "x")
	if !strings.Contains(p.Detail, "did you mean confidence?") {
		t.Error(p.Detail)
	}
}

func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.NotFound: 404, fault.TooLarge: 413, fault.Unsupported: 415, fault.MethodNotAllowed: 405, fault.Conflict: 409,
		fault.Unauthenticated: 401, fault.Forbidden: 403, fault.RateLimited: 429, fault.Busy: 429, fault.Canceled: 499, fault.Timeout: 504, fault.Upstream: 502,
		fault.Contract: 502, fault.Unavailable: 503, fault.Draining: 503,
	}
	for kind := fault.Internal; kind <= fault.Draining; kind++ {
		r := newRig(t)
		r.runner.before = func(context.Context, *pipeline.Request) (bool, error) {
			return true, fault.New(kind, "some_code", "words").After(2500 * time.Millisecond).Wrap(errors.New("secret cause"))
		}
		res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
		p := decode[problem](t, body)
		if res.StatusCode != want[kind] || p.Retryable != kind.Retryable() || strings.Contains(body, "secret") {
			t.Errorf("kind %d: %d %s", kind, res.StatusCode, body)
		}
		if kind != fault.Internal && (p.Code != "some_code" || res.Header.Get("Retry-After") != "3") {
			t.Errorf("kind %d: %s, Retry-After %q", kind, body, res.Header.Get("Retry-After"))
		}
		if (kind == fault.Unauthenticated) != (res.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("kind %d: WWW-Authenticate %q", kind, res.Header.Get("WWW-Authenticate"))
		}
	}
	for code, status := range map[string]int{"invalid_image": 422, "invalid_row": 422, "invalid_request": 400} {
		if got := statusOf(fault.New(fault.Invalid, code, "")); got != status {
			t.Errorf("%s is %d", code, got)
		}
	}
}

func TestInternalFailuresShowNothing(t *testing.T) {
	for name, before := range map[string]func(context.Context, *pipeline.Request) (bool, error){
		"error": func(context.Context, *pipeline.Request) (bool, error) { return true, errors.New("password=hunter2") },
		"panic": func(context.Context, *pipeline.Request) (bool, error) { panic("password=hunter2") },
	} {
		r := newRig(t)
		r.runner.before = before
		p := checkProblem(t, r, name, 500, "internal", "", "POST", "/v1/models/shapes/infer", "image/png", "x")
		if strings.Contains(fmt.Sprint(p), "hunter2") {
			t.Errorf("%s: %+v", name, p)
		}
		if log := r.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, p.RequestID) {
			t.Errorf("%s: the log has no cause under the id: %s", name, log)
		}
		if r.budget.Stats().Used != 0 {
			t.Errorf("%s: the body is still held", name)
		}
	}
}

func TestPlacesOfThePipelineBecomePlacesOfTheRequest(t *testing.T) {
	r := newRig(t)
	at := ""
	r.runner.before = func(_ context.Context, request *pipeline.Request) (bool, error) {
		if request.Item.Row != nil && len(request.Item.Row.Positional) == 1 {
			return false, nil
		}
		return true, fault.New(fault.Invalid, "invalid_row", "words").At(at, "is missing")
	}
	for _, c := range []struct{ from, path, body, want string }{
		{"petal_width", "/v1/models/iris/infer", `{"row":{}}`, "body.row.petal_width"},
		{"[4]", "/v1/models/iris/infer", `{"row":[1,2]}`, "body.row[4]"},
		{"petal_width", "/v1/models/iris/infer", `{"rows":[[1,2],[3,4]]}`, "body.rows[0].petal_width"},
		{"top_k", "/v1/models/iris/infer?top_k=3", `{"row":[1,2]}`, "query.top_k"},
		{"top_k", "/v1/models/iris/infer", `{"row":[1,2],"top_k":3}`, "body.top_k"},
		{"body.inputs", "/v1/models/iris/infer", `{"row":[1,2]}`, "body.inputs"},
	} {
		at = c.from
		checkProblem(t, r, c.want, 422, "invalid_row", c.want, "POST", c.path, "application/json", c.body)
	}
	at = "petal_width"
	checkProblem(t, r, "query", 422, "invalid_row", "query.petal_width", "GET", "/v1/models/iris/infer?a=1", "", "")
	res, body := r.do(t, "POST", "/v1/models/iris/infer", "application/json", `{"rows":[[1,2],[3],7]}`)
	got := decode[struct {
		Results []struct {
			ID    string
			Error *problem
		}
	}](t, body).Results
	if res.StatusCode != 200 || len(got) != 3 || got[0].Error == nil || got[0].Error.Errors[0].Location != "body.rows[0].petal_width" || got[1].ID == "" || got[2].Error == nil || got[2].Error.Status != 422 {
		t.Errorf("one bad item does not fail alone: %d %s", res.StatusCode, body)
	}
}
