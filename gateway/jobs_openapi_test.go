package gateway

import "testing"

// A job's documents are as the OpenAPI document says: handed in, in the list, and with its result.
func TestJobsAreAsDocumented(t *testing.T) {
	j := newJobRig(t, false)
	_, document := j.do(t, "GET", "/openapi.json", "", "")
	_, stored := j.do(t, "POST", "/v1/jobs?model=iris", "application/json", `{"row":[5.1,3.5,1.4,0.2]}`)
	isAs(t, document, "JobView", stored)
	id := decode[JobView](t, stored).ID
	if doc := j.ended(t, id); doc.State != "succeeded" {
		t.Fatalf("%+v", doc)
	}
	_, ended := j.do(t, "GET", "/v1/jobs/"+id, "", "")
	isAs(t, document, "SucceededJob", ended)
	if decode[map[string]any](t, ended)["result"] == nil {
		t.Errorf("no result: %s", ended)
	}
	_, list := j.do(t, "GET", "/v1/jobs", "", "")
	isAs(t, document, "JobListView", list)
}
