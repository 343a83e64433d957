package gateway

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

func ptr[T any](v T) *T { return &v }

func octets() *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
}

func inPath(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: "string"}}
}

// target describes the parameters that name the model and its version.
func target(path string) []*huma.Param {
	params := []*huma.Param{inPath("model", "Name of the model")}
	if strings.Contains(path, "{version}") {
		return append(params, inPath("version", "A version of the model"))
	}
	return append(params, &huma.Param{Name: "version", In: "query", Description: "A version of the model; left out, the model's own policy decides", Schema: &huma.Schema{Type: "string"}, Example: "1"})
}

// optionParams describes the options of infer in the query.
func optionParams() []*huma.Param {
	count := func() *huma.Schema { return &huma.Schema{Type: "integer", Minimum: ptr(1.0)} }
	share := func() *huma.Schema { return &huma.Schema{Type: "number", Minimum: ptr(0.0), Maximum: ptr(1.0)} }
	return []*huma.Param{
		{Name: "top_k", In: "query", Description: "Classification: how many labels", Schema: count(), Example: 3},
		{Name: "confidence", In: "query", Description: "Detection: the lowest score of a box", Schema: share(), Example: 0.25},
		{Name: "iou", In: "query", Description: "Detection: overlap above which the weaker of two boxes of a class is dropped", Schema: share(), Example: 0.45},
		{Name: "max_detections", In: "query", Description: "Detection: how many boxes at most", Schema: count(), Example: 100},
		{Name: "classes", In: "query", Description: "Only these labels, with commas between them", Schema: &huma.Schema{Type: "string"}, Example: "circle,star"},
		{Name: "cache", In: "query", Description: "no-cache computes anew and stores; no-store does neither look nor store. Cache-Control of the request says the same",
			Schema: &huma.Schema{Type: "string", Enum: []any{"default", "no-cache", "no-store"}}},
	}
}

func text(doc, example string) *huma.Header {
	return &huma.Header{Description: doc, Schema: &huma.Schema{Type: "string"}, Example: example}
}

// answered describes a response of infer with its headers.
func answered(doc string, schema *huma.Schema) *huma.Response {
	return &huma.Response{
		Description: doc,
		Headers: map[string]*huma.Header{
			"Cache-Status":    text("RFC 9211: where the answer came from; detail is memory, redis, tensor (only postprocessing ran) or shared (another call's computation)", "triton-gateway; hit; detail=memory"),
			"Server-Timing":   text("Milliseconds of the stages that ran, and in total", "decode;dur=1.021, preprocess;dur=0.310, queue;dur=0.002, infer;dur=2.400, postprocess;dur=0.020, total;dur=3.900"),
			"X-Model-Version": text("The version that answered", "2"),
			"X-Route":         text("What answered, and why", "shapes/2; reason=policy"),
			"ETag":            text("Names the answer to one item; If-None-Match with it gives 304", `W/"3f0a"`),
		},
		Content: map[string]*huma.MediaType{typeJSON: {Schema: schema}},
	}
}

func answerExamples() map[string]*huma.Example {
	head := func(task string) map[string]any {
		return map[string]any{"id": "01JD8W3V5TQ6Z2M0F4K7N9R1AB", "model": "shapes", "version": "1", "task": task, "from_cache": false}
	}
	label := map[string]any{"label": "circle", "index": 0, "score": 0.981}
	classified := head("image-classification")
	classified["image"] = map[string]any{"width": 640, "height": 480}
	classified["predictions"] = []any{label}
	detected := head("object-detection")
	detected["image"] = classified["image"]
	detected["detections"] = []any{map[string]any{"label": "circle", "index": 0, "score": 0.93, "box": map[string]any{"x1": 12.5, "y1": 40.0, "x2": 80.25, "y2": 101.0}}}
	composed := head("object-detection")
	composed["model"], composed["image"] = "find-and-name", classified["image"]
	composed["detections"] = []any{map[string]any{"label": "circle", "index": 0, "score": 0.93, "box": map[string]any{"x1": 12.5, "y1": 40.0, "x2": 80.25, "y2": 101.0}, "predictions": []any{label}}}
	composed["nodes"] = map[string]any{"find": map[string]any{"state": "done", "items": 1}, "cut": map[string]any{"state": "done", "items": 1}, "kind": map[string]any{"state": "done", "items": 1}}
	several := head("tabular-classification")
	delete(several, "from_cache")
	row := head("tabular-classification")
	row["predictions"] = []any{map[string]any{"label": "setosa", "index": 0, "score": 0.97}}
	several["results"] = []any{row, map[string]any{"error": problemExample(http.StatusUnprocessableEntity)}}
	return map[string]*huma.Example{
		"classification": {Summary: "Classification", Value: classified},
		"detection":      {Summary: "Detection", Value: detected},
		"graph":          {Summary: "A graph: detections, each with the classes of its crop", Value: composed},
		"several":        {Summary: "Several items, one of them bad", Value: several},
	}
}

