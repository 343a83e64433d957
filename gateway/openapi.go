package gateway

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/postprocess"
)

// inferAnswer is the document of infer, for OpenAPI: the pipeline writes it without going through this type.
type inferAnswer struct {
	ID          string                   `json:"id" doc:"Of the computation: the same for all who get this answer from the cache"`
	Model       string                   `json:"model" example:"shapes"`
	Version     string                   `json:"version" example:"1"`
	Task        string                   `json:"task" example:"image-classification"`
	Image       *imageSize               `json:"image,omitempty" doc:"Of the picture as a person sees it (EXIF applied), in pixels"`
	Predictions []postprocess.Prediction `json:"predictions,omitempty" doc:"Classification: the best first"`
	Detections  []detection              `json:"detections,omitempty" doc:"Detection: boxes in pixels of the picture, clipped to it"`
	Value       *float64                 `json:"value,omitempty" doc:"Regression"`
	Values      []float64                `json:"values,omitempty" doc:"Regression with several outputs"`
	Embedding   []float32                `json:"embedding,omitempty" doc:"Feature extraction"`
	Outputs     []map[string]any         `json:"outputs,omitempty" doc:"Raw: the tensors"`
	FromCache   bool                     `json:"from_cache" doc:"No model ran for this answer"`

	Nodes   map[string]graphNode  `json:"nodes,omitempty" doc:"Graphs: what became of each node"`
	Errors  map[string]graphError `json:"errors,omitempty" doc:"Graphs: why nodes failed; the answer is then a part of what it would be, and is not kept"`
	Stopped string                `json:"stopped,omitempty" doc:"Graphs: the switch that ended it early"`
}

// detection is postprocess.Detection, and what a graph's classifier found in the crop.
type detection struct {
	Label       string                   `json:"label" example:"circle"`
	Index       int                      `json:"index"`
	Score       float64                  `json:"score" example:"0.93"`
	Box         postprocess.Box          `json:"box"`
	Predictions []postprocess.Prediction `json:"predictions,omitempty" doc:"Graphs: what a classifier says of this part of the picture"`
}

// graphNode is what became of a node.
type graphNode struct {
	State   string `json:"state" enum:"done,skipped,failed,partial,default,late" doc:"partial: some crops failed; default: it failed, and gave what the graph says for that; late: the answer did not wait for it"`
	Items   int    `json:"items,omitempty" doc:"What it gave: detections, crops or classes"`
	LeftOut int    `json:"left_out,omitempty" doc:"Detections that were not cut out: above the cap, or without area"`
	Failed  int    `json:"failed,omitempty" doc:"Crops that failed"`
}

// graphError is why a node failed.
type graphError struct {
	Code   string `json:"code" example:"deadline_exceeded"`
	Detail string `json:"detail"`
}

type imageSize struct {
	Width  int `json:"width" example:"640"`
	Height int `json:"height" example:"480"`
}

// inferResults is the document of infer for several items.
type inferResults struct {
	ID      string           `json:"id" doc:"Of this call"`
	Model   string           `json:"model"`
	Version string           `json:"version"`
	Task    string           `json:"task"`
	Results []map[string]any `json:"results" doc:"In the order of the items: each as one InferAnswer, or {\"error\": Problem}"`
}

// jsonRequest is the JSON body of infer.
type jsonRequest struct {
	Image         *base64Image   `json:"image,omitempty" doc:"One picture"`
	Images        []base64Image  `json:"images,omitempty" doc:"Several pictures"`
	Row           map[string]any `json:"row,omitempty" doc:"One row by column name; a list in the order of the columns is taken too"`
	Rows          []any          `json:"rows,omitempty" doc:"Several rows, each an object or a list"`
	Inputs        []kserveInput  `json:"inputs,omitempty" doc:"Raw models: the body of KServe v2"`
	TopK          *int           `json:"top_k,omitempty" minimum:"1"`
	Confidence    *float64       `json:"confidence,omitempty" minimum:"0" maximum:"1"`
	IoU           *float64       `json:"iou,omitempty" minimum:"0" maximum:"1"`
	MaxDetections *int           `json:"max_detections,omitempty" minimum:"1"`
	Classes       []string       `json:"classes,omitempty"`
	Cache         string         `json:"cache,omitempty" enum:"default,no-cache,no-store"`
}

type base64Image struct {
	Base64 string `json:"base64,omitempty" doc:"The file's bytes; a data: URL is taken too"`
	URL    string `json:"url,omitempty" doc:"In place of base64: where the gateway fetches the file from, if the operator allows it (fetch.enabled)"`
}

