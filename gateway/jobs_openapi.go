package gateway

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// succeededJob is the document of a job with its result, for OpenAPI: it is written without going through this type.
type succeededJob struct {
	JobView
	Result any `json:"result,omitempty" doc:"Of a job that succeeded: exactly what infer answers, an InferAnswer or InferResults"`
}

// describeJobs documents the routes of jobs.
func describeJobs(doc *huma.OpenAPI, schema func(any) *huma.Schema, problemSchema *huma.Schema) {
	submit := inferByPost("/v1/jobs", schema)
	submit.OperationID, submit.Tags, submit.Summary = "submit-job", []string{"jobs"}, "Hand in a job"
	submit.Description = "Any body that infer takes, or a zip of pictures. The answer comes when the job is stored: from then on it is not lost. " +
		"The same Idempotency-Key with the same request gives the same job again, with another one it is 409."
	submit.Parameters = append(append(jobParameters(), optionParams()...), timeoutParam(), priorityParam(),
		&huma.Param{Name: "Idempotency-Key", In: "header", Description: "Names this submission, so that it can be sent again: up to 255 printable characters", Schema: &huma.Schema{Type: "string", MinLength: ptr(1), MaxLength: ptr(255)}})
	submit.RequestBody.Content["application/zip"] = octets()
	one := schema(JobView{})
	replayed := &huma.Response{Description: "The job that this Idempotency-Key names; it has ended already", Content: jsonMedia(one), Headers: submitHeaders()}
	submit.Responses = map[string]*huma.Response{"202": {Description: "The job is stored", Content: jsonMedia(one), Headers: submitHeaders()}, "200": replayed}
	add(doc, submit, problemSchema, 400, 404, 408, 409, 413, 415, 422, 429, 499, 503, 504, 507)

	add(doc, &huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Tags: []string{"jobs"}, Summary: "Jobs, the newest first",
		Description: "Those that failed are the dead letters: state=failed. poison tells those whose input is at fault from the others, which a retry may help.",
		Parameters: []*huma.Param{
			queryParam("state", "Only these, with commas between them: queued, running, succeeded, failed, cancelled, expired", &huma.Schema{Type: "string", MinLength: ptr(1)}, "failed"),
			queryParam("model", "Only of this model", &huma.Schema{Type: "string", MinLength: ptr(1)}, "shapes"),
			queryParam("priority", "Only of this class", prioritySchema(), "batch"),
			queryParam("limit", "Most jobs of a page; 100 where it is left out", &huma.Schema{Type: "integer", Minimum: ptr(1.0), Maximum: ptr(1000.0)}, 100),
			queryParam("cursor", "next of the page before", &huma.Schema{Type: "string", MinLength: ptr(1)}, nil),
		},
		Responses: map[string]*huma.Response{"200": {Description: "A page", Content: jsonMedia(schema(jobListView{})),
			Headers: map[string]*huma.Header{"Link": text("The next page, as rel=next; missing at the end", `</v1/jobs?cursor=c7>; rel="next"`)}}},
	}, problemSchema, 400, 404, 503)
	add(doc, &huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/v1/jobs/{id}", Tags: []string{"jobs"}, Summary: "One job, with its result",
		Description: "With wait, the answer comes when the job has ended, or when the time is over: at most a minute.",
		Parameters:  []*huma.Param{jobID(), queryParam("wait", "How long to wait for the end: a time such as 20s, or seconds", &huma.Schema{Type: "string"}, "20s")},
		Responses:   map[string]*huma.Response{"200": {Description: "The job", Content: jsonMedia(schema(succeededJob{}))}},
	}, problemSchema, 400, 404, 429, 499, 503)
	add(doc, &huma.Operation{
		OperationID: "cancel-job", Method: http.MethodDelete, Path: "/v1/jobs/{id}", Tags: []string{"jobs"}, Summary: "Cancel a job",
		Description: "One that waits ends at once. One that runs ends as soon as its worker hears of it, and its calls of the model with it: 202.",
		Parameters:  []*huma.Param{jobID()},
		Responses: map[string]*huma.Response{"200": {Description: "The job is cancelled", Content: jsonMedia(one)},
			"202": {Description: "The job runs, and is to be cancelled", Content: jsonMedia(one)}},
	}, problemSchema, 404, 409, 503)
	add(doc, &huma.Operation{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/retry", Tags: []string{"jobs"}, Summary: "Put a job that failed, was cancelled or has expired into the queue again",
		Description: "Its attempts begin anew; results that were good stay.", Parameters: []*huma.Param{jobID()},
		Responses: map[string]*huma.Response{"202": {Description: "The job waits again", Content: jsonMedia(one)}},
	}, problemSchema, 404, 409, 503)
	add(doc, &huma.Operation{
		OperationID: "job-events", Method: http.MethodGet, Path: "/v1/jobs/{id}/events", Tags: []string{"jobs"}, Summary: "What becomes of a job, as it happens",
		Description: "Server-sent events: `state` with the job at the beginning and at its end, and between them an `item` for each item that has a result. " +
			"A client that comes again with Last-Event-ID goes on where it was; after the last event it gets 204.",
		Parameters: []*huma.Param{jobID(), {Name: "Last-Event-ID", In: "header", Description: "id of the last event that was seen", Schema: &huma.Schema{Type: "string", Pattern: "^[0-9]{1,9}(-end)?$"}, Example: "17"}},
		Responses: map[string]*huma.Response{"200": {Description: "Events, until the job has ended", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}},
			"204": {Description: "The last event has been seen"}},
	}, problemSchema, 400, 404, 429, 503)
	schema(eventView{}) // what an item event holds is in the document, though no operation can refer to it
}

