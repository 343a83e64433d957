package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
)

// TestSwitch: there, back, settled and left to the server again, each shown; and what is refused.
func TestSwitch(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	r.want(0, "switch show m", "model m", "serving 2", "phase none", "written down in file")
	r.want(1, "switch rollback m", "conflict (409)", "has not been switched")
	r.want(1, "switch m 2 --wait", "invalid_request (400): version 2 of model \"m\" serves already")
	r.want(0, "switch m 3 --wait", "serving 3", "phase kept (2 to 3)", "kept until", "written down in file", "server "+r.triton.Addr()+" load", "ms; ready", "warm_up", "verify")
	r.want(0, "switch show m", "serving 3", "phase kept (2 to 3)")
	r.want(0, "switch rollback m", "serving 2", "phase tak", "(2 to 3)") // the version that served may be unloaded by now
	r.want(0, "switch settle m", "serving 2", "phase taken_back")
	r.want(0, "switch to m 1", "model m", "it has begun; `triton-gateway switch show m` says how far it is")
	parts.Until(t, "the switch has ended", time.Minute, func() bool {
		out, _, _ := r.cmd(r.inside, "switch show m")
		return strings.Contains(out, "kept (2 to 1)")
	})
	r.want(1, "switch rm m", "conflict (409)", "settle")
	r.want(0, "switch settle m", "serving 1", "phase done (2 to 1)")
	r.want(0, "switch rm m", "the model server chooses the version of m again")
	r.want(0, "switch show m", "phase none")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"switch m two", 1, "(422)"},
		{"switch nowhere 2", 1, "model_not_found (404)"},
		{"switch nowhere 2 --wait", 1, "model_not_found (404)"},
		{"switch show nowhere", 1, "model_not_found (404)"},
		{"switch settle nowhere", 1, "model_not_found (404)"},
		{"switch m", 2, "<version>"},
		{"switch", 2, "<model>"},
	} {
		r.want(c.code, c.args, c.want)
	}
	out, errs, code := r.cmd(r.public, "switch m 1 --wait")
	r.looked("the public listener", 1, out, errs, code, "forbidden (403)", "--url names it")
}

// TestASwitchThatFailsSaysWhy: the server cannot load the version.
func TestASwitchThatFailsSaysWhy(t *testing.T) {
	r := newTraffic(t, func(*gateway.Config) {})
	r.triton.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Code: 13, Text: "no room on the GPU"})
	out, errs, code := r.cmd(r.inside, "switch m 3 --wait --every 5ms")
	r.looked("a load that fails", 1, out, errs, code, "replica_failed (409)", "no room on the GPU")
	r.triton.Heal()
	r.want(0, "switch show m", "serving 2")
}

// switching is a gateway that speaks of switches as far as the command needs it: the answer to a switch is lost, and the state goes through some phases.
func switching(t *testing.T, status int, phases ...string) *trafficRig {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if body, _ := io.ReadAll(r.Body); string(body) != `{"to":"2"}` || r.Header.Get("Prefer") != "" {
				t.Errorf("%s, Prefer %q", body, r.Header.Get("Prefer"))
			}
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"code":"request_timeout","detail":"it goes on"}`)
			return
		}
		phase, reason, _ := strings.Cut(phases[min(int(asked.Add(1)), len(phases))-1], "|")
		_ = json.NewEncoder(w).Encode(map[string]any{"model": "m", "serving": "1", "phase": phase, "from": "1", "to": "2", "reason": reason})
	}))
	t.Cleanup(s.Close)
	return &trafficRig{T: t, inside: s.URL}
}

func TestAWaitOutlivesTheAnswer(t *testing.T) {
	const fast = " --wait --every 1ms"
	for _, status := range []int{0, 504} {
		r := switching(t, status, "loading", "loading", "flipping", "kept")
		out, errs, code := r.cmd(r.inside, "switch m 2"+fast)
		r.looked(fmt.Sprint("kept after ", status), 0, out, errs, code, "phase kept (1 to 2)", "loading (1 to 2) flipping (1 to 2) kept (1 to 2)")
		r = switching(t, status, "loading", "taken_back|a warm-up call failed")
		out, errs, code = r.cmd(r.inside, "switch m 2"+fast)
		r.looked(fmt.Sprint("taken back after ", status), exitUnanswered, out, errs, code, "loading (1 to 2)", "version 2 of m does not serve: taken_back (1 to 2): a warm-up call failed")
	}
	r := switching(t, 503, "kept")
	out, errs, code := r.cmd(r.inside, "switch m 2"+fast)
	r.looked("refused", 1, out, errs, code, "request_timeout (503)")
	out, errs, code = r.cmd("http://127.0.0.1:1", "switch m 2"+fast)
	r.looked("away", 1, out, errs, code, "no gateway answers")
}

func TestAWaitThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.ReadAll(r.Body)
			cancel()
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	var out bytes.Buffer
	code := run(ctx, &Env{Args: []string{"switch", "m", "2", "--wait", "--url", s.URL}, Out: &out, Err: &out})
	if code != exitInterrupted || !strings.Contains(out.String(), "interrupted; the switch goes on: `triton-gateway switch show m` says how far it is") {
		t.Errorf("%d %s", code, out.String())
	}
}
