package jobs_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
)

// listener is a webhook that answers as the test says.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string // "path body"
	heads  []http.Header
	status []int // of the next calls; 200 after them
	heard  chan struct{}
}

func listen(t *testing.T, status ...int) *listener {
	l := &listener{status: status, heard: make(chan struct{}, 100)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		l.got, l.heads = append(l.got, r.Method+" "+r.URL.Path+" "+string(body)), append(l.heads, r.Header)
		code := 200
		if len(l.status) > 0 {
			code, l.status = l.status[0], l.status[1:]
		}
		l.mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
		l.heard <- struct{}{}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

// reach lets a service call the listener.
func (l *listener) reach(d *jobs.Deps) {
	u, _ := url.Parse(l.URL)
	port, _ := strconv.Atoi(u.Port())
	d.Webhook = jobs.Webhook{Secret: []byte("secret"), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []int{port}, Base: "https://g.example"}
}

// ended makes a final job with a webhook.
func (r *rig) ended(url string) *jobs.Job {
	r.Helper()
	in := submission("a")
	in.Webhook = url
	j := r.submit(in)
	j, err := r.Cancel(r.Context(), nil, j.ID)
	if err != nil {
		r.Fatal(err)
	}
	return j
}

func TestWebhookIsToldAndSigned(t *testing.T) {
	l := listen(t)
	r := newRig(t, l.reach)
	j := r.ended(l.URL + "/hook")
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { r.Keep(ctx) })
	<-l.heard
	for told := false; !told; {
		got, err := r.Get(t.Context(), nil, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		told = got.Told
	}
	cancel()
	wait.Wait()
	want := fmt.Sprintf(`POST /hook {"id":%q,"state":"cancelled","model":"shapes","links":{"events":"https://g.example/v1/jobs/%s/events","self":"https://g.example/v1/jobs/%s"}}`, j.ID, j.ID, j.ID)
	if l.calls() != 1 || l.got[0] != want {
		t.Fatalf("told %d times: %v\nwant %s", l.calls(), l.got, want)
	}
	h := l.heads[0]
	var unix int64
	var sum string
	if _, err := fmt.Sscanf(h.Get("Webhook-Signature"), "t=%d,v1=%s", &unix, &sum); err != nil || time.Since(time.Unix(unix, 0)).Abs() > time.Minute {
		t.Fatalf("signature %q", h.Get("Webhook-Signature"))
	}
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte(fmt.Sprint(unix) + "." + want[len("POST /hook "):]))
	if sum != hex.EncodeToString(mac.Sum(nil)) || h.Get("Webhook-Id") != j.ID || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", h)
	}
}

// TestWebhookIsTriedAgain: at longer and longer times, for a day. A redirect is not followed.
func TestWebhookIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		status []int
		want   int  // calls
		by     bool // whether it is told or given up within ten minutes
	}{
		"errors":   {[]int{500, 302, 404}, 4, true},
		"gone":     {[]int{410}, 1, true},
		"accepted": {[]int{202}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, c.status...)
			at := jobstest.NewClock()
			r := newRig(t, l.reach, func(d *jobs.Deps) { d.Now = at.Now })
			j := r.ended(l.URL + "/hook")
			for range 600 {
				r.TellAll(t.Context())
				at.Advance(time.Second)
			}
			got, err := r.Get(t.Context(), nil, j.ID)
			if err != nil || got.Told != c.by || l.calls() != c.want {
				t.Errorf("told %v after %d calls, %v: %v", got.Told, l.calls(), err, l.got)
			}
			for _, call := range l.got {
				if !strings.HasPrefix(call, "POST /hook {") {
					t.Errorf("a call was %s", call)
				}
			}
		})
	}
}

func TestWebhookIsGivenUpAfterADay(t *testing.T) {
	l := listen(t, slices.Repeat([]int{503}, 1000)...)
	at := jobstest.NewClock()
	r := newRig(t, l.reach, func(d *jobs.Deps) { d.Now = at.Now })
	j := r.ended(l.URL)
	hours := 0
	for told := false; !told; hours++ {
		if hours > 30 {
			t.Fatal("never given up")
		}
		for range 60 {
			r.TellAll(t.Context())
			at.Advance(time.Minute)
			for len(l.heard) > 0 {
				<-l.heard
			}
		}
		got, _ := r.Get(t.Context(), nil, j.ID)
		told = got.Told
	}
	if n := l.calls(); hours < 24 || n < 24 || n > 70 {
		t.Errorf("given up after %d hours and %d calls", hours, n)
	}
}

// TestWebhookOfAnotherProcess: a process leaves a job that ended elsewhere to that one for a while.
func TestWebhookOfAnotherProcess(t *testing.T) {
	l := listen(t)
	at := jobstest.NewClock()
	r := newRig(t, l.reach, func(d *jobs.Deps) { d.Now = at.Now })
	other := jobs.New(jobs.Deps{Store: r.store, Now: at.Now, Webhook: r.Webhook})
	r.ended(l.URL)
	other.TellAll(t.Context())
	at.Advance(4 * time.Second)
	other.TellAll(t.Context())
	if l.calls() != 0 {
		t.Error("told at once by a stranger")
	}
	at.Advance(7 * time.Second)
	other.TellAll(t.Context())
	r.TellAll(t.Context())
	if l.calls() != 1 {
		t.Errorf("told %d times", l.calls())
	}
}

// TestWebhookNotAtPrivateAddress: a name that was public when the job was handed in and is private when it is called, or was never checked.
func TestWebhookNotAtPrivateAddress(t *testing.T) {
	l := listen(t)
	at := jobstest.NewClock()
	r := newRig(t, l.reach, func(d *jobs.Deps) { d.Now = at.Now })
	j := r.ended(l.URL)
	strict := jobs.New(jobs.Deps{Store: r.store, Now: at.Now, Webhook: jobs.Webhook{Secret: []byte("s"), Ports: r.Webhook.Ports}})
	shut := jobs.New(jobs.Deps{Store: r.store, Now: at.Now, Webhook: jobs.Webhook{Secret: []byte("s"), Allow: r.Webhook.Allow}})
	for range 20 {
		strict.TellAll(t.Context())
		shut.TellAll(t.Context())
		at.Advance(time.Second)
	}
	if got, _ := r.Get(t.Context(), nil, j.ID); l.calls() != 0 || got.Told {
		t.Errorf("called %d times", l.calls())
	}
}
