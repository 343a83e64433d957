package quota

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is counted time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func rate(t testing.TB, u Unit, text string) Limit {
	t.Helper()
	l, err := ParseRate(u, text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func daily(t testing.TB, u Unit, text string) Limit {
	t.Helper()
	l, err := ParseDaily(u, text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newLimiter(t testing.TB, c Config) *Limiter {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// local makes a limiter of one tier in counted time.
func local(t testing.TB, tier Tier) (*Limiter, *clock) {
	c := newClock()
	return newLimiter(t, Config{Tiers: map[string]Tier{DefaultTier: tier}, Now: c.now}), c
}

var web = Subject{ID: "web"}

// in wants a request to come in.
func in(t testing.TB, l *Limiter, who Subject, announced int64) *Pass {
	t.Helper()
	p, err := l.Enter(t.Context(), who, announced)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// out wants a request to be refused, and gives when it may come again.
func out(t testing.TB, l *Limiter, who Subject, words string) time.Duration {
	t.Helper()
	_, err := l.Enter(t.Context(), who, 0)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.RateLimited || f.Code != "rate_limited" || f.RetryAfter <= 0 {
		t.Fatalf("not refused: %v", err)
	}
	if !strings.Contains(f.Detail, words) {
		t.Fatalf("%q lacks %q", f.Detail, words)
	}
	return f.RetryAfter
}

func TestRequests(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{rate(t, Requests, "4/2s")}})
	for range 4 {
		in(t, l, web, 0).Leave()
	}
	if after := out(t, l, web, "the quota of requests is used up, 4 in 2s; come again in 1 second (the operator raises quotas.tiers.default.requests)"); after != 500*time.Millisecond {
		t.Error(after)
	}
	in(t, l, Subject{ID: "other"}, 0).Leave() // has buckets of its own
	c.add(499 * time.Millisecond)
	if after := out(t, l, web, ""); after != time.Millisecond {
		t.Error(after)
	}
	c.add(time.Millisecond)
	in(t, l, web, 0).Leave()
	out(t, l, web, "")
	c.add(time.Hour)
	for range 4 { // no more than it holds
		in(t, l, web, 0).Leave()
	}
	out(t, l, web, "")
}

func TestCostIsSettled(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{rate(t, Pixels, "10/s"), rate(t, Inference, "1s/s"), rate(t, Bytes, "1MB/s")}})
	p := in(t, l, web, 400_000)
	p.Add(Pixels, 30e6)
	p.Add(Inference, 500)
	p.Add(Bytes, 100_000) // what was announced did not all come
	want(t, l, web, Pixels, 10e6)
	want(t, l, web, Bytes, 600_000)
	p.Leave()
	p.Leave()
	want(t, l, web, Pixels, -20e6)
	want(t, l, web, Inference, 500)
	want(t, l, web, Bytes, 900_000)
	after := out(t, l, web, "megapixels is used up, 10 megapixels in 1s; come again in 3 seconds (the operator raises quotas.tiers.default.megapixels)")
	c.add(after)
	next := in(t, l, web, 0) // the last one's cost is guessed: an eighth of it, at first
	want(t, l, web, Pixels, 10-30e6/8)
	next.Leave() // was answered from the cache: nothing of that
	want(t, l, web, Pixels, 10)
	want(t, l, web, Inference, 1000)
	p.Add(Pixels, 5e6) // a computation that outlived its request
	want(t, l, web, Pixels, 10-5e6)
}

// want checks a bucket.
func want(t testing.TB, l *Limiter, who Subject, u Unit, level float64) {
	t.Helper()
	a := l.account(who)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.limits {
		if a.limits[i].Unit == u {
			if got := a.buckets[i].left(); got < level-1 || got > level+1 {
				t.Errorf("%s: %.1f, not %.1f", u, got, level)
			}
		}
	}
}

func TestItemsCountEach(t *testing.T) {
	l, _ := local(t, Tier{Limits: []Limit{rate(t, Requests, "10/m")}})
	p := in(t, l, web, 0)
	for range 13 {
		p.Item()
	}
	p.Leave()
	want(t, l, web, Requests, -3)
	if after := out(t, l, web, ""); after != 24*time.Second {
		t.Error(after)
	}
}

func TestDailyBudget(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{daily(t, Requests, "2")}})
	in(t, l, web, 0).Leave()
	in(t, l, web, 0).Leave()
	if after := out(t, l, web, "the day's budget of requests is used up, 2; it is full again at midnight UTC, in 12h (the operator raises quotas.tiers.default.daily.requests)"); after != 12*time.Hour {
		t.Error(after)
	}
	c.add(12*time.Hour - 1)
	if after := out(t, l, web, ""); after != 1 {
		t.Error(after)
	}
	c.add(1)
	in(t, l, web, 0).Leave()
	c.add(-time.Hour) // a clock that is set back
	in(t, l, web, 0).Leave()
	out(t, l, web, "")
	c.add(time.Hour)
	out(t, l, web, "")
}

func TestConcurrency(t *testing.T) {
	l, c := local(t, Tier{Concurrency: 2, Together: 3})
	first, second := in(t, l, web, 0), in(t, l, web, 0)
	out(t, l, web, "2 of your requests are under way already, and so many are allowed at a time; wait for one to end (the operator raises quotas.tiers.default.concurrency)")
	third := in(t, l, Subject{ID: "other"}, 0)
	out(t, l, Subject{ID: "another"}, "3 requests of your tier are under way")
	c.add(8 * time.Second)
	first.Leave()
	first.Leave()
	in(t, l, web, 0)
	if after := out(t, l, web, ""); after != time.Second { // an eighth of 8 s
		t.Error(after)
	}
	second.Leave()
	third.Leave()
	in(t, l, web, 0).Leave()
}

