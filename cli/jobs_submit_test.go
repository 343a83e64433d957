package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAFolderBecomesJobs(t *testing.T) {
	s, dir := newStub(t), photos(t, 25)
	out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "shapes", "--parallel", "1", "--chunk", "10", "--top-k", "2", "--delay", "90s", "--webhook", "https://a.example/x", "--classes", "a", "--classes", "b")
	if code != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(out, "J000  10 items  queued\n") || !strings.Contains(out, "5 items") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	for _, want := range []string{"3 files left out", "sent 25 of 25", "25 items in 3 jobs; `triton-gateway jobs get J002 --url " + s.URL + " --wait`"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	var names []string
	for _, j := range s.jobs {
		if j.query != "classes=a%2Cb&delay=1m30s&model=shapes&priority=batch&result_ttl=24h0m0s&top_k=2&webhook=https%3A%2F%2Fa.example%2Fx" || len(j.key) != 68 || j.contentType != "application/zip" {
			t.Errorf("%+v", j)
		}
		names = append(names, j.names...)
	}
	want := 0
	for _, d := range []string{"d0", "d1", "d2"} {
		for _, f := range list(t, filepath.Join(dir, d)) {
			if want >= len(names) || names[want] != d+"/"+f {
				t.Fatalf("name %d of %v is not %s/%s", want, names, d, f)
			}
			want++
		}
	}

	again, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "shapes", "--parallel", "1", "--chunk", "10", "--top-k", "2", "--delay", "90s", "--webhook", "https://a.example/x", "--classes", "a", "--classes", "b")
	if code != 0 || len(s.jobs) != 3 || strings.Count(again, "handed in before") != 3 || !strings.Contains(errs, "3 jobs, 3 of them handed in before") {
		t.Errorf("again: %d, %d jobs, %s %s", code, len(s.jobs), again, errs)
	}
	if _, _, code = s.cmd(t.Context(), "submit", dir, "-m", "digits", "--chunk", "10"); code != 0 || len(s.jobs) != 6 {
		t.Errorf("another model: %d, %d jobs", code, len(s.jobs))
	}
	if _, _, code = s.cmd(t.Context(), "submit", dir, "-m", "digits", "--chunk", "10", "--again"); code != 0 || len(s.jobs) != 9 {
		t.Errorf("--again: %d, %d jobs", code, len(s.jobs))
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestChunksAreBoundedAndFewAtATime(t *testing.T) {
	s, dir := newStub(t), t.TempDir()
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		put(t, filepath.Join(dir, n+".png"), bytes.Repeat([]byte(n), 400<<10))
	}
	put(t, filepath.Join(dir, "large.jpg"), bytes.Repeat([]byte("l"), 3<<20))
	if out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk-mib", "1", "--parallel", "2"); code != 0 || len(s.jobs) != 5 {
		t.Fatalf("%d, %d jobs: %s%s", code, len(s.jobs), out, errs)
	}
	if s.bodies > 3<<20+1<<10 || s.most > 2 {
		t.Errorf("largest body %d, %d at once", s.bodies, s.most)
	}
}

func TestOneFileIsOneItem(t *testing.T) {
	s, dir := newStub(t), t.TempDir()
	put(t, filepath.Join(dir, "one.jpg"), []byte("abc"))
	put(t, filepath.Join(dir, "rows.json"), []byte(`{"rows":[[1],[2]]}`))
	file := filepath.Join(dir, "out.jsonl")
	if out, errs, code := s.cmd(t.Context(), "submit", filepath.Join(dir, "one.jpg"), "-m", "m", "-o", file); code != 0 {
		t.Fatal(out, errs)
	}
	data, _ := os.ReadFile(file)
	if want := `{"file":"` + filepath.ToSlash(dir) + `/one.jpg","job":"J000","index":0,"result":{"value":3}}` + "\n"; string(data) != want || s.jobs[0].contentType != "application/octet-stream" {
		t.Errorf("%s\n%s", data, want)
	}
	if out, errs, code := s.cmd(t.Context(), "submit", filepath.Join(dir, "rows.json"), "-m", "m"); code != 0 || s.jobs[1].contentType != "application/json" {
		t.Error(out, errs)
	}
}

func TestAnArchiveIsReadInPlace(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range []string{"x/1.png", "x/1.png", "../../2.png", "/3.png", `c:\4.png`, "x/", "notes.txt", "__MACOSX/5.png"} {
		f, _ := w.Create(n)
		_, _ = f.Write([]byte("data of " + n)[:min(4, len(n))])
	}
	_ = w.Close()
	s, dir := newStub(t), t.TempDir()
	put(t, filepath.Join(dir, "a.zip"), b.Bytes())
	if out, errs, code := s.cmd(t.Context(), "submit", filepath.Join(dir, "a.zip"), "-m", "m", "--out", filepath.Join(dir, "results")); code != 0 {
		t.Fatal(out, errs)
	}
	if got := strings.Join(s.jobs[0].names, " "); got != "x/1.png x/1-2.png 2.png 3.png c:/4.png" {
		t.Error(got)
	}
	for _, n := range []string{"x/1.png.json", "x/1.png-2.json", "2.png.json", "3.png.json"} {
		if data, err := os.ReadFile(filepath.Join(dir, "results", n)); err != nil || !strings.Contains(string(data), `"result":{"value":4}`) {
			t.Error(n, string(data), err)
		}
	}
}

