package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// filled is a stub with jobs in several states.
func filled(t *testing.T) *stub {
	t.Helper()
	s := newStub(t)
	s.polls = 2
	for i, state := range []string{"queued", "running", "succeeded", "failed", "failed", "cancelled", "expired", "queued"} {
		s.jobs = append(s.jobs, &stubJob{ID: "J00" + string(rune('0'+i)), Model: []string{"shapes", "digits"}[i%2], State: state, Priority: "batch", poison: i == 4, attempts: map[bool]int{true: 3}[state == "failed"],
			names: []string{"a.png", "b.png"}, items: [][]byte{[]byte("abc"), []byte("bad")}, contentType: "application/zip"})
	}
	return s
}

func TestLists(t *testing.T) {
	s := filled(t)
	for args, want := range map[string]string{
		"ls":                               "J007 J006 J005 J004 J003 J002 J001 J000",
		"ls -n 2":                          "J007 J006",
		"ls -n 4":                          "J007 J006 J005 J004",
		"ls -n 0 --state queued,running":   "J007 J001 J000",
		"ls --state failed --model shapes": "J004",
		"dead":                             "J004 J003",
		"dead ls -m digits":                "J003",
	} {
		out, errs, code := s.cmd(t.Context(), strings.Fields(args)...)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			got = append(got, strings.Fields(line)[0])
		}
		if code != 0 || strings.Join(got, " ") != want || strings.Count(out, "ID ") != 1 {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
	out, _, _ := s.cmd(t.Context(), "dead")
	if !strings.Contains(out, "poison  shapes  3") || !strings.Contains(out, "failed  digits  3") || !strings.Contains(out, "invalid_image: it is no picture") {
		t.Error(out)
	}
	out, _, _ = s.cmd(t.Context(), "ls", "--json", "-n", "4")
	var all struct{ Jobs []jobDoc }
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Jobs) != 4 || all.Jobs[0].ID != "J007" {
		t.Error(out, err)
	}
}

func TestGet(t *testing.T) {
	s := filled(t)
	for _, c := range []struct {
		args string
		code int
		want []string
	}{
		{"get J000", 0, []string{"job       J000\n", "state     queued\n", "done      0/2"}},
		{"get J001", 0, []string{"running"}},
		{"get J002", 0, []string{"item 0    3\n", "item 1    invalid_image: it is no picture"}},
		{"get J000 --wait", 3, []string{"succeeded", "1 item of job J000 could not be answered"}},
		{"get J007 -o -", 3, []string{`{"file":"a.png","job":"J007","index":0,"result":{"value":3}}`, `"error":{"code":"invalid_image","detail":"it is no picture"}`}},
		{"get J003 --wait", 3, []string{"error", "job J003 has failed"}},
		{"get J005 J006 --wait", 3, []string{"job J005 is cancelled; and 1 job more"}},
		{"get J005 -o -", 3, []string{`{"file":"a.png","job":"J005","index":0,"error":{"code":"cancelled","detail":"the job is cancelled"}}`}},
		{"get J003 J004 --json", 0, []string{`"jobs": [`, `"poison": true`}},
		{"get J003 --json", 0, []string{"{\n  \"attempts\": 3"}},
		{"get nope", 1, []string{"job_not_found (404)"}},
	} {
		out, errs, code := s.cmd(t.Context(), strings.Fields(c.args)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(out+errs, want) {
				t.Errorf("%s: %d, no %q in\n%s%s", c.args, code, want, out, errs)
			}
		}
	}
}

func TestWaitingOutlivesTheGateway(t *testing.T) {
	s := filled(t)
	asked := 0
	s.refuse = func(*http.Request) (int, string) {
		if asked++; asked == 2 {
			return 503, "0"
		}
		return 0, ""
	}
	if out, errs, code := s.cmd(t.Context(), "get", "J000", "--wait"); code != exitUnanswered || asked < 3 || !strings.Contains(out, "succeeded") {
		t.Errorf("%d, asked %d times, %s%s", code, asked, out, errs)
	}
	s.refuse = func(*http.Request) (int, string) { return 503, "0" }
	began := time.Now()
	if _, errs, code := s.cmd(t.Context(), "get", "J000", "--wait"); code != 1 || time.Since(began) > 10*time.Minute || !strings.Contains(errs, "(503)") {
		t.Errorf("a gateway that never answered is not waited for: %d %s", code, errs)
	}
}

func TestCancelRetryReplay(t *testing.T) {
	s := filled(t)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"cancel J000 J002 J001", 1, "J000  cancelled\nJ001  cancelled\ntriton-gateway: J002: conflict (409): the job is succeeded"},
		{"retry J005", 0, "J005  queued\n"},
		{"retry J001 --json", 0, `"id": "J001"`},
		{"dead show J003", 0, "reason      failed: its attempts are used up"},
		{"dead show J003", 0, "a.png: invalid_image: it is no picture\nb.png: invalid_image"},
		{"dead show J004", 0, "reason      poison: the input itself is at fault"},
		{"dead show J002", 1, "is no dead letter: it is succeeded"},
		{"dead replay", 2, "name the jobs to run again, or --all"},
		{"dead replay J003 --all", 2, "or --all"},
		{"dead replay J003 --poison", 2, "go with --all"},
		{"dead replay --all", 0, "1 job run again; 1 job left alone: poisonous"},
		{"dead replay --all --poison --json", 0, `"J004"`},
		{"dead replay --all", 0, "0 jobs run again\n"},
		{"dead replay J003", 1, "conflict"},
	} {
		if out, errs, code := s.cmd(t.Context(), strings.Fields(c.args)...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: %d, no %q in\n%s%s", c.args, code, c.want, out, errs)
		}
	}
	for i, want := range []string{"cancelled", "queued", "succeeded", "queued", "queued"} {
		if s.jobs[i].State != want {
			t.Errorf("job %d is %s, not %s", i, s.jobs[i].State, want)
		}
	}
}

func TestWhichGateway(t *testing.T) {
	for url, code := range map[string]int{"127.0.0.1:1": 1, "http://127.0.0.1:1": 1, "ftp://x": 2, "http://": 2, "": 2} {
		var b strings.Builder
		if got := run(t.Context(), &Env{Args: []string{"jobs", "ls", "--url", url}, Out: io.Discard, Err: &b}); got != code {
			t.Errorf("%s: %d %s", url, got, b.String())
		}
	}
	s := newStub(t)
	var got http.Header
	s.refuse = func(r *http.Request) (int, string) { got = r.Header; return 0, "" }
	if _, errs, code := s.cmd(t.Context(), "ls", "--header", "Authorization: Bearer a, b", "--header", "X-Who:me"); code != 0 || got.Get("Authorization") != "Bearer a, b" || got.Get("X-Who") != "me" {
		t.Error(code, errs, got)
	}
}

func TestResultNamesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	r, err := openResults(&Env{}, filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	j := &jobDoc{ID: "J", State: "succeeded", Result: json.RawMessage(`{"results":[{"value":1},{"value":2},{"value":3},{"value":4}]}`)}
	if err := r.add(j, []string{"../../up.png", "/etc/passwd", "..", ""}); err != nil {
		t.Fatal(err)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"up.png.json", "etc/passwd.json", "item.json", "J-3.json"} {
		if _, err := os.Stat(filepath.Join(dir, "out", n)); err != nil {
			t.Error(err)
		}
	}
	if got := list(t, dir); len(got) != 1 {
		t.Error(got)
	}
}
