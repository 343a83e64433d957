// Package e2e runs the built program with real parts around it - Triton, Redis, Chromium - and looks at it from outside, as a
// client does.
package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

var triton = parts.NewShared("model_repository")

func TestMain(m *testing.M) { os.Exit(triton.Main(m).Run()) }

// gateway is the program under test, at URL.
type gateway struct {
	*parts.Process
	URL string
}

// admin is the admin listener's URL, as the banner tells it.
func (g *gateway) admin(t *testing.T) string {
	t.Helper()
	var m []string
	eventually(t, "the banner tells the admin address", func() bool {
		m = adminLine.FindStringSubmatch(g.Log())
		return m != nil
	})
	return m[1]
}

var adminLine = regexp.MustCompile(`(?m)^\s+admin\s+(http://\S+)/metrics$`)

var pageLine = regexp.MustCompile(`^\s+page\s+(http://\S+)/$`)

// start runs `triton-gateway serve` on the demo repository, on a free port, with more flags and GATEWAY_ variables (those that hold a =).
func start(t *testing.T, flagsAndVariables ...string) *gateway {
	t.Helper()
	g := &gateway{}
	found := make(chan string, 1)
	command := parts.Command{
		Path: parts.Gateway(t), Dir: parts.Root(t), Env: append(os.Environ(), "GATEWAY_LISTEN__DRAIN=0s", "GATEWAY_JOBS__QUEUE=off"),
		Args: []string{"serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
		Ready: func(line string) bool {
			m := pageLine.FindStringSubmatch(line)
			if m != nil {
				found <- m[1]
			}
			return m != nil
		},
	}
	for _, f := range flagsAndVariables {
		if strings.HasPrefix(f, "GATEWAY_") {
			command.Env = append(command.Env, f)
		} else {
			command.Args = append(command.Args, f)
		}
	}
	g.Process = parts.Start(t, command)
	g.URL = <-found
	return g
}

// answer is what infer answers.
type answer struct {
	ID, Model, Version, Task string
	Predictions              []prediction
	Detections               []detection
	Value                    *float64
	FromCache                bool `json:"from_cache"`
	Results                  []answer
	// of a problem
	Code, Detail string
	Errors       []struct{ Location, Message string }
}

type prediction struct {
	Label string
	Index int
	Score float64
}

type detection struct {
	prediction
	Box struct{ X1, Y1, X2, Y2 float64 }
}

type reply struct {
	answer
	header http.Header
	status int
	body   []byte
}

var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}

// do sends a request and reads the JSON answer, whatever its status.
func do(t *testing.T, method, url, contentType string, body []byte) reply {
	t.Helper()
	r, err := try(method, url, contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func try(method, url, contentType string, body []byte) (reply, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	out := reply{header: resp.Header, status: resp.StatusCode}
	if out.body, err = io.ReadAll(resp.Body); err != nil {
		return out, err
	}
	if len(out.body) > 0 && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(out.body, &out.answer)
	}
	return out, err
}

// infer posts a picture as the body.
func (g *gateway) infer(t *testing.T, model, query string, picture []byte) reply {
	t.Helper()
	r := do(t, "POST", g.URL+"/v1/models/"+model+"/infer?"+query, "application/octet-stream", picture)
	if r.status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", model, r.status, r.body)
	}
	return r
}

// form posts a picture as curl -F does.
func (g *gateway) form(t *testing.T, model, field, file string) reply {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(field, filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(readFile(t, file))
	_ = w.Close()
	return do(t, "POST", g.URL+"/v1/models/"+model+"/infer", w.FormDataContentType(), b.Bytes())
}

// readFile reads a file of the repository.
func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts.Root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// patience is when a test gives up: no promise of the gateway, but more than any machine needs, however much else runs on it.
const patience = 3 * time.Minute

// eventually asks until ok: for what the gateway notices by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if ok() {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
