package gateway

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// streamRequest is the JSON body of a stream.
type streamRequest struct {
	ID         string           `json:"id,omitempty" doc:"Not used: the gateway's own id is in the answer"`
	Inputs     []kserveInput    `json:"inputs" doc:"The tensors, as KServe v2 has them"`
	Outputs    []streamedOutput `json:"outputs,omitempty" doc:"The outputs that are wanted; left out, all"`
	Parameters map[string]any   `json:"parameters,omitempty" doc:"For the model: texts, numbers, true and false"`
}

type streamedOutput struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

// describeStreams documents the routes of streams.
func describeStreams(doc *huma.OpenAPI, schema func(any) *huma.Schema, problemSchema *huma.Schema) {
	doc.Tags = append(doc.Tags, &huma.Tag{Name: "streams"})
	events := func(what string) *huma.Response {
		return &huma.Response{Description: what, Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}},
			Headers: map[string]*huma.Header{"Location": text("Where to go on after the connection was lost", "/v1/streams/3JQK5VT2W6ZB7M4XHNDRCAYEPF")}}
	}
	for _, path := range []string{"/v1/models/{model}/stream", "/v1/models/{model}/versions/{version}/stream"} {
		op := &huma.Operation{
			OperationID: "stream", Method: http.MethodPost, Path: path, Tags: []string{"streams"}, Summary: "A model's responses, as it gives them",
			Description: "Server-sent events: `stream` with the stream's id, a `response` for each that the model gives, and at the end `done`, or `error` with a problem document. A model that gives one answer has one response. " +
				"With aggregate=true, all responses come in one document.",
			Parameters: append(target(path), timeoutParam(), priorityParam(), priorityQuery(), queryParam("aggregate", "All responses in one document", &huma.Schema{Type: "boolean"}, true)),
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeJSON: {Schema: schema(streamRequest{}), Example: map[string]any{
				"inputs": []any{map[string]any{"name": "IN", "datatype": "INT32", "shape": []int{1}, "data": []int{3}}}}}}},
			Responses: map[string]*huma.Response{"200": events("Events, until the model has ended; or the document of aggregate=true")},
		}
		op.Responses["200"].Content[typeJSON] = &huma.MediaType{Schema: schema(responsesView{})}
		if path != "/v1/models/{model}/stream" {
			op.OperationID = "stream-version"
		}
		add(doc, op, problemSchema, 400, 404, 405, 408, 413, 415, 429, 499, 502, 503, 504)
	}
	add(doc, &huma.Operation{
		OperationID: "resume-stream", Method: http.MethodGet, Path: "/v1/streams/{id}", Tags: []string{"streams"}, Summary: "Go on with a stream",
		Description: "The events after Last-Event-ID; without it, from the first on that there was. Streams are kept in the memory of the gateway that began them, for a while after their end. After the last event the answer is 204.",
		Parameters:  []*huma.Param{inPath("id", "Id of the stream"), {Name: "Last-Event-ID", In: "header", Description: "id of the last event that was seen", Schema: &huma.Schema{Type: "string", Pattern: "^[0-9]{1,9}(-end)?$"}, Example: "17"}},
		Responses:   map[string]*huma.Response{"200": events("Events, until the model has ended"), "204": {Description: "The last event has been seen"}},
	}, problemSchema, 400, 404, 429)
	for _, path := range []string{"/v1/models/{model}/ws", "/v1/models/{model}/versions/{version}/ws"} {
		op := &huma.Operation{
			OperationID: "frames", Method: http.MethodGet, Path: path, Tags: []string{"streams"}, Summary: "Frames up, results down: a WebSocket",
			Description: "Each binary message is a picture; a text before it holds its options in JSON, as the body of infer has them, and `deadline`. Answers are texts: `{\"seq\",\"dropped\",\"result\"}` with what infer answers, or `error` with a problem document. " +
				"One frame is worked on and one waits; one that comes meanwhile replaces the one that waits. A browser names its key as a subprotocol: `new WebSocket(url, [\"triton-gateway\", \"key.KEY\"])`.",
			Parameters: append(append(target(path), optionParams()...), priorityParam(), priorityQuery(), queryParam("deadline", "How long a frame may take from when it has come: seconds, or a time such as 200ms", &huma.Schema{Type: "string"}, "500ms")),
			Responses:  map[string]*huma.Response{"101": {Description: "The socket is open"}},
		}
		if path != "/v1/models/{model}/ws" {
			op.OperationID = "frames-version"
		}
		add(doc, op, problemSchema, 400, 404, 429, 503)
	}
	for _, v := range []any{streamView{}, responseView{}, doneView{}} {
		schema(v) // what the events hold is in the document, though no operation can refer to it
	}
}
