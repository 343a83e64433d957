package quota

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		unit   Unit
		text   string
		quota  float64
		window time.Duration
	}{
		{Requests, "100/s", 100, time.Second}, {Requests, "200/2s", 200, 2 * time.Second}, {Requests, " 6e3 / m", 6000, time.Minute}, {Requests, "1/31d", 1, 744 * time.Hour},
		{Pixels, "0.5/h", 500_000, time.Hour}, {Bytes, "20MiB/s", 20 << 20, time.Second}, {Bytes, "1.5 KB/s", 1500, time.Second}, {Bytes, "7/s", 7, time.Second},
		{Bytes, "2TiB/d", 2 << 40, 24 * time.Hour}, {Inference, "2s/s", 2000, time.Second}, {Inference, "1h30m/d", 5_400_000, 24 * time.Hour},
	} {
		l, err := ParseRate(c.unit, c.text)
		if err != nil || l.Quota != c.quota || l.Window != c.window || l.Unit != c.unit {
			t.Errorf("%s: %+v %v", c.text, l, err)
		}
	}
	for _, c := range []struct {
		unit Unit
		text string
	}{
		{Requests, ""}, {Requests, "/s"}, {Requests, "100"}, {Requests, "0/s"}, {Requests, "0.5/s"}, {Requests, "-1/s"}, {Requests, "NaN/s"}, {Requests, "Inf/s"}, {Requests, "1e16/s"},
		{Requests, "1/"}, {Requests, "1/0s"}, {Requests, "1/-1s"}, {Requests, "1/1.5s"}, {Requests, "1/ms"}, {Requests, "1/32d"}, {Requests, "1/99999999999s"}, {Requests, "1/s/s"},
		{Inference, "2/s"}, {Inference, "10us/s"}, {Bytes, "1XB/s"}, {Bytes, "MiB/s"}, {Pixels, "0.0000001/s"}, {Inference, "9000000h/s"},
	} {
		if l, err := ParseRate(c.unit, c.text); err == nil {
			t.Errorf("%q is taken: %+v", c.text, l)
		}
	}
	if l, err := ParseDaily(Bytes, "10GiB"); err != nil || l.Quota != 10<<30 || l.Window != 0 {
		t.Error(l, err)
	}
	if _, err := ParseDaily(Bytes, "10GiB/d"); err == nil {
		t.Error("a rate is taken for a budget")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"100/s", "20MiB/2m", "2s/s", "1e309/s", "-0/h", "0x1p4/s", "1_000/s", "５/s"} {
		f.Add(uint8(0), seed)
		f.Add(uint8(3), seed)
	}
	f.Fuzz(func(t *testing.T, unit uint8, text string) {
		l, err := ParseRate(Unit(unit%Units), text)
		if err != nil {
			return
		}
		if !(l.Quota >= 1 && l.Quota <= mostQuota) || l.Window < time.Second || l.Window > mostWindow || l.Window%time.Second != 0 || l.perSecond() <= 0 {
			t.Errorf("%q gives %+v", text, l)
		}
		if strings.Contains((&l).amount(), "e") && l.Unit != Bytes && l.Unit != Pixels {
			t.Errorf("%q is shown as %q", text, l.amount())
		}
	})
}

func FuzzReplyGuard(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\n5\r\n$2\r\n-1\r\n"))
	f.Add([]byte("$99999\r\n"))
	f.Add([]byte("*-1\r\n+OK\r\n:5\r\n-ERR x\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, parts := (&guarded{}).scan(b), true
		g := &guarded{}
		for i := range b {
			if parts = g.scan(b[i : i+1]); !parts {
				break
			}
		}
		if whole != parts {
			t.Error("how it is cut decides")
		}
	})
}

func TestHeaderForms(t *testing.T) {
	l, c := local(t, Tier{Limits: []Limit{rate(t, Requests, "10/5s"), rate(t, Pixels, "50/s"), rate(t, Bytes, "1KiB/m"), rate(t, Inference, "2s/s"), daily(t, Bytes, "1GiB")}, Concurrency: 2, Together: 9})
	p := in(t, l, web, 100)
	policy, state := p.RateLimit()
	if want := `"requests";q=10;w=5, "megapixels";q=50000000;qu="pixels";w=1, "bytes";q=1024;qu="content-bytes";w=60, "inference";q=2000;qu="milliseconds";w=1, "daily-bytes";q=1073741824;qu="content-bytes";w=86400, "concurrency";q=2;qu="concurrent-requests"`; policy[0] != want {
		t.Errorf("%s", policy[0])
	}
	if want := `"requests";r=9;t=1, "megapixels";r=50000000;t=1, "bytes";r=924;t=6, "inference";r=2000;t=1, "daily-bytes";r=1073741724;t=43200, "concurrency";r=1`; state[0] != want {
		t.Errorf("%s", state[0])
	}
	p.Add(Bytes, 100)
	p.Add(Bytes, 2048)
	p.Leave()
	refused, err := l.Enter(t.Context(), web, 0)
	if err == nil {
		t.Fatal("let in")
	}
	if _, state := refused.RateLimit(); !containsAll(state[0], `"bytes";r=0;t=66`, `"concurrency";r=2`) {
		t.Error(state[0])
	}
	refused.Leave()
	refused.Add(Bytes, 1e6) // changes nothing
	if policy, state, err := l.Look(web); err == nil || len(policy) != 1 || !containsAll(state[0], `"bytes";r=0;t=66`) {
		t.Error(policy, state, err)
	}
	c.add(time.Hour)
	if _, _, err := l.Look(web); err != nil {
		t.Error(err)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
