package gateway

import (
	"context"
	"net/http"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

func TestReadPrefer(t *testing.T) {
	for text, want := range map[string]preference{
		"":                                  {},
		"respond-async":                     {async: true},
		"Respond-Async, wait=10":            {async: true, wait: 10 * time.Second},
		`wait="5" , respond-async;x=1`:      {async: true, wait: 5 * time.Second},
		"wait=3, wait=9":                    {wait: 3 * time.Second},
		"respond-async, wait=99999999":      {async: true, wait: longestWait},
		"respond-async, wait=-1, wait=soon": {async: true},
		"return=minimal, handling=lenient":  {},
		"respond-async, wait=0":             {async: true},
	} {
		if got := readPrefer(http.Header{"Prefer": {text}}); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	if got := readPrefer(http.Header{"Prefer": {"wait=2", "respond-async"}}); !got.async || got.wait != 2*time.Second {
		t.Errorf("two lines: %+v", got)
	}
}

func TestInferCanBeAJob(t *testing.T) {
	j := newJobRig(t, false)
	pass := make(chan bool, 10)
	j.runner.before = func(ctx context.Context, r *pipeline.Request) (bool, error) {
		if string(r.Item.Image.Bytes) == "bad" {
			return true, fault.New(fault.Invalid, "invalid_image", "no picture")
		}
		select {
		case <-pass:
			return false, nil
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
	path := "/v1/models/shapes/versions/1/infer?top_k=3"
	res, text := j.do(t, "POST", path, "image/png", "a", "Prefer", "respond-async")
	doc := decode[jobDoc](t, text)
	if res.StatusCode != 202 || res.Header.Get("Preference-Applied") != "respond-async" || res.Header.Get("Location") != "/v1/jobs/"+doc.ID || doc.Version != "1" || doc.Model != "shapes" {
		t.Fatalf("%d %v %s", res.StatusCode, res.Header, text)
	}
	pass <- true
	if got := j.ended(t, doc.ID); got.State != "succeeded" || *j.runner.last().Options.TopK != 3 {
		t.Errorf("%+v", got)
	}
	// An answer that is there in time is the answer of infer.
	pass <- true
	_, plain := j.do(t, "POST", path, "image/png", "a")
	pass <- true
	res, text = j.do(t, "POST", path, "image/png", "a", "Prefer", "respond-async, wait=30")
	if res.StatusCode != 200 || res.Header.Get("Preference-Applied") != "respond-async, wait=30" || text != plain {
		t.Errorf("%d %v\n%s\n%s", res.StatusCode, res.Header, text, plain)
	}
	res, text = j.do(t, "POST", path, "image/png", "bad", "Prefer", "respond-async, wait=30")
	if p := decode[problemDoc](t, text); res.StatusCode != 422 || p.Code != "invalid_image" {
		t.Errorf("a bad picture: %d %s", res.StatusCode, text)
	}
	res, text = j.do(t, "POST", path+"&priority=batch&delay=1h", "image/png", "a", "Prefer", "respond-async, wait=1")
	if doc = decode[jobDoc](t, text); res.StatusCode != 202 || doc.Priority != "batch" || doc.State != "queued" {
		t.Errorf("not in time: %d %s", res.StatusCode, text)
	}
	for _, query := range []string{"&model=iris", "&version=2", "&top_k=101"} {
		if res, text = j.do(t, "POST", path+query, "image/png", "a", "Prefer", "respond-async"); res.StatusCode != 400 {
			t.Errorf("%s: %d %s", query, res.StatusCode, text)
		}
	}
	if res, _ = j.do(t, "POST", path+"&priority=batch", "image/png", "a"); res.StatusCode != 400 {
		t.Errorf("a job's parameter without the preference: %d", res.StatusCode)
	}
}
