package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRate(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 1000: time.Second, 500: 500 * time.Millisecond, 1_000_000_000: 1_000_000 * time.Second} {
		if got := Rate(1000).For(n); got != want {
			t.Errorf("%d bytes: %v, want %v", n, got, want)
		}
	}
	if got := Rate(0).For(1); got != Slack {
		t.Errorf("any rate: %v", got)
	}
	if got := Rate(1).For(1 << 40); got <= 0 {
		t.Errorf("a very long one: %v", got)
	}
}

// A body has Grace to begin, then its bytes buy time, and never more than Slack of it.
func TestPace(t *testing.T) {
	start := time.Unix(1000, 0)
	p := Begin(1000, start)
	if !p.Moved() || p.Moved() || p.Late(start.Add(Grace)) || !p.Late(start.Add(Grace+1)) {
		t.Fatalf("at first: %+v", p)
	}
	for i := range 100 { // at the rate exactly
		now := start.Add(time.Duration(i+1) * time.Second)
		if p.Late(now) {
			t.Fatalf("late after %d s at the rate", i+1)
		}
		p.Took(1000, now)
		if !p.Moved() {
			t.Fatal("the deadline stands")
		}
	}
	for i := range 20 { // at half of it
		now := start.Add(time.Duration(101+i) * time.Second)
		if p.Late(now) {
			if i < 3 {
				t.Errorf("late after %d s", i)
			}
			break
		}
		p.Took(500, now)
		if i == 19 {
			t.Error("half of the rate is enough")
		}
	}
	fast := Begin(1000, start)
	fast.Took(1<<30, start)
	if !fast.Until().Equal(start.Add(Slack)) {
		t.Errorf("a fast one may rest until %v", fast.Until())
	}
	fast.Took(0, start.Add(time.Second))
	if !fast.Until().Equal(start.Add(Slack)) {
		t.Error("nothing buys time")
	}
	if e := TooSlow(1000); e.Kind != fault.Timeout || e.Code != "body_too_slow" {
		t.Error(e)
	}
}

func TestAPlaceIsKeptForAMomentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var places Places
		var held, asked atomic.Int64
		admit := func(n int64) (func(), error) {
			held.Add(n)
			asked.Add(1)
			return func() { held.Add(-n) }, nil
		}
		for _, c := range []struct {
			name               string
			length, size       int64
			takes              time.Duration
			before, here, asks int64
		}{
			{"swift", 100, 100, 0, 100, 100, 1},
			{"slow", 100, 100, time.Second, 0, 100, 2},
			{"of unknown length", -1, 100, 0, Earnest, Earnest, 1},
			{"long", 5 * Earnest, 5 * Earnest, 0, Earnest, 5 * Earnest, 2},
			{"long and slow", 5 * Earnest, 5 * Earnest, time.Minute, 0, 5 * Earnest, 2},
		} {
			asked.Store(0)
			release, err := places.Receive(c.length, admit, func() (int64, error) {
				time.Sleep(c.takes)
				synctest.Wait()
				if held.Load() != c.before {
					t.Errorf("%s: %d held while it comes", c.name, held.Load())
				}
				return c.size, nil
			})
			if err != nil || held.Load() != c.here || asked.Load() != c.asks {
				t.Errorf("%s: %v, %d held, asked %d times", c.name, err, held.Load(), asked.Load())
			}
			release()
			if held.Load() != 0 {
				t.Errorf("%s: %d are left", c.name, held.Load())
			}
		}
	})
}