type kserveInput struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype" example:"FP32"`
	Shape    []int64 `json:"shape"`
	Data     []any   `json:"data" doc:"Flat or nested"`
}

// describeByHand adds what the plain handlers do, and gives all errors their one schema.
func describeByHand(doc *huma.OpenAPI) {
	r := doc.Components.Schemas
	schema := func(v any) *huma.Schema { return r.Schema(reflect.TypeOf(v), true, "") }
	doc.Info.Description = "Pictures and rows in, labels, boxes and values out. Errors are problem documents (RFC 9457) with stable codes. " +
		"KServe v2 (the Open Inference Protocol) is served under /v2 and over gRPC; its own document describes it."
	doc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	doc.Tags = []*huma.Tag{{Name: "infer"}, {Name: "jobs"}, {Name: "models"}, {Name: "routes"}, {Name: "stats"}, {Name: "admin"}, {Name: "health"}}
	problemSchema := schema(problem{})

	for _, path := range []string{"/v1/models/{model}/infer", "/v1/models/{model}/versions/{version}/infer"} {
		add(doc, inferByPost(path, schema), problemSchema, 400, 404, 405, 408, 413, 415, 422, 429, 499, 502, 503, 504)
		add(doc, inferByGet(path, schema), problemSchema, 400, 404, 405, 422, 429, 499, 502, 503, 504)
	}
	add(doc, &huma.Operation{
		OperationID: "result-by-digest", Method: http.MethodGet, Path: "/v1/models/{model}/results/{sha256}", Tags: []string{"infer"},
		Summary:     "The stored answer for a picture, by its digest",
		Description: "What infer would answer for the picture with this SHA-256, if that is stored, or can be made of what the model gave with other options; otherwise 404 result_not_cached, and the picture has to be sent. With the header Prefer: miss=no-content the answer is 204 instead of that 404.",
		Parameters:  append([]*huma.Param{inPath("model", "Name of the model"), inPath("sha256", "SHA-256 of the picture's bytes, 64 hexadecimal digits"), timeoutParam()}, optionParams()...),
		Responses:   map[string]*huma.Response{"200": answered("The stored answer", schema(inferAnswer{})), "204": {Description: "Nothing is stored, and the request prefers miss=no-content"}, "304": {Description: "The answer that If-None-Match names still holds"}},
	}, problemSchema, 400, 404, 503)
	add(doc, &huma.Operation{
		OperationID: "sample", Method: http.MethodGet, Path: "/v1/models/{model}/samples/{file}", Tags: []string{"models"},
		Summary:    "A sample picture of the model",
		Parameters: []*huma.Param{inPath("model", "Name of the model"), inPath("file", "A name out of the model's samples")},
		Responses: map[string]*huma.Response{"200": {Description: "The picture", Content: map[string]*huma.MediaType{
			"image/png": octets(), "image/jpeg": octets(), "image/webp": octets()}}},
	}, problemSchema, 404, 503)
	explain := inferByPost("/v1/routes/{name}/explain", schema)
	explain.OperationID, explain.Tags = "explain-route", []string{"routes"}
	explain.Summary, explain.Description = "Which target a request would get, and why", "Takes the body and headers of an infer and runs nothing."
	explain.Parameters[0] = inPath("name", "Name of the route")
	explain.Responses = map[string]*huma.Response{"200": {Description: "The target", Content: map[string]*huma.MediaType{typeJSON: {Schema: schema(explainView{})}}}}
	explain.RequestBody.Required = false
	add(doc, explain, problemSchema, 400, 404, 408, 413, 415, 429, 503)
	describePreview(doc, schema, problemSchema)
	describeJobs(doc, schema, problemSchema)
	describeStreams(doc, schema, problemSchema)
	health(doc, schema, problemSchema)
	oneErrorSchema(doc, problemSchema)
}

