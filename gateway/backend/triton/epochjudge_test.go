package triton

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const half = 500 * time.Millisecond
	seen := func(count, ns uint64) counters {
		var c counters
		c[successCount], c[successTime] = count, ns
		return c
	}
	for name, c := range map[string]struct {
		r    record
		o    observation
		want verdict
		why  string
	}{
		"nothing happened":                     {record{Seen: seen(9, 99)}, observation{counters: seen(9, 99), since: half}, keep, ""},
		"nothing happened for a day":           {record{Seen: seen(9, 99)}, observation{counters: seen(9, 99), since: 24 * time.Hour, lost: true}, keep, ""},
		"never called, watched":                {record{}, observation{since: half}, keep, ""},
		"never called, unwatched":              {record{}, observation{since: time.Minute}, renew, "watched"},
		"never called, connection lost":        {record{}, observation{since: half, lost: true}, renew, "lost"},
		"count fell":                           {record{Seen: seen(9, 99)}, observation{counters: seen(8, 100), since: half}, renew, "fell"},
		"time fell":                            {record{Seen: seen(9, 99)}, observation{counters: seen(10, 98), since: half, own: share{Least: 1, Most: 1}}, renew, "fell"},
		"same count, other time":               {record{Seen: seen(9, 99)}, observation{counters: seen(9, 100), since: half}, renew, "another load's"},
		"not ready in between":                 {record{Seen: seen(9, 99), Gone: true}, observation{counters: seen(9, 99), since: half}, renew, "not ready"},
		"grew by own calls":                    {record{Base: 9, Seen: seen(9, 99)}, observation{counters: seen(12, 120), since: half, own: share{Least: 3, Most: 3}}, keep, ""},
		"own calls are missing":                {record{Base: 1000, Seen: seen(5000, 99)}, observation{counters: seen(6000, 120), since: half, own: share{Least: 5001, Most: 5001}}, renew, "5001 own calls"},
		"others' calls are missing":            {record{Base: 0, Seen: seen(5000, 99), Left: share{Least: 3000, Most: 3000}, Shares: map[string]share{"b": {Least: 2500, Most: 2500}}}, observation{counters: seen(5400, 120), since: half}, renew, "5500 own calls"},
		"strangers' calls, young":              {record{Seen: seen(9, 99)}, observation{counters: seen(10, 120), since: half}, renew, "no gateway"},
		"strangers' calls, old":                {record{Seen: seen(64, 99)}, observation{counters: seen(100, 120), since: half}, keep, ""},
		"old is older after a longer time":     {record{Seen: seen(64, 99)}, observation{counters: seen(100, 120), since: 4 * time.Second}, renew, "no gateway"},
		"perhaps another gateway's calls":      {record{Seen: seen(9, 99), Shares: map[string]share{"b": {}}}, observation{counters: seen(10, 120), since: half}, suspect, ""},
		"another gateway's calls":              {record{Seen: seen(9, 99), Shares: map[string]share{"b": {Least: 0, Most: 10}}}, observation{counters: seen(10, 120), since: half}, keep, ""},
		"a gateway's that has gone":            {record{Seen: seen(9, 99), Left: share{Least: 0, Most: 10}}, observation{counters: seen(10, 120), since: half}, keep, ""},
		"a gateway's that were counted before": {record{Seen: seen(9, 99), Told: 9, Shares: map[string]share{"b": {Most: 10, At: 9}}}, observation{counters: seen(11, 120), since: half}, suspect, ""},
		"own that were counted before":         {record{Seen: seen(9, 99), Told: 9}, observation{counters: seen(11, 120), since: half, own: share{Most: 10, At: 9}}, renew, "no gateway"},
		"own after those told":                 {record{Seen: seen(9, 99), Told: 9}, observation{counters: seen(11, 120), since: half, own: share{Most: 11, At: 9}}, keep, ""},
		"own old share is not counted twice":   {record{Seen: seen(9, 99), Shares: map[string]share{"self": {Least: 0, Most: 10}}}, observation{counters: seen(10, 120), since: half}, renew, "no gateway"},
		"idle, but own calls are missing":      {record{Seen: seen(9, 99)}, observation{counters: seen(9, 99), since: half, own: share{Least: 10, Most: 10}}, renew, "10 own calls"},
		"idle, but in doubt":                   {record{Seen: seen(9, 99), Doubt: true, Shares: map[string]share{"b": {}}}, observation{counters: seen(9, 99), since: half}, suspect, ""},
		"idle, in doubt, and alone":            {record{Seen: seen(900, 99), Doubt: true}, observation{counters: seen(900, 99), since: half}, renew, "no gateway"},
		"grew unwatched":                       {record{Base: 9, Seen: seen(9, 99)}, observation{counters: seen(12, 120), since: 6 * time.Second, own: share{Least: 3, Most: 3}}, renew, "watched"},
		"grew over a lost connection, few":     {record{Base: 9, Seen: seen(900, 99)}, observation{counters: seen(901, 120), since: half, lost: true, own: share{Least: 1, Most: 1000}}, renew, "lost"},
		"grew over a lost connection, many":    {record{Base: 9, Seen: seen(90_000, 99)}, observation{counters: seen(90_001, 120), since: half, lost: true}, keep, ""},
		"metrics: same load":                   {record{Seen: seen(9, 99), Load: "1.5"}, observation{counters: seen(10, 120), since: time.Hour, lost: true, load: "1.5"}, keep, ""},
		"metrics: another load":                {record{Seen: seen(9, 99), Load: "1.5"}, observation{counters: seen(9, 99), since: half, load: "1.25"}, renew, "metrics"},
		"metrics: same, but the counters fell": {record{Seen: seen(9, 99), Load: "1.5"}, observation{counters: seen(8, 99), since: half, load: "1.5"}, renew, "fell"},
		"metrics are gone":                     {record{Seen: seen(9, 99), Load: "1.5"}, observation{counters: seen(9, 99), since: half}, keep, ""},
		"other config":                         {record{Seen: seen(9, 99)}, observation{counters: seen(9, 99), since: half, reconfigured: true}, renew, "config"},
	} {
		got, why := judge(&c.r, &c.o, "self")
		if got != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%s: got %d %q, want %d %q", name, got, why, c.want, c.why)
		}
	}
}

