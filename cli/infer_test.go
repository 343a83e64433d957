package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asked is what the server of a test got.
type asked struct{ method, path, query, kind, body string }

// ask runs infer on a file with this content against a server that knows no answer, refuses top_k=0 and takes everything else that is sent.
func ask(t *testing.T, content string, args ...string) (got []asked, out string, code int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, asked{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), string(body)})
		if r.URL.Query().Get("top_k") == "0" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":"invalid_request","detail":"top_k is at least 1","errors":[{"location":"query.top_k","message":"is 0"}]}`)
			return
		}
		if r.Method == "GET" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"result_not_cached","detail":"send the picture"}`)
			return
		}
		_, _ = io.WriteString(w, `{"model":"m"}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	code = run(t.Context(), &Env{Args: append([]string{"infer", file, "-m", "m", "--url", server.URL}, args...), Out: &b, Err: &b})
	return got, b.String(), code
}

func TestOptionsReachTheServer(t *testing.T) {
	for args, want := range map[string]string{
		"": "", "--top-k 0": "top_k=0", "--top-k 3": "top_k=3", "--max-detections 0": "max_detections=0", "--confidence 0 --iou 0.5": "confidence=0&iou=0.5",
		"--classes a --classes b --no-cache": "cache=no-cache&classes=a%2Cb", "--model-version 2": "version=2",
	} {
		got, out, code := ask(t, "\x89PNG", append(strings.Fields(args), "--upload")...)
		if len(got) != 1 || got[0].method != "POST" || got[0].path != "/v1/models/m/infer" || got[0].query != want || got[0].kind != "application/octet-stream" {
			t.Errorf("%s: %+v, %s", args, got, out)
		}
		if refused := args == "--top-k 0"; refused != (code == 1) || refused && !strings.Contains(out, "query.top_k: is 0") {
			t.Errorf("%s: exit code %d, %s", args, code, out)
		}
	}
}

func TestThePriorityReachesTheServer(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("X-Priority"))
		_, _ = io.WriteString(w, `{"model":"m"}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte("\x89PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	for priority, want := range map[string]int{"": 0, "realtime": 0, "batch": 0, "urgent": 1} {
		got = nil
		var b bytes.Buffer
		args := []string{"infer", file, "-m", "m", "--url", server.URL, "--upload"}
		if priority != "" {
			args = append(args, "--priority", priority)
		}
		code := run(t.Context(), &Env{Args: args, Out: &b, Err: &b})
		if (code != 0) != (want != 0) || code == 0 && (len(got) != 1 || got[0] != priority) || code != 0 && (len(got) != 0 || !strings.Contains(b.String(), "realtime")) {
			t.Errorf("%q: exit code %d, sent %q, %s", priority, code, got, b.String())
		}
	}
}

func TestKindsOfFiles(t *testing.T) {
	got, out, code := ask(t, ` {"row":[1]}`)
	if code != 0 || len(got) != 1 || got[0].kind != "application/json" || !strings.Contains(out, `"model": "m"`) {
		t.Errorf("an object: %d, %+v, %s", code, got, out)
	}
	got, out, code = ask(t, "\n[[1,2],[3,4]]")
	if code != 1 || len(got) != 0 || !strings.Contains(out, "JSON list; an object with row, rows, image or images is wanted") {
		t.Errorf("a list: %d, %+v, %s", code, got, out)
	}
	if got, out, code = ask(t, ""); code != 1 || len(got) != 0 || !strings.Contains(out, "is empty") {
		t.Errorf("nothing: %d, %+v, %s", code, got, out)
	}
}
