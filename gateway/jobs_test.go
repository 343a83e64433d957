package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// A job of one item has the document of infer for its result, byte for byte: here its second answer, which comes from the cache.
func TestAJobsResultIsWhatInferAnswers(t *testing.T) {
	j := newJobRig(t, false)
	form, several := makeForm("@image", string(picture(1)), "@file", string(picture(2)), "top_k", "3")
	one, single := makeForm("@image", string(picture(3)))
	for _, c := range []struct{ name, model, kind, body string }{
		{"bytes", "shapes", "image/png", string(picture(0))},
		{"one in a form", "shapes", one, single},
		{"several in a form", "shapes", form, several},
		{"row", "iris", "application/json", `{"row":{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}`},
		{"rows", "iris", "application/json", `{"rows":[[5.1,3.5,1.4,0.2],{"sepal_length":6,"sepal_width":"x","petal_length":null,"petal_width":[1]}]}`},
		{"tensors", "plain", "application/json", `{"id":"7","inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1,2.5]}],"cache":"default"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _ = j.do(t, "POST", "/v1/models/"+c.model+"/infer", c.kind, c.body)
			_, want := j.do(t, "POST", "/v1/models/"+c.model+"/infer", c.kind, c.body)
			id := j.submit(t, "model="+c.model, c.kind, c.body).ID
			got := j.ended(t, id)
			if got.State != "succeeded" {
				t.Fatalf("%+v", got)
			}
			text := string(got.Result)
			if strings.Contains(want, `"results"`) { // the call's own id is the request's there, the job's here
				doc := decode[map[string]json.RawMessage](t, want)
				want = strings.Replace(want, string(doc["id"]), fmt.Sprintf("%q", id), 1)
			}
			if text != want {
				t.Errorf("the job has\n%s\ninfer has\n%s", text, want)
			}
		})
	}
}

func TestAJobRunsWithItsOptions(t *testing.T) {
	j := newJobRig(t, false)
	form, body := makeForm("@image", string(picture(1)), "confidence", "0.5", "classes", "circle, star")
	id := j.submit(t, "model=shapes-detector&version=1&iou=0.25&max_detections=7&cache=no-store&priority=batch&attempts=2&result_ttl=90", form, body).ID
	doc := j.ended(t, id)
	r := j.runner.last()
	text, _ := json.Marshal(r.Options)
	if want := `{"TopK":null,"Confidence":0.5,"IoU":0.25,"MaxDetections":7,"Classes":["circle","star"]}`; string(text) != want || r.Version != "1" || modeNames[r.Cache] != "no-store" || r.ID != id {
		t.Errorf("ran with %s of version %q, %v, as %s", text, r.Version, r.Cache, r.ID)
	}
	if doc.Priority != "batch" || doc.Version != "1" || doc.ExpiresAt.Sub(*doc.FinishedAt) != 90*time.Second {
		t.Errorf("%+v", doc)
	}
	if doc.Names[0] != "x.png" || doc.Links["events"] != "/v1/jobs/"+id+"/events" {
		t.Errorf("names %v, links %v", doc.Names, doc.Links)
	}
}

// One bad item of several fails alone, in its place; a job of nothing else is poison, and is not tried again.
func TestABadItemFailsAlone(t *testing.T) {
	j := newJobRig(t, false)
	j.runner.before = func(_ context.Context, r *pipeline.Request) (bool, error) {
		if strings.HasPrefix(string(r.Item.Image.Bytes), "bad") {
			return true, fault.New(fault.Invalid, "invalid_image", "no picture")
		}
		return false, nil
	}
	form, body := makeForm("@image", "bad 1", "@image", string(picture(1)))
	got := j.ended(t, j.submit(t, "model=shapes", form, body).ID)
	r := decode[struct {
		Version, Task string
		Results       []struct {
			Error *problemDoc
			Bytes int
		}
	}](t, string(got.Result))
	if got.State != "succeeded" || got.Progress.Failed != 1 || r.Version != "2" || r.Task != "image-classification" || r.Results[1].Bytes != len(picture(1)) {
		t.Fatalf("%+v %s", got, got.Result)
	}
	if e := r.Results[0].Error; e == nil || e.Code != "invalid_image" || e.Status != 422 || e.RequestID != got.ID || e.Errors[0].Location != "items[0]" {
		t.Errorf("%+v", e)
	}
	got = j.ended(t, j.submit(t, "model=shapes", "image/png", "bad 2").ID)
	if got.State != "failed" || !got.Poison || got.Error.Code != "invalid_image" || got.Error.Status != 422 || got.Error.Retryable || got.Attempts != 1 {
		t.Errorf("%+v %+v", got, got.Error)
	}
	dead := j.listed(t, "?state=failed")
	if len(dead) != 1 || dead[0].ID != got.ID || !dead[0].Poison {
		t.Errorf("dead letters: %+v", dead)
	}
}

// What fails for another reason than its input is tried as often as it may be, and can be replayed by hand.
func TestADeadLetterIsReplayed(t *testing.T) {
	j := newJobRig(t, false)
	broken := make(chan bool, 1)
	broken <- true
	j.runner.before = func(context.Context, *pipeline.Request) (bool, error) {
		is := <-broken
		broken <- is
		if is {
			return true, fault.New(fault.Upstream, "upstream_error", "the model failed")
		}
		return false, nil
	}
	id := j.submit(t, "model=shapes&attempts=1", "image/png", string(picture(1))).ID
	got := j.ended(t, id)
	if got.State != "failed" || got.Poison || got.Error.Code != "upstream_error" || got.Error.Status != 502 || !got.Error.Retryable || got.Attempts != 1 {
		t.Fatalf("%+v %+v", got, got.Error)
	}
	<-broken
	broken <- false
	res, text := j.do(t, "POST", "/v1/jobs/"+id+"/retry", "", "")
	if res.StatusCode != http.StatusAccepted || decode[jobDoc](t, text).State != "queued" {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	if got = j.ended(t, id); got.State != "succeeded" || got.Error != nil {
		t.Errorf("%+v", got)
	}
	if res, text = j.do(t, "POST", "/v1/jobs/"+id+"/retry", "", ""); res.StatusCode != http.StatusConflict {
		t.Errorf("a second retry: %d %s", res.StatusCode, text)
	}
}

func TestJobsAreCancelled(t *testing.T) {
	j := newJobRig(t, false)
	begun, left := make(chan bool, 1), make(chan error, 1)
	j.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		begun <- true
		<-ctx.Done()
		left <- ctx.Err()
		return true, ctx.Err()
	}
	late := j.submit(t, "model=shapes&delay=1h", "image/png", string(picture(1)))
	if late.RunAt == nil {
		t.Error("a delayed job does not say when it runs")
	}
	res, text := j.do(t, "DELETE", "/v1/jobs/"+late.ID, "", "")
	if res.StatusCode != http.StatusOK || decode[jobDoc](t, text).State != "cancelled" {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	running := j.submit(t, "model=shapes", "image/png", string(picture(1)))
	<-begun
	res, text = j.do(t, "DELETE", "/v1/jobs/"+running.ID, "", "")
	if doc := decode[jobDoc](t, text); res.StatusCode != http.StatusAccepted || !doc.Cancelling {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	<-left // its call has ended
	if got := j.ended(t, running.ID); got.State != "cancelled" {
		t.Errorf("%+v", got)
	}
	if res, text = j.do(t, "DELETE", "/v1/jobs/"+running.ID, "", ""); res.StatusCode != http.StatusConflict {
		t.Errorf("a second time: %d %s", res.StatusCode, text)
	}
}

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	j := newJobRig(t, true)
	a := j.submit(t, "model=shapes", "image/png", string(picture(1)), "Idempotency-Key", "k1")
	res, text := j.do(t, "POST", "/v1/jobs?model=shapes", "image/png", string(picture(1)), "Idempotency-Key", `"k1"`)
	if res.StatusCode != 202 || decode[jobDoc](t, text).ID != a.ID || res.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
	}
	for _, other := range []struct{ query, body string }{{"model=shapes", string(picture(2))}, {"model=shapes&top_k=2", string(picture(1))}, {"model=shapes&priority=batch", string(picture(1))}} {
		res, text = j.do(t, "POST", "/v1/jobs?"+other.query, "image/png", other.body, "Idempotency-Key", "k1")
		if p := decode[problemDoc](t, text); res.StatusCode != 409 || p.Code != "conflict" || p.Errors[0].Location != "header.Idempotency-Key" {
			t.Errorf("%d %s", res.StatusCode, text)
		}
	}
	if n := len(j.listed(t, "")); n != 1 {
		t.Errorf("%d jobs", n)
	}
	force := workforce{service: j.service, works: true}
	force.begin()
	defer force.end()
	j.ended(t, a.ID)
	if res, _ = j.do(t, "POST", "/v1/jobs?model=shapes", "image/png", string(picture(1)), "Idempotency-Key", "k1"); res.StatusCode != 200 {
		t.Errorf("of a job that has ended: %d", res.StatusCode)
	}
}

func TestJobsAreListed(t *testing.T) {
	j := newJobRig(t, true)
	var ids []string
	for i := range 5 {
		query := "model=shapes"
		if i%2 == 1 {
			query = "model=shapes-detector&priority=batch"
		}
		ids = append(ids, j.submit(t, query, "image/png", string(picture(i))).ID)
	}
	for query, want := range map[string][]int{"": {4, 3, 2, 1, 0}, "?model=shapes-detector": {3, 1}, "?priority=interactive&limit=10": {4, 2, 0}, "?state=queued,running": {4, 3, 2, 1, 0}, "?state=failed": {}} {
		list := j.listed(t, query)
		var got []int
		for _, doc := range list {
			for i, id := range ids {
				if id == doc.ID {
					got = append(got, i)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(list) != len(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	seen, path := 0, "/v1/jobs?limit=2&state=queued"
	for range 5 {
		res, text := j.do(t, "GET", path, "", "")
		page := decode[struct {
			Jobs []jobDoc
			Next string
		}](t, text)
		seen += len(page.Jobs)
		link := res.Header.Get("Link")
		if (page.Next == "") != (link == "") {
			t.Errorf("next %q, Link %q", page.Next, link)
		}
		if link == "" {
			break
		}
		path = strings.TrimPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<")
	}
	if seen != 5 {
		t.Errorf("%d jobs on the pages", seen)
	}
	for _, c := range []struct{ query, place string }{{"limit=0", "query.limit"}, {"limit=1001", "query.limit"}, {"state=done", "query.state"}, {"priority=x", "query.priority"}, {"cursor=zz", "query.cursor"}, {"model=", "query.model"}, {"page=2", "query.page"}, {"a=%zz", "query"}} {
		res, text := j.do(t, "GET", "/v1/jobs?"+c.query, "", "")
		if p := decode[problemDoc](t, text); res.StatusCode != 400 || len(p.Errors) != 1 || p.Errors[0].Location != c.place {
			t.Errorf("%s: %d %s", c.query, res.StatusCode, text)
		}
	}
}

func TestAnUnknownJobIsNotFound(t *testing.T) {
	j := newJobRig(t, true)
	other := &jobs.Spec{ID: "01OTHER", Tenant: "somebody", Model: "shapes", Priority: jobs.Batch, Created: time.Now(), RunAt: time.Now(), ResultTTL: time.Hour, Attempts: 1}
	if _, err := j.store.Store.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"01NOBODY", "01OTHER", "%00", strings.Repeat("x", 3000)} {
		for _, c := range []struct{ method, path string }{{"GET", ""}, {"GET", "?wait=1s"}, {"DELETE", ""}, {"GET", "/events"}, {"POST", "/retry"}} {
			res, text := j.do(t, c.method, "/v1/jobs/"+id+c.path, "", "")
			if p := decode[problemDoc](t, text); res.StatusCode != 404 || p.Code != "job_not_found" {
				t.Errorf("%s %s%s: %d %s", c.method, clip(id), c.path, res.StatusCode, text)
			}
		}
	}
	if n := len(j.listed(t, "")); n != 0 {
		t.Errorf("%d jobs of others are listed", n)
	}
	j.store.Store.Close()
}

func TestWaitEnds(t *testing.T) {
	j := newJobRig(t, true)
	id := j.submit(t, "model=shapes", "image/png", string(picture(1))).ID
	for _, c := range []struct{ query, place string }{{"wait=-1s", "query.wait"}, {"wait=soon", "query.wait"}, {"wait=NaN", "query.wait"}, {"w=1", "query.w"}} {
		res, text := j.do(t, "GET", "/v1/jobs/"+id+"?"+c.query, "", "")
		if p := decode[problemDoc](t, text); res.StatusCode != 400 || p.Errors[0].Location != c.place {
			t.Errorf("%s: %d %s", c.query, res.StatusCode, text)
		}
	}
	res, text := j.do(t, "GET", "/v1/jobs/"+id+"?wait=10ms", "", "")
	if doc := decode[jobDoc](t, text); res.StatusCode != 200 || doc.State != "queued" || *doc.Position != 0 {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	// One that waits for long is answered when the gateway is to end.
	answered, looked := make(chan *httptest.ResponseRecorder), make(chan struct{})
	j.store.mu.Lock()
	j.store.looked = sync.OnceFunc(func() { close(looked) })
	j.store.mu.Unlock()
	go func() {
		w := httptest.NewRecorder()
		j.http.ServeHTTP(w, httptest.NewRequest("GET", "/v1/jobs/"+id+"?wait=10m", nil))
		answered <- w
	}()
	<-looked // it waits: it has seen that the job is not final
	j.server.jobs.part()
	if w := <-answered; w.Code != 200 || decode[jobDoc](t, w.Body.String()).State != "queued" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestADelayedJobHasNoPosition: it is not in the line before its time, and it is said about how long that is.
func TestADelayedJobHasNoPosition(t *testing.T) {
	j := newJobRig(t, false)
	first := j.submit(t, "model=shapes", "image/png", string(picture(1)))
	j.ended(t, first.ID) // from which the pace is known
	late := j.submit(t, "model=shapes&delay=1h", "image/png", string(picture(2)))
	j.stop()
	due := j.submit(t, "model=shapes", "image/png", string(picture(3)))
	if late.State != "queued" || late.Position != nil || late.EstimateSeconds == nil || *late.EstimateSeconds < 3590 || *late.EstimateSeconds > 3660 || late.RunAt == nil {
		t.Errorf("delayed: %+v", late)
	}
	if due.State != "queued" || due.Position == nil || *due.Position != 0 || due.EstimateSeconds == nil || *due.EstimateSeconds > 60 || due.RunAt != nil {
		t.Errorf("due: %+v", due)
	}
	_, text := j.do(t, "GET", "/v1/jobs/"+late.ID, "", "")
	if doc := decode[jobDoc](t, text); doc.Position != nil || strings.Contains(text, "position") {
		t.Errorf("looked up: %s", text)
	}
}