func TestRefusedRequestsCostNothing(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{rate(t, Requests, "1/m"), rate(t, Bytes, "1GB/s")}})
	in(t, l, web, 0).Leave()
	for range 100 {
		if _, err := l.Enter(t.Context(), web, 1e6); err == nil {
			t.Fatal("let in")
		}
	}
	want(t, l, web, Bytes, 1e9)
	c.add(time.Minute)
	in(t, l, web, 0).Leave()
}

func TestTheLongestWaitIsTold(t *testing.T) {
	l, _ := local(t, Tier{Limits: []Limit{rate(t, Requests, "1/m"), daily(t, Requests, "1")}})
	in(t, l, web, 0).Leave()
	if after := out(t, l, web, "the day's budget"); after != 12*time.Hour {
		t.Error(after)
	}
}

func TestTiers(t *testing.T) {
	var log bytes.Buffer
	l := newLimiter(t, Config{Tiers: map[string]Tier{DefaultTier: {Limits: []Limit{rate(t, Requests, "1/h")}}, "gold": {Limits: []Limit{rate(t, Requests, "2/h")}}},
		Log: slog.New(slog.NewTextHandler(&log, nil)), Now: newClock().now})
	in(t, l, Subject{ID: "a", Tier: "gold"}, 0)
	in(t, l, Subject{ID: "a", Tier: "gold"}, 0)
	out(t, l, Subject{ID: "a", Tier: "gold"}, "quotas.tiers.gold.requests")
	in(t, l, Subject{ID: "b", Tier: "silver"}, 0)
	out(t, l, Subject{ID: "b", Tier: "silver"}, "quotas.tiers.default.requests")
	in(t, l, Subject{ID: "c", Tier: "silver"}, 0)
	if n := strings.Count(log.String(), "tier=silver"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	none := newLimiter(t, Config{Tiers: map[string]Tier{"gold": {}}})
	if p := in(t, none, web, 0); p != nil {
		t.Error("a caller without a tier is counted where there is no default")
	}
	var p *Pass // of who is not counted
	p.Add(Pixels, 1)
	p.Item()
	p.Leave()
	if a, b := p.RateLimit(); a != nil || b != nil {
		t.Error(a, b)
	}
}

func TestDryRun(t *testing.T) {
	var log bytes.Buffer
	c := newClock()
	l := newLimiter(t, Config{Tiers: map[string]Tier{DefaultTier: {Limits: []Limit{rate(t, Requests, "1/m")}, Concurrency: 2}}, DryRun: true,
		Log: slog.New(slog.NewTextHandler(&log, nil)), Now: c.now})
	first := in(t, l, web, 0)
	if limit, _ := first.Would(); limit != "" {
		t.Error(limit)
	}
	for range 3 {
		p := in(t, l, web, 0)
		if limit, after := p.Would(); limit != "requests" || after != time.Minute {
			t.Error(limit, after)
		}
		p.Add(Pixels, 1)
		p.Leave()
	}
	want(t, l, web, Requests, 0) // as if they had been refused
	if n := strings.Count(log.String(), "would have been refused"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	if s := l.Stats(); !s.DryRun || s.Tiers[0].Refused["requests"] != 3 {
		t.Errorf("%+v", s)
	}
}

func TestBodyIsCounted(t *testing.T) {
	l, _ := local(t, Tier{Limits: []Limit{rate(t, Bytes, "1000/s")}})
	p := in(t, l, web, 0)
	if _, err := io.Copy(io.Discard, p.Body(io.NopCloser(strings.NewReader(strings.Repeat("x", 700))))); err != nil {
		t.Fatal(err)
	}
	p.Leave()
	want(t, l, web, Bytes, 300)
}

func TestFromContext(t *testing.T) {
	if From(t.Context()) != nil {
		t.Error("a pass where there is none")
	}
	l, _ := local(t, Tier{Concurrency: 1})
	p := in(t, l, web, 0)
	type other struct{}
	if From(p) != p || p.Value(other{}) != nil {
		t.Error("the pass is not found in its context")
	}
}

func TestAccountsAreForgotten(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{rate(t, Requests, "2/s")}})
	for round := range 5 {
		for i := range firstSweep {
			in(t, l, Subject{Kind: Address, ID: fmt.Sprint(round, i)}, 0).Leave()
		}
		c.add(2 * time.Second)
	}
	if n := len(l.accounts); n > 2*firstSweep {
		t.Errorf("%d accounts", n)
	}
}

func TestManyCallersShareAnAccount(t *testing.T) {
	l, _ := local(t, Tier{Limits: []Limit{daily(t, Requests, "5")}})
	for i := range mostAccounts {
		in(t, l, Subject{Kind: Address, ID: fmt.Sprint(i)}, 0).Leave()
	}
	for i := range 5 {
		in(t, l, Subject{Kind: Address, ID: fmt.Sprint("more", i)}, 0).Leave()
	}
	out(t, l, Subject{Kind: Address, ID: "one too many"}, "")
	in(t, l, Subject{Kind: Address, ID: "7"}, 0).Leave() // one that is known
	if n := len(l.accounts); n > mostAccounts+1 {
		t.Errorf("%d accounts", n)
	}
}
