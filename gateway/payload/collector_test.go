package payload

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// blocked is a sink that takes nothing until it is free.
type blocked struct{ begun, free chan struct{} }

func (b *blocked) put(ctx context.Context, _ []event) error {
	b.begun <- struct{}{}
	select {
	case <-b.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (b *blocked) close() error { return nil }

// heard is what a collector was sent.
type heard struct {
	header http.Header
	body   string
}

func collect(t *testing.T, answer func(n int) int) (url string, all func() []heard) {
	t.Helper()
	var mu sync.Mutex
	var list []heard
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		list = append(list, heard{r.Header, string(body)})
		w.WriteHeader(answer(len(list)))
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []heard {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

// TestCollector: CloudEvents' binary mode, with the collector's key.
func TestCollector(t *testing.T) {
	to, all := collect(t, func(int) int { return 202 })
	c := settings(to + "/events")
	c.Headers = map[string]string{"Authorization": "Bearer k"}
	l := start(t, c)
	p := pair("r1")
	p.Model = "my \"model\" 100% ä"
	l.Add(p)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := all()
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	for i, kind := range []string{typeRequest, typeResponse} {
		h := got[i].header
		for name, want := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "r1", "Ce-Type": kind, "Ce-Source": "urn:test", "Ce-Tenant": "a", "Ce-Modelversion": "2", "Ce-Requestid": "mine",
			"Ce-Component": "predictor", "Ce-Endpoint": "default", "Content-Type": "application/json", "Authorization": "Bearer k", "User-Agent": "triton-gateway"} {
			if h.Get(name) != want {
				t.Errorf("%s is %q, not %q", name, h.Get(name), want)
			}
		}
		if name, err := url.PathUnescape(h.Get("Ce-Inferenceservicename")); err != nil || name != p.Model {
			t.Errorf("%q: %q, %v", h.Get("Ce-Inferenceservicename"), name, err)
		}
		if at, err := time.Parse(time.RFC3339Nano, h.Get("Ce-Time")); err != nil || !at.Equal([]time.Time{p.Asked, p.Answered}[i]) {
			t.Errorf("%s: %v", h.Get("Ce-Time"), err)
		}
	}
	if got[0].body != `{"row":{"email":"me@example.com","x":1.50}}` || got[1].body != string(p.Response) {
		t.Errorf("%q", got)
	}
}

// TestTriedAgain: what may be better in a moment is sent again, what is refused is not.
func TestTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answers []int
		sent    int
		written int64
	}{
		"unavailable": {[]int{503, 429, 200}, 3, 1},
		"away":        {[]int{500, 500, 500}, 3, 0},
		"refused":     {[]int{400}, 1, 0},
		"redirect":    {[]int{302}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			to, all := collect(t, func(n int) int { return c.answers[min(n, len(c.answers))-1] })
			s := settings(to)
			s.Mode = Requests
			l := start(t, s)
			l.Add(pair("r1"))
			_ = l.Close()
			if f := l.Figures(); len(all()) != c.sent || f.Written != c.written || f.Written+f.Dropped["sink_failed"] != 1 {
				t.Errorf("sent %d times, %+v", len(all()), f)
			}
		})
	}
}

// TestHungCollector: nobody who adds waits for it, and neither does the end.
func TestHungCollector(t *testing.T) {
	free := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer s.Close()
	defer close(free)
	c := settings(s.URL)
	c.Queue, c.Timeout = 8, time.Hour
	l := start(t, c)
	added := make(chan struct{})
	go func() {
		defer close(added)
		for range 1000 {
			l.Add(pair("r"))
		}
	}()
	select {
	case <-added:
	case <-time.After(time.Minute): // never but for a bug
		t.Fatal("adding waits for the collector")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := l.Figures()
	sum := f.Written
	for _, n := range f.Dropped {
		sum += n
	}
	if f.Written != 0 || sum != 1000 || f.Dropped["queue_full"] < 900 || f.Dropped["shutdown"] == 0 || f.Bytes != 0 {
		t.Errorf("%+v", f)
	}
}