func TestResultsComeInTheOrderOfTheFiles(t *testing.T) {
	s, dir := newStub(t), photos(t, 12)
	put(t, filepath.Join(dir, "z.png"), []byte("bad"))
	s.polls = 3
	out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk", "2", "-o", "-")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitUnanswered || len(lines) != 13 || !strings.Contains(errs, "13 items in 7 jobs; 12 answered") || !strings.Contains(errs, "1 item of 13 could not be answered") {
		t.Fatalf("%d, %d lines: %s%s", code, len(lines), out, errs)
	}
	last := ""
	for _, l := range lines {
		var r struct {
			File, Job     string
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.File <= last || (r.Error != nil) != (r.File == "z.png") || (r.Result == nil) != (r.Error != nil) {
			t.Errorf("%s after %s: %v", l, last, err)
		}
		last = r.File
	}
	out, _, code = s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk", "2", "--wait", "--json")
	var all struct {
		Jobs        []struct{ State string }
		Items, New  int
		NotAnswered int `json:"not_answered"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitUnanswered || len(all.Jobs) != 7 || all.Jobs[6].State != "succeeded" || all.Items != 13 || all.New != 0 || all.NotAnswered != 1 {
		t.Errorf("%d %+v %v", code, all, err)
	}
}

func TestABusyGatewayIsAskedAgain(t *testing.T) {
	s, dir := newStub(t), photos(t, 6)
	var mu sync.Mutex
	tries := map[string]int{}
	s.refuse = func(r *http.Request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		tries[key]++
		return []int{503, 429, 0}[min(tries[key]-1, 2)], "0"
	}
	if out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk", "3"); code != 0 || len(s.jobs) != 2 || !strings.Contains(errs, "trying again: queue_full (503)") {
		t.Errorf("%d, %d jobs, %s%s", code, len(s.jobs), out, errs)
	}
	s.answers(func(*http.Request) (int, string) { return 429, "1" })
	if out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk", "2", "--patience", "500ms"); code != 1 || !strings.Contains(errs, "queue_full (429): come again later\n0 jobs accepted") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	n := 0
	s.answers(func(r *http.Request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Query().Get("priority") == "realtime" { // one of before may have been given up while it was on its way, and come now
			n++
		}
		return 422, ""
	})
	_, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--parallel", "1", "--priority", "realtime")
	mu.Lock()
	defer mu.Unlock()
	if code != 1 || n != 1 || !strings.Contains(errs, "(422)") {
		t.Errorf("what is wrong stays wrong: %d, %d requests, %s", code, n, errs)
	}
}

func TestAnInterruptionSaysHowToGoOn(t *testing.T) {
	s, dir := newStub(t), photos(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	s.refuse = func(r *http.Request) (int, string) {
		if len(s.jobs) == 3 {
			// Nothing is answered until the command is known to have left: its connection is watched once the body is read.
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			cancel()
			<-r.Context().Done()
		}
		return 0, ""
	}
	_, errs, code := s.cmd(ctx, "submit", dir, "-m", "m", "--chunk", "2", "--parallel", "1")
	if code != exitInterrupted || !strings.Contains(errs, "interrupted: 3 jobs accepted; the same command again goes on: what was accepted is not handed in twice; `triton-gateway jobs get J002 --url ") {
		t.Errorf("%d %s", code, errs)
	}
	s.refuse = nil
	if out, errs, code := s.cmd(t.Context(), "submit", dir, "-m", "m", "--chunk", "2", "--wait"); code != 0 || len(s.jobs) != 10 || strings.Count(out, "handed in before") < 3 {
		t.Errorf("%d, %d jobs, %s%s", code, len(s.jobs), out, errs)
	}
}

func TestWhatCannotBeHandedIn(t *testing.T) {
	s, dir := newStub(t), t.TempDir()
	put(t, filepath.Join(dir, "broken.zip"), []byte("PK no archive"))
	put(t, filepath.Join(dir, "empty.png"), nil)
	put(t, filepath.Join(dir, "list.json"), []byte("[1]"))
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"nowhere -m m", 1, "nowhere"},
		{dir + " -m m", 1, "there are no pictures in"},
		{dir + "/broken.zip -m m", 1, "broken.zip"},
		{dir + "/empty.png -m m", 1, "is empty"},
		{dir + "/list.json -m m", 1, "JSON list"},
		{"/dev/null -m m", 1, "neither a file nor a folder"},
		{dir + " -m m --chunk 0", 2, "--chunk is 0"},
		{dir + " -m m --priority later", 2, "--priority"},
		{dir, 2, "--model"},
		{dir + " -m m --header nothing", 2, "NAME: VALUE"},
	} {
		if _, errs, code := s.cmd(t.Context(), append([]string{"submit"}, strings.Fields(c.args)...)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, %s", c.args, code, errs)
		}
	}
	if len(s.requests) != 0 {
		t.Error(s.requests)
	}
}
