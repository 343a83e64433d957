package jobs

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"triton-gateway/internal/fetch"
)

// Webhook is how callers are told that a job is final: by a POST of {"id","state","model","links"}, at least once. Whoever is told takes a second
// one for the same job and state as the first.
//
// The header Webhook-Signature is "t=<unix seconds>,v1=<hex>", with the HMAC-SHA256 of "<t>.<body>" by Secret; Webhook-Id is the job's id. Any 2xx ends
// it, and so does 410; others are tried again, ever more rarely, for a day.
type Webhook struct {
	Secret []byte         // none: jobs with a webhook are refused
	Allow  []netip.Prefix // networks that may be called though they are private
	Ports  []int          // that may be called; none: 80, 443, 8080, 8443
	Base   string         // of the links, such as https://gateway.example; "": they begin with the path
}

const (
	tellTime     = 10 * time.Second // of one call
	tellDay      = 24 * time.Hour   // after the job's end, until it is given up
	tellFirst    = 2 * time.Second  // between the first call and the second
	tellRarest   = time.Hour
	tellStranger = 5 * time.Second // that a process leaves to the one that ended the job, at least
	tellAtOnce   = 8
	tellKnown    = 10_000   // jobs that ended here and are not told yet, at most; the others are found as another process's are
	answerMost   = 64 << 10 // bytes of an answer that are read
)

// tells is what this process knows of webhooks. The store knows which are to be told; this is only when.
type tells struct {
	client *http.Client
	guard  *fetch.Guard
	news   chan struct{} // a job of this process is final

	mu   sync.Mutex
	jobs map[string]*telling
}

type telling struct {
	tries int
	next  time.Time
}

func newTells(w Webhook) tells {
	ports := w.Ports
	if len(ports) == 0 {
		ports = []int{80, 443, 8080, 8443}
	}
	guard := fetch.NewGuard(w.Allow, ports, "jobs.webhook_ports")
	dialer := &net.Dialer{Timeout: tellTime / 2, Control: guard.Control}
	return tells{
		guard: guard,
		news:  make(chan struct{}, 1),
		jobs:  map[string]*telling{},
		client: &http.Client{
			Timeout:       tellTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // no proxy: it would resolve the name again
				DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: tellTime / 2, ResponseHeaderTimeout: tellTime,
				MaxResponseHeaderBytes: answerMost, ForceAttemptHTTP2: false,
			},
		},
	}
}

// mine notes that a job ended here: this process tells first.
func (t *tells) mine(id string) {
	t.mu.Lock()
	if len(t.jobs) < tellKnown {
		t.jobs[id] = &telling{}
	}
	t.mu.Unlock()
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// due reports whether it is time to tell, and when it was tried how often.
func (t *tells) due(j *Job, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.jobs[j.ID]
	if k == nil {
		k = &telling{next: j.Finished.Add(tellStranger + spread(tellStranger))}
		t.jobs[j.ID] = k
	}
	return !now.Before(k.next)
}

// again sets the time of the next try.
func (t *tells) again(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.jobs[id]
	if k == nil {
		k = &telling{}
		t.jobs[id] = k
	}
	wait := min(tellFirst<<min(k.tries, 20), tellRarest)
	k.tries, k.next = k.tries+1, now.Add(wait/2+spread(wait/2))
}

// keep forgets all but the given ones, and those that ended here meanwhile.
func (t *tells) keep(ids map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, k := range t.jobs {
		if !ids[id] && (k.tries > 0 || !k.next.IsZero()) {
			delete(t.jobs, id)
		}
	}
}

func (t *tells) forget(id string) {
	t.mu.Lock()
	delete(t.jobs, id)
	t.mu.Unlock()
}

// sign is the value of Webhook-Signature.
func sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	_, _ = fmt.Fprintf(mac, "%s.%s", t, body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// tell calls a job's webhook. gone means that it asks not to be called again.
func (s *Service) tell(ctx context.Context, j *Job) (gone bool, err error) {
	self := s.Webhook.Base + "/v1/jobs/" + j.ID
	body, _ := json.Marshal(struct {
		ID    string            `json:"id"`
		State State             `json:"state"`
		Model string            `json:"model"`
		Links map[string]string `json:"links"`
	}{j.ID, j.State, j.Model, map[string]string{"self": self, "events": self + "/events"}}) // text only: cannot fail
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, j.Webhook, bytes.NewReader(body))
	if err != nil {
		return true, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "triton-gateway")
	r.Header.Set("Webhook-Id", j.ID)
	r.Header.Set("Webhook-Signature", sign(s.Webhook.Secret, body, s.Now()))
	answer, err := s.tells.client.Do(r)
	if err != nil {
		return false, err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, answerMost)
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode/100 == 2:
		return false, nil
	case answer.StatusCode == http.StatusGone:
		return true, fmt.Errorf("the webhook answered %s", answer.Status)
	}
	return false, fmt.Errorf("the webhook answered %s", answer.Status)
}
