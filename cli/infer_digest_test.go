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

// The digest is what sha256sum says of "\x89PNG".
const digestPath = "/v1/models/m/results/0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"

func TestAPictureIsSentOnlyIfItsDigestIsUnknown(t *testing.T) {
	for args, want := range map[string][]asked{
		"": {{"GET", digestPath, "", "", ""}, {"POST", "/v1/models/m/infer", "", "application/octet-stream", "\x89PNG"}},
		"--model-version 2 --top-k 3": {{"GET", digestPath, "top_k=3&version=2", "", ""},
			{"POST", "/v1/models/m/infer", "top_k=3&version=2", "application/octet-stream", "\x89PNG"}},
		"--upload":   {{"POST", "/v1/models/m/infer", "", "application/octet-stream", "\x89PNG"}},
		"--no-cache": {{"POST", "/v1/models/m/infer", "cache=no-cache", "application/octet-stream", "\x89PNG"}},
		"--top-k 0":  {{"GET", digestPath, "top_k=0", "", ""}}, // what is wrong with the question is wrong with the picture too
	} {
		got, out, code := ask(t, "\x89PNG", strings.Fields(args)...)
		if len(got) != len(want) || (code == 0) == (args == "--top-k 0") {
			t.Errorf("%s: exit code %d, asked %+v\n%s", args, code, got, out)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s, request %d: %+v, not %+v", args, i, got[i], want[i])
			}
		}
	}
}

// answerDigest runs infer against a server that gives this answer to the question by digest.
func answerDigest(t *testing.T, status int, body string) (sent bool, out string, code int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
		sent = true
		_, _ = io.WriteString(w, `{"from":"the picture"}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte("\x89PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	code = run(t.Context(), &Env{Args: []string{"infer", file, "-m", "m", "--url", server.URL + "/"}, Out: &b, Err: &b})
	return sent, b.String(), code
}

func TestWhatIsAnsweredByDigest(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		sent   bool
		code   int
		out    string
	}{
		"known":                 {200, `{"from":"the cache"}`, false, 0, "the cache"},
		"not known":             {404, `{"code":"result_not_cached"}`, true, 0, "the picture"},
		"no such route":         {404, `{"code":"not_found"}`, true, 0, "the picture"},
		"a proxy's refusal":     {403, "<html>no</html>", true, 0, "the picture"},
		"no such model":         {404, `{"code":"model_not_found","detail":"there is no m"}`, false, 1, "there is no m"},
		"a wrong option":        {400, `{"code":"invalid_request","detail":"no"}`, false, 1, "invalid_request (400): no"},
		"the gateway is busy":   {429, `{"code":"queue_full","detail":"later"}`, false, 1, "later"},
		"an answer of no JSON":  {200, `<html>`, false, 1, "not JSON"},
		"another gateway's 404": {404, ``, true, 0, "the picture"},
	} {
		sent, out, code := answerDigest(t, c.status, c.body)
		if sent != c.sent || code != c.code || !strings.Contains(out, c.out) {
			t.Errorf("%s: sent %v, exit code %d, %s", name, sent, code, out)
		}
	}
}