// examples of problems, by status: code and detail.
func problemWords(status int) (code, detail string, retryable bool) {
	switch status {
	case 400:
		return "invalid_request", "top_k is a whole number of at least 1, not \"many\"", false
	case 401:
		return "unauthenticated", "no key was sent; send one as Authorization: Bearer KEY or X-API-Key: KEY", false
	case 403:
		return "forbidden", "this is answered on the admin listener (listen.admin)", false
	case 404:
		return "model_not_found", "no model \"shape\"; did you mean shapes?", false
	case 405:
		return "method_not_allowed", "PUT is not served at this path; allowed: POST", false
	case 408:
		return "body_too_slow", "the body came too slowly: it has to begin within 3 seconds and to come at 16384 bytes a second (limits.body_rate), with no rest above 10 seconds", true
	case 413:
		return "image_too_large", "the picture has 40000x40000 pixels; at most 50000000 are taken (limits.pixels)", false
	case 415:
		return "unsupported_media_type", "the request has no Content-Type; send one of " + accepted, false
	case 422:
		return "invalid_row", "column \"petal_width\" is missing", false
	case 429:
		return "queue_full", "too many bytes of uploads are in work at this moment; come again in a second", true
	case 499:
		return "client_closed", "the client closed the connection before the answer", false
	case 502:
		return "upstream_error", "the model failed", true
	case 503:
		return "backend_unavailable", "no backend can serve this model now", true
	case 409:
		return "conflict", "this Idempotency-Key was used for another job; send a new key with a new job", false
	case 412:
		return "precondition_failed", "the route \"shapes-ab\" is not as expected: it is at version 4; read it, and decide anew", false
	case 507:
		return "job_store_full", "the inputs of jobs fill the store already; come again when some are done", false
	case 504:
		return "deadline_exceeded", "the request took longer than limits.timeout allows", true
	}
	return "internal", "the gateway failed; the log has the cause under this request_id", false
}

func problemExample(status int) map[string]any {
	code, detail, retryable := problemWords(status)
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return map[string]any{"type": "urn:triton-gateway:error:" + code, "title": title(status), "status": status, "detail": detail, "code": code,
		"request_id": "01JD8W3V5TQ6Z2M0F4K7N9R1AB", "retryable": retryable}
}

func problemResponse(status int, schema *huma.Schema) *huma.Response {
	r := &huma.Response{
		Description: title(max(status, 500*b2i(status == 0))),
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema, Example: problemExample(status)}},
	}
	switch status {
	case 429, 503:
		r.Headers = map[string]*huma.Header{"Retry-After": text("Seconds", "1")}
	}
	return r
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// health describes the routes for machines.
func health(doc *huma.OpenAPI, schema func(any) *huma.Schema, problemSchema *huma.Schema) {
	status := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"status": {Type: "string"}}}
	add(doc, &huma.Operation{
		OperationID: "livez", Method: http.MethodGet, Path: "/livez", Tags: []string{"health"}, Summary: "The process answers",
		Responses: map[string]*huma.Response{"200": {Description: "Yes", Content: map[string]*huma.MediaType{typeJSON: {Schema: status}}}},
	}, problemSchema)
	add(doc, &huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"health"}, Summary: "Requests should be sent here",
		Responses: map[string]*huma.Response{
			"200": {Description: "At least one model is ready", Content: map[string]*huma.MediaType{typeJSON: {Schema: schema(readiness{})}}},
			"503": {Description: "The backend cannot be reached (detail says why), no model is ready, or the gateway is shutting down", Content: map[string]*huma.MediaType{
				typeJSON: {Schema: schema(readiness{})}, "application/problem+json": {Schema: problemSchema}}},
		},
	}, problemSchema)
	add(doc, &huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"health"}, Summary: "Metrics for Prometheus", Description: "Here while nobody is asked for a key; on the admin listener always.",
		Responses: map[string]*huma.Response{"200": {Description: "Text format or OpenMetrics", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}}}},
	}, problemSchema, 404)
}
