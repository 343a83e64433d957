package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// gatewayOf answers as a gateway does whose jobs are in these states; a job in no state is not there. A succeeded one has the answer circle.
func gatewayOf(t *testing.T, states map[string]string) *Traffic {
	t.Helper()
	var mu sync.Mutex
	next := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			if r.Header.Get("Idempotency-Key") == "" || r.Header.Get("X-API-Key") != "the key" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"id":"%d"}`, next)
			next++
			return
		}
		state, there := states[strings.TrimPrefix(r.URL.Path, "/v1/jobs/")]
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		label, _ := json.Marshal(strings.TrimPrefix(state, "succeeded "))
		state, _, _ = strings.Cut(state, " ")
		fmt.Fprintf(w, `{"state":%q,"result":{"predictions":[{"label":%s,"index":0,"score":1}]},"error":{"code":"because"}}`, state, label)
	}))
	t.Cleanup(server.Close)
	p := picture{name: "a.png", bytes: make([]byte, 40), want: []prediction{{"circle", 0, 1}}}
	tr := &Traffic{samples: newSamples(), url: server.URL, client: server.Client(), pictures: []picture{p}, key: "the key"}
	tr.jobs = newJobs(tr)
	return tr
}

func TestWhatBecomesOfJobs(t *testing.T) {
	tr := gatewayOf(t, map[string]string{"0": "succeeded circle", "1": "succeeded square", "2": "failed", "3": "running"})
	for n := range 5 {
		tr.jobs.handIn(t.Context(), tr.pictures[0], fmt.Sprint(n))
	}
	if got := Count(tr.Seen()); got[Right] != 5 {
		t.Fatalf("%v", tr.Seen())
	}
	for range 5 {
		tr.jobs.collect(t.Context())
	}
	if got := Count(tr.Seen()); got[Right] != 7 || got[Wrong] != 3 {
		t.Errorf("%v", tr.Seen())
	}
	got := tr.Settle(t.Context(), time.Millisecond)
	if got.Accepted != 5 || got.Right != 1 || got.Wrong != 1 || len(got.Lost) != 3 {
		t.Errorf("%+v", got)
	}
	for i, want := range []string{"a job is failed: because", "an accepted job is not there", "an accepted job has not ended"} {
		if i >= len(got.Lost) || got.Lost[i] != want {
			t.Errorf("lost: %q", got.Lost)
		}
	}
}

func TestAJobThatIsNotAccepted(t *testing.T) {
	tr := gatewayOf(t, nil)
	tr.key = ""
	tr.jobs.handIn(t.Context(), tr.pictures[0], "1")
	if got := tr.Seen(); len(got) != 1 || got[0].Verdict != Bare || got[0].Text != "401 Unauthorized in no form" {
		t.Errorf("%+v", got)
	}
	if got := tr.Settle(t.Context(), time.Second); got.Accepted != 0 || len(got.Lost) != 0 {
		t.Errorf("%+v", got)
	}
}
