package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// event is one server-sent event as a client reads it.
type event struct{ id, name, data string }

// reader of a stream.
type stream struct {
	*http.Response
	lines *bufio.Scanner
}

func follow(t *testing.T, url, last string) *stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &stream{res, bufio.NewScanner(res.Body)}
}

// next gives the next event; false at the end of the stream.
func (s *stream) next() (e event, more bool) {
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
		}
	}
	return e, false
}

// rest gives the ids and names of all events that are left.
func (s *stream) rest() (list []string) {
	for e, more := s.next(); more; e, more = s.next() {
		list = append(list, e.name+" "+e.id)
	}
	return list
}

// Each event arrives when it happens, not when the job is done.
func TestEventsArriveAsTheyHappen(t *testing.T) {
	j := newJobRig(t, false)
	pass := make(chan bool)
	j.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		select {
		case <-pass:
			return false, nil
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
	url := j.live(t)
	form, body := makeForm("@image", "a", "@image", "b")
	id := j.submit(t, "model=shapes", form, body).ID
	s := follow(t, url+"/v1/jobs/"+id+"/events", "")
	if s.StatusCode != 200 || s.Header.Get("Content-Type") != "text/event-stream" || s.Header.Get("X-Accel-Buffering") != "no" || s.Header.Get("Content-Length") != "" {
		t.Fatalf("%d %v", s.StatusCode, s.Header)
	}
	if e, _ := s.next(); e.name != "state" || e.id != "" || decode[jobDoc](t, e.data).ID != id {
		t.Fatalf("first: %+v", e)
	}
	for n := 1; n <= 2; n++ {
		pass <- true
		e, more := s.next()
		doc := decode[struct {
			Index, Done, Total int
			Name               string
			Result             struct{ Bytes int }
		}](t, e.data)
		if !more || e.name != "item" || e.id != fmt.Sprint(n) || doc.Done != n || doc.Total != 2 || doc.Name != "x.png" || doc.Result.Bytes != 1 {
			t.Fatalf("item %d: %+v", n, e)
		}
	}
	e, _ := s.next()
	if doc := decode[jobDoc](t, e.data); e.name != "state" || e.id != "2-end" || doc.State != "succeeded" || doc.Progress.Done != 2 {
		t.Errorf("last: %+v", e)
	}
	if e, more := s.next(); more {
		t.Errorf("after the last: %+v", e)
	}
}

func TestEventsGoOnWhereTheyWere(t *testing.T) {
	j := newJobRig(t, false)
	j.runner.before = func(_ context.Context, r *pipeline.Request) (bool, error) {
		if string(r.Item.Image.Bytes) == "bad" {
			return true, fault.New(fault.Invalid, "invalid_image", "no picture")
		}
		return false, nil
	}
	url := j.live(t)
	form, body := makeForm("@image", "a", "@image", "bad", "@image", "c")
	id := j.submit(t, "model=shapes", form, body).ID
	j.ended(t, id)
	path := url + "/v1/jobs/" + id + "/events"
	for last, want := range map[string]string{
		"": "[state  item 1 item 2 item 3 state 3-end]", "0": "[state  item 1 item 2 item 3 state 3-end]", "2": "[state  item 3 state 3-end]", "3": "[state  state 3-end]", "99": "[state  state 3-end]",
	} {
		if got := fmt.Sprint(follow(t, path, last).rest()); got != want {
			t.Errorf("after %q: %s, want %s", last, got, want)
		}
	}
	if s := follow(t, path, "3-end"); s.StatusCode != http.StatusNoContent {
		t.Errorf("after the last: %d", s.StatusCode)
	}
	bad := 0
	s := follow(t, path, "")
	for e, more := s.next(); more; e, more = s.next() {
		var doc struct{ Error *problemDoc }
		if err := json.Unmarshal([]byte(e.data), &doc); err != nil {
			t.Fatal(err)
		}
		if e.name == "item" && doc.Error != nil && doc.Error.Code == "invalid_image" {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("%d items failed", bad)
	}
	for _, last := range []string{"x", "-1", "1-end-end", "99999999999999999999"} {
		if s := follow(t, path, last); s.StatusCode != 400 {
			t.Errorf("Last-Event-ID %s: %d", last, s.StatusCode)
		}
	}
	if s := follow(t, path+"?from=1", ""); s.StatusCode != 400 {
		t.Errorf("a parameter: %d", s.StatusCode)
	}
}

// A stream ends when the gateway is to end, and when the client leaves.
func TestEventsEndWithTheGateway(t *testing.T) {
	j := newJobRig(t, true)
	url := j.live(t)
	id := j.submit(t, "model=shapes", "image/png", "a").ID
	s := follow(t, url+"/v1/jobs/"+id+"/events", "")
	if e, _ := s.next(); e.name != "state" {
		t.Fatalf("%+v", e)
	}
	j.server.jobs.part()
	if rest := s.rest(); len(rest) != 0 {
		t.Errorf("%v", rest)
	}
	if _, err := io.ReadAll(s.Body); err != nil {
		t.Errorf("the stream does not end as it should: %v", err)
	}
}

func TestTooManyWaitForJobs(t *testing.T) {
	j := newJobRig(t, true)
	id := j.submit(t, "model=shapes", "image/png", "a").ID
	j.server.jobs.held.Store(mostHeld)
	for _, path := range []string{"?wait=1s", "/events"} {
		res, text := j.do(t, "GET", "/v1/jobs/"+id+path, "", "")
		if p := decode[problemDoc](t, text); res.StatusCode != 429 || p.Code != "queue_full" {
			t.Errorf("%s: %d %s", path, res.StatusCode, text)
		}
	}
	if n := j.server.jobs.held.Load(); n != mostHeld {
		t.Errorf("%d are counted", n)
	}
}

// FuzzLastEvent: whatever a client sends is a place of an event, or refused by its name.
func FuzzLastEvent(f *testing.F) {
	for _, seed := range []string{"", "0", "17", "17-end", "-1", "+1", "1-end-end", "-end", "99999999999999999999", "0x1", " 1", "1\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &http.Request{URL: &url.URL{}, Header: http.Header{"Last-Event-Id": {text}}}
		from, _, err := lastEvent(r)
		var e *fault.Error
		switch {
		case err == nil && from < 0:
			t.Errorf("%q is event %d", text, from)
		case err != nil && (!errors.As(err, &e) || e.Kind != fault.Invalid || len(e.Detail) > 500):
			t.Errorf("%q: %v", text, err)
		}
	})
}
