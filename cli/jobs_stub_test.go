package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// stub speaks the API of jobs as far as the commands use it. An item whose bytes are "bad" cannot be answered; each other is answered with its size.
type stub struct {
	*httptest.Server
	mu       sync.Mutex
	jobs     []*stubJob
	byKey    map[string]*stubJob
	requests []string
	bodies   int64 // largest
	atOnce   int
	most     int
	refuse   func(r *http.Request) (status int, after string) // asked first; 0: take it
	polls    int                                              // a job is final when it was asked for as often
}

type stubJob struct {
	ID, Model, State, Priority string
	names                      []string
	items                      [][]byte
	query, key, contentType    string
	poison                     bool
	asked                      int
	attempts                   int
}

// answers sets what is asked first.
func (s *stub) answers(refuse func(r *http.Request) (status int, after string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

func newStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{byKey: map[string]*stubJob{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/jobs", s.submit)
	mux.HandleFunc("GET /v1/jobs", s.list)
	mux.HandleFunc("GET /v1/jobs/{id}", s.get)
	mux.HandleFunc("DELETE /v1/jobs/{id}", func(w http.ResponseWriter, r *http.Request) { s.change(w, r, "queued,running", "cancelled") })
	mux.HandleFunc("POST /v1/jobs/{id}/retry", func(w http.ResponseWriter, r *http.Request) { s.change(w, r, "failed,cancelled,expired", "queued") })
	mux.HandleFunc("GET /v1/jobs/{id}/events", s.events)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.atOnce++
		s.most = max(s.most, s.atOnce)
		refuse := s.refuse
		s.mu.Unlock()
		defer func() { s.mu.Lock(); s.atOnce--; s.mu.Unlock() }()
		if refuse != nil {
			if status, after := refuse(r); status != 0 {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Retry-After", after)
				s.problem(w, status, "queue_full", "come again later")
				return
			}
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) problem(w http.ResponseWriter, status int, code, detail string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "detail": detail, "status": status})
}

func (s *stub) submit(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = max(s.bodies, int64(len(body)))
	key := r.Header.Get("Idempotency-Key")
	if j := s.byKey[key]; j != nil {
		w.Header().Set("Idempotency-Replayed", "true")
		s.send(w, j, true)
		return
	}
	q := r.URL.Query()
	j := &stubJob{ID: fmt.Sprintf("J%03d", len(s.jobs)), Model: q.Get("model"), State: "queued", Priority: q.Get("priority"), query: r.URL.RawQuery, key: key, contentType: r.Header.Get("Content-Type")}
	if j.contentType == "application/zip" {
		a, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			s.problem(w, 422, "invalid_request", err.Error())
			return
		}
		for _, f := range a.File {
			in, _ := f.Open()
			data, _ := io.ReadAll(in)
			j.names, j.items = append(j.names, f.Name), append(j.items, data)
		}
	} else {
		j.items = [][]byte{body}
	}
	s.jobs = append(s.jobs, j)
	s.byKey[key] = j
	w.WriteHeader(http.StatusAccepted)
	s.send(w, j, false)
}

// send writes the document; the caller holds mu.
func (s *stub) send(w io.Writer, j *stubJob, result bool) {
	d := map[string]any{"id": j.ID, "model": j.Model, "state": j.State, "priority": j.Priority, "attempts": j.attempts, "created_at": "2026-11-21T12:00:00Z",
		"progress": map[string]int{"done": 0, "failed": 0, "total": len(j.items)}, "names": j.names}
	if j.State == "failed" {
		d["error"], d["poison"] = map[string]string{"code": "invalid_image", "detail": "it is no picture"}, j.poison
	}
	if j.State == "succeeded" {
		failed := 0
		list := make([]any, len(j.items))
		for i, data := range j.items {
			list[i] = map[string]any{"value": len(data)}
			if string(data) == "bad" {
				list[i] = map[string]any{"error": map[string]string{"code": "invalid_image", "detail": "it is no picture"}}
				failed++
			}
		}
		d["progress"] = map[string]int{"done": len(j.items), "failed": failed, "total": len(j.items)}
		switch {
		case !result:
		case j.contentType == "application/zip":
			d["result"] = map[string]any{"model": j.Model, "results": list}
		default:
			d["result"] = list[0]
		}
	}
	_ = json.NewEncoder(w).Encode(d)
}

func (s *stub) find(w http.ResponseWriter, id string) *stubJob {
	for _, j := range s.jobs {
		if j.ID == id {
			return j
		}
	}
	s.problem(w, 404, "job_not_found", "there is no such job")
	return nil
}

func (s *stub) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.find(w, r.PathValue("id")); j != nil {
		if j.asked++; j.asked >= s.polls && j.State == "queued" {
			j.State = "succeeded"
		}
		s.send(w, j, true)
	}
}

func (s *stub) change(w http.ResponseWriter, r *http.Request, from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.find(w, r.PathValue("id")); j != nil {
		if !slices.Contains(strings.Split(from, ","), j.State) {
			s.problem(w, 409, "conflict", "the job is "+j.State)
			return
		}
		j.State = to
		s.send(w, j, false)
	}
}

func (s *stub) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	var limit, from int
	_, _ = fmt.Sscan(q.Get("limit"), &limit)
	_, _ = fmt.Sscan(q.Get("cursor"), &from)
	out, next, seen := []json.RawMessage{}, "", 0
	for _, j := range slices.Backward(s.jobs) {
		if state := q.Get("state"); state != "" && !slices.Contains(strings.Split(state, ","), j.State) || q.Get("model") != "" && q.Get("model") != j.Model {
			continue
		}
		if seen++; seen <= from {
			continue
		}
		if len(out) == min(limit, 3) { // a server may give less than was asked for
			next = fmt.Sprint(seen - 1)
			break
		}
		var b bytes.Buffer
		s.send(&b, j, false)
		out = append(out, b.Bytes())
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"jobs": out, "next": next})
}

func (s *stub) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.find(w, r.PathValue("id")); j != nil {
		fmt.Fprint(w, "retry: 1000\nevent: state\ndata: {}\n\n:\n\n")
		for i, name := range j.names {
			fmt.Fprintf(w, "id: %d\nevent: item\ndata: {\"index\":%d,\"name\":%q,\ndata: \"error\":{\"code\":\"invalid_image\",\"detail\":\"it is no picture\"}}\n\n", i+1, i, name)
		}
		fmt.Fprint(w, "id: 2-end\nevent: state\ndata: {}\n\n")
	}
}

// cmd runs a command against the stub.
func (s *stub) cmd(ctx context.Context, args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	code = run(ctx, &Env{Args: append(append([]string{"jobs"}, args...), "--url", s.URL), Out: &o, Err: &e})
	return o.String(), e.String(), code
}

// photos makes a folder of pictures of different bytes, in folders of their own, and some files that are none.
func photos(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		var b bytes.Buffer
		m := image.NewRGBA(image.Rect(0, 0, 4, 4))
		m.Set(i%4, i/4%4, color.RGBA{uint8(i), uint8(i >> 8), 7, 255})
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, fmt.Sprintf("d%d", i%3), fmt.Sprintf("p%04d.png", i)), b.Bytes())
	}
	put(t, filepath.Join(dir, "notes.txt"), []byte("no picture"))
	put(t, filepath.Join(dir, ".hidden.png"), []byte("no picture"))
	put(t, filepath.Join(dir, "empty.png"), nil)
	return dir
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
