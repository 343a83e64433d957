package quota

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tier is a Tier at work.
type tier struct {
	name        string
	limits      []Limit
	concurrency int
	together    int
	policy      [1]string // of the header
	running     atomic.Int64
	refused     [mostLimits + 2]atomic.Uint64 // by limit; the last two are the concurrencies
	mu          sync.Mutex
	used        Cost // by requests that have ended
}

const (
	atConcurrency = mostLimits
	atTogether    = mostLimits + 1
)

func newTier(name string, t Tier) *tier {
	if len(t.Limits) == 0 && t.Concurrency <= 0 && t.Together <= 0 {
		return nil
	}
	own := &tier{name: name, limits: t.Limits, concurrency: t.Concurrency, together: t.Together}
	own.policy[0] = own.policies()
	return own
}

// limitName is the name of a place in refused.
func (t *tier) limitName(i int) string {
	switch i {
	case atConcurrency:
		return NameConcurrency
	case atTogether:
		return NameTogether
	}
	return t.limits[i].Name()
}

// quotaUnits are the units in RateLimit-Policy. Pixels and milliseconds are not in the draft's list.
var quotaUnits = [Units]string{"requests", "pixels", "content-bytes", "milliseconds"}

// policies is the value of RateLimit-Policy; see draft-ietf-httpapi-ratelimit-headers-11, chapter 3.
func (t *tier) policies() string {
	var b strings.Builder
	item := func(name string, quota int64, unit string) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + name + `";q=` + strconv.FormatInt(quota, 10))
		if unit != quotaUnits[Requests] {
			b.WriteString(`;qu="` + unit + `"`)
		}
	}
	for i := range t.limits {
		l := &t.limits[i]
		item(l.Name(), int64(l.Quota), quotaUnits[l.Unit])
		window := int64(day)
		if l.Window > 0 {
			window = int64(l.Window / time.Second)
		}
		b.WriteString(";w=" + strconv.FormatInt(window, 10))
	}
	if t.concurrency > 0 {
		item(NameConcurrency, int64(t.concurrency), "concurrent-requests")
	}
	return b.String()
}

// state is the value of RateLimit for an account: what is left, and the time in which no more than that can be used; chapter 4 of the draft. It needs the account's mu.
func (a *account) state(now time.Time) string {
	var room [256]byte
	b := room[:0]
	for i := range a.limits {
		l, k := &a.limits[i], &a.buckets[i]
		left := math.Floor(k.left() + 1 - enough)
		after := k.untilFull(l, now)
		if left < 1 {
			left, after = 0, k.wait(l, now)
		}
		b = appendState(b, l.Name(), int64(left), wholeSeconds(after))
	}
	if a.concurrency > 0 {
		b = appendState(b, NameConcurrency, int64(max(a.concurrency-a.running, 0)), 0)
	}
	return string(b)
}

func appendState(b []byte, name string, left, after int64) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(append(append(b, '"'), name...), `";r=`...)
	b = strconv.AppendInt(b, left, 10)
	if after > 0 {
		b = strconv.AppendInt(append(b, ";t="...), after, 10)
	}
	return b
}

// wholeSeconds rounds up, and is at least one.
func wholeSeconds(d time.Duration) int64 {
	return max(int64((d-1)/time.Second)+1, 1)
}