func jsonMedia(s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{typeJSON: {Schema: s}}
}

func jobID() *huma.Param { return inPath("id", "Id of the job") }

func queryParam(name, doc string, s *huma.Schema, example any) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: s, Example: example}
}

func prioritySchema() *huma.Schema {
	return &huma.Schema{Type: "string", Enum: []any{"realtime", "interactive", "batch"}}
}

func submitHeaders() map[string]*huma.Header {
	return map[string]*huma.Header{
		"Location":             text("Path of the job", "/v1/jobs/01KAKZ4C9SY1V6T3B0M8QWERTY0123456789"),
		"Idempotency-Replayed": text("true: the job had been handed in before, with the same Idempotency-Key", "true"),
	}
}

// jobParameters describes what the query of a submission may say besides the options of infer.
func jobParameters() []*huma.Param {
	word := func() *huma.Schema { return &huma.Schema{Type: "string", MinLength: ptr(1)} }
	model := queryParam("model", "Name of the model", word(), "shapes")
	model.Required = true
	return []*huma.Param{
		model,
		queryParam("version", "A version of the model; left out, the model's own policy decides when the job runs", word(), "1"),
		queryParam("priority", "Class of the job: the more urgent ones go first, and none starves. Left out: that of X-Priority", prioritySchema(), "batch"),
		queryParam("delay", "Not before this time is over: such as 30s, or seconds; at most 30 days", word(), "30s"),
		queryParam("run_at", "Instead of delay: not before this moment", &huma.Schema{Type: "string", Format: "date-time"}, nil),
		queryParam("result_ttl", "How long the job is kept when it has ended, 1s to 30 days. Left out: jobs.result_ttl", word(), "1h"),
		queryParam("deadline", "The job expires if it is not done in this time from now; at most 30 days", word(), "10m"),
		queryParam("attempts", "Attempts until the job is a dead letter. Left out: jobs.attempts", &huma.Schema{Type: "integer", Minimum: ptr(1.0), Maximum: ptr(20.0)}, 3),
		queryParam("webhook", "Called when the job has ended: an http or https URL at a public address", &huma.Schema{Type: "string", Format: "uri"}, nil),
	}
}