func TestAPlaceThatIsRefusedLeavesNothing(t *testing.T) {
	var places Places
	full, broken := errors.New("full"), errors.New("broken")
	held, calls := 0, 0
	admit := func(int64) (func(), error) {
		if calls++; calls == 2 {
			return nil, full
		}
		held++
		return func() { held-- }, nil
	}
	if _, err := places.Receive(-1, admit, func() (int64, error) { return 2 * Earnest, nil }); !errors.Is(err, full) || held != 0 {
		t.Errorf("%v, %d held", err, held)
	}
	if _, err := places.Receive(-1, admit, func() (int64, error) { return 0, broken }); !errors.Is(err, broken) || held != 0 {
		t.Errorf("%v, %d held", err, held)
	}
	calls = 1
	if _, err := places.Receive(-1, admit, func() (int64, error) { t.Error("read"); return 0, nil }); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestPromise(t *testing.T) {
	p := NewPromise(100)
	if !p.Lend(60) || p.Lend(50) || p.Lend(101) || !p.Lend(40) || p.Lent() != 100 {
		t.Errorf("%d are lent", p.Lent())
	}
	p.Back(60)
	if p.Lent() != 40 || !(*Promise)(nil).Lend(1<<40) {
		t.Errorf("%d are lent", p.Lent())
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3::4%eth0]:5": "2001:db8:1:2::"} {
		if got := address(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text))); got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if address(&net.UnixAddr{}).IsValid() {
		t.Error("a socket's file is an address")
	}
}

// behind serves HTTP behind a door.
func behind(t *testing.T, l Limits, header time.Duration, h http.Handler) (*Door, *Counts, string) {
	t.Helper()
	counts := &Counts{}
	d := NewDoor(l, counts)
	s := httptest.NewUnstartedServer(d.Calls(h))
	s.Listener = d.Behind(s.Listener)
	s.Config.ConnState, s.Config.ConnContext = d.State, d.Context
	s.Config.ReadHeaderTimeout = header
	s.Start()
	t.Cleanup(s.Close)
	return d, counts, s.Listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c
}

func TestOneConnectionTooMany(t *testing.T) {
	for reason, l := range map[Reason]Limits{Full: {Connections: 2}, PerAddress: {Connections: 9, PerAddress: 2}} {
		hold := make(chan struct{})
		d, counts, at := behind(t, l, time.Minute, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			<-hold
		}))
		t.Cleanup(func() { close(hold) }) // before the server is closed
		var first net.Conn
		for i := range 2 {
			c := dial(t, at)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = c
			}
		}
		if third, err := net.Dial("tcp", at); err == nil { // it may be closed before it is known to be open
			if _, err = third.Read(make([]byte, 1)); err == nil {
				t.Errorf("%v: a third is served", reason)
			}
			_ = third.Close()
		}
		parts.Until(t, "the third is counted", 2*time.Minute, func() bool { return counts.Of(reason) == 1 })
		if counts.Of(reason) != 1 || d.Open() != 2 {
			t.Errorf("%v: counted %d, %d open", reason, counts.Of(reason), d.Open())
		}
		_ = first.Close()
	}
}

func TestASlowHeaderIsCounted(t *testing.T) {
	_, counts, at := behind(t, Limits{}, 100*time.Millisecond, http.NotFoundHandler())
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: "} {
		c := dial(t, at)
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
	parts.Until(t, "both are counted, which is when the server has ended them", 2*time.Minute, func() bool { return counts.Of(SlowHeader) == 2 })
}

func TestRatio(t *testing.T) {
	var r Ratio
	now := time.Unix(1, 0)
	many := 0
	for range 1000 {
		r.Made(now)
		if r.GivenUp(100) {
			many++
		}
	}
	if many != 900 {
		t.Errorf("%d of 1,000 are too many", many)
	}
	r.Made(now.Add(resetWindow + 1))
	if r.GivenUp(100) {
		t.Error("a window does not end")
	}
	half := Ratio{}
	for i := range 10_000 {
		half.Made(now)
		if i%3 == 0 && half.GivenUp(100) {
			t.Fatal("a third of the calls is too many")
		}
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	(*Counts)(nil).Add(Full)
	new(Counts).Each(func(r Reason, n uint64) { seen[r.String()] = n == 0 })
	if len(seen) != int(reasons) || seen[""] || Reason(200).String() != "other" {
		t.Errorf("%v", seen)
	}
}