func TestSettledCallsAreOldEnough(t *testing.T) {
	var c callCount
	at := time.Unix(1000, 0)
	step := func(d time.Duration) tally { at = at.Add(d); return c.settled(at) }
	call := func(o outcome) { c.begin(); c.end(o) }
	call(succeeded)
	if got := step(0); got != (tally{}) {
		t.Errorf("at once: %+v", got)
	}
	call(unknown)
	if got := step(settling - 1); got != (tally{}) {
		t.Errorf("too early: %+v", got)
	}
	call(refused)
	if got := step(1); got != (tally{started: 1, succeeded: 1}) {
		t.Errorf("after settling: %+v", got)
	}
	for range 300 { // frequent looks must not push the history out
		step(time.Millisecond)
	}
	if got := step(settling); got != (tally{started: 3, succeeded: 1, refused: 1, unknown: 1}) {
		t.Errorf("later: %+v", got)
	}
	c.begin()
	if got := c.read().running(); got != 1 {
		t.Errorf("%d running, want 1", got)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	l := newLedger()
	for i := range 10_050 {
		l.of("m", string(rune(i))+"x").begin()
	}
	if n := len(l.list); n != 10_001 {
		t.Errorf("%d counts kept", n)
	}
}

func FuzzReadBook(f *testing.F) {
	good := book{Format: bookFormat, Tick: 3, Records: map[string]record{"m/1": {Epoch: randomEpoch(), Shares: map[string]share{"a": {Least: 1, Most: 2}}}}}
	f.Add(good.bytes())
	f.Add([]byte(`{"format":1,"records":{"m/1":{"e":"short"}}}`))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte("\x00garbage"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := readBook(b)
		if got.Format != bookFormat || got.Records == nil {
			t.Fatalf("got %+v", got)
		}
		for _, r := range got.Records {
			if len(r.Epoch) != epochLength {
				t.Fatalf("epoch %q", r.Epoch)
			}
		}
		if again := readBook(got.bytes()); len(again.Records) != len(got.Records) || again.Tick != got.Tick {
			t.Fatalf("%+v became %+v", got, again)
		}
	})
}

func TestABookFitsItsShelves(t *testing.T) {
	b := readBook(nil)
	now := time.Unix(1_700_000_000, 0)
	of := share{Least: 1 << 30, Most: 1 << 30, Tick: 1 << 30, Sure: 1 << 30, At: 1 << 30}
	for i := range 400 {
		r := record{Epoch: randomEpoch(), Number: 3, Base: 1 << 30, Told: 1 << 30, At: now.UnixMilli(), Config: "0123456789abcdef",
			Shares: map[string]share{"0123456789abcdef": of, "fedcba9876543210": of}}
		for k := range r.Seen {
			r.Seen[k] = 1 << 40
		}
		b.Records[modelVersion{"a-model-with-a-long-name-" + string(rune('a'+i%26)), strconv.Itoa(i)}.key()] = r
	}
	again := readBook(nil)
	for i, shelf := range b.split() {
		if size := len(shelf.bytes()); size > 64<<10 {
			t.Errorf("shelf %d has %d bytes: cache.Records takes 64 KiB", i, size)
		}
		again.add(readBook(shelf.bytes()))
	}
	if len(again.Records) != 400 {
		t.Errorf("%d records came back", len(again.Records))
	}
	b.markGone(map[string]bool{}, now)
	gone := b.Records["a-model-with-a-long-name-a/0"]
	if !gone.Gone || gone.Number != 3 || gone.Shares != nil {
		t.Errorf("got %+v", gone)
	}
	b.markGone(map[string]bool{}, now.Add(goneKept+time.Second))
	if len(b.Records) != 0 {
		t.Errorf("%d records of versions gone for a day", len(b.Records))
	}
}