func inferByPost(path string, schema func(any) *huma.Schema) *huma.Operation {
	row := map[string]any{"row": map[string]any{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}}
	picture := &huma.Schema{OneOf: []*huma.Schema{{Type: "string", Format: "binary"}, {Type: "array", Items: &huma.Schema{Type: "string", Format: "binary"}}}}
	form := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"image": picture, "file": picture}}
	for _, p := range optionParams() {
		form.Properties[p.Name] = p.Schema
	}
	op := &huma.Operation{
		OperationID: "infer", Method: http.MethodPost, Path: path, Tags: []string{"infer"},
		Summary: "Ask a model", Parameters: append(append(target(path), optionParams()...), timeoutParam(), priorityParam()),
		Description: "One picture as the whole body or as a form, several pictures as a form, pictures or rows as JSON, tensors as KServe v2 JSON. " +
			"Options are taken from the query, from fields of the form, and from members of the JSON body; the same option with two values is an error. " +
			"Several items are answered in order, each with its result or its error.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"image/jpeg": octets(), "image/png": octets(), "image/webp": octets(), "application/octet-stream": octets(),
			"multipart/form-data": {Schema: form},
			typeJSON: {Schema: schema(jsonRequest{}), Examples: map[string]*huma.Example{
				"row":     {Summary: "One row", Value: row},
				"rows":    {Summary: "Several rows", Value: map[string]any{"rows": []any{row["row"], []float64{5.1, 3.5, 1.4, 0.2}}}},
				"picture": {Summary: "One picture", Value: map[string]any{"image": map[string]any{"base64": "iVBORw0KGgo..."}}},
				"raw":     {Summary: "Tensors", Value: map[string]any{"inputs": []any{map[string]any{"name": "input", "datatype": "FP32", "shape": []int{1, 4}, "data": []float64{5.1, 3.5, 1.4, 0.2}}}}},
			}},
		}},
	}
	if path != "/v1/models/{model}/infer" {
		op.OperationID = "infer-version"
	}
	one, several := schema(inferAnswer{}), schema(inferResults{})
	op.Responses = map[string]*huma.Response{"200": answered("The answer", &huma.Schema{AnyOf: []*huma.Schema{one, several}}), "304": {Description: "The answer that If-None-Match names still holds"}}
	op.Responses["200"].Content[typeJSON].Examples = answerExamples()
	return op
}

func inferByGet(path string, schema func(any) *huma.Schema) *huma.Operation {
	op := &huma.Operation{
		OperationID: "infer-row", Method: http.MethodGet, Path: path, Tags: []string{"infer"},
		Summary:     "Ask a model that takes rows",
		Description: "One row in the query, a parameter for each column. Browsers and CDNs may keep the answer.",
		Parameters: append(append(target(path), optionParams()...), timeoutParam(), priorityParam(), &huma.Param{Name: "columns", In: "query", Style: "form", Explode: ptr(true),
			Description: "The columns of the model, each a parameter of its own name",
			Schema:      &huma.Schema{Type: "object", AdditionalProperties: &huma.Schema{Type: "string"}},
			Example:     map[string]any{"sepal_length": "5.1", "sepal_width": "3.5", "petal_length": "1.4", "petal_width": "0.2"}}),
		Responses: map[string]*huma.Response{"200": answered("The answer", schema(inferAnswer{})), "304": {Description: "The answer that If-None-Match names still holds"}},
	}
	op.Responses["200"].Headers["Cache-Control"] = text("How long the answer may be kept", "public, max-age=3600")
	if path != "/v1/models/{model}/infer" {
		op.OperationID = "infer-row-version"
	}
	return op
}

// timeoutParam is the caller's deadline.
func timeoutParam() *huma.Param {
	return &huma.Param{Name: headerRequestTimeout, In: "header", Example: "1.5",
		Description: "How long the caller waits: seconds, or a time such as 300ms. limits.timeout is the most",
		Schema:      &huma.Schema{Type: "string"}}
}

// priorityParam is the class that the caller asks for.
func priorityParam() *huma.Param {
	return &huma.Param{Name: headerPriority, In: "header", Example: "realtime",
		Description: "How urgent the request is, where it has to wait. Left out: interactive. The header X-Priority-Effective of the answer says what it was, which is less where priorities.tiers allows no more",
		Schema:      prioritySchema()}
}

// priorityQuery is the same where a browser sets no headers.
func priorityQuery() *huma.Param {
	return queryParam(paramPriority, "As the header X-Priority, for browsers, which set none on a WebSocket; both together have to say the same", prioritySchema(), "realtime")
}

// add puts an operation into the document, with a problem document for each status and the headers that all answers have.
func add(doc *huma.OpenAPI, op *huma.Operation, problemSchema *huma.Schema, statuses ...int) {
	for _, status := range statuses {
		op.Responses[strconv.Itoa(status)] = problemResponse(status, problemSchema)
	}
	doc.AddOperation(op)
}

// oneErrorSchema gives the errors of typed operations the schema that they really have, and every response the request id.
func oneErrorSchema(doc *huma.OpenAPI, problemSchema *huma.Schema) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			for status, response := range op.Responses {
				if response.Content["application/problem+json"] != nil {
					code, _ := strconv.Atoi(status)
					*response = *problemResponse(code, problemSchema)
				}
				if response.Headers == nil {
					response.Headers = map[string]*huma.Header{}
				}
				response.Headers[headerRequestID] = text("The caller's own, or one that was made", "01JD8W3V5TQ6Z2M0F4K7N9R1AB")
			}
		}
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
}
