package quota

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

func wide(b testing.TB) Tier {
	return Tier{Concurrency: 1000, Limits: []Limit{rate(b, Requests, "100000000/s"), rate(b, Pixels, "90000000/s"), rate(b, Bytes, "1TiB/s"), rate(b, Inference, "1000h/s"), daily(b, Requests, "1e14")}}
}

// BenchmarkEnter is what a quota costs one request: let in, told of a cost, and left.
func BenchmarkEnter(b *testing.B) {
	run := func(name string, l *Limiter) {
		once := func(who Subject) {
			p, err := l.Enter(context.Background(), who, 1000)
			if err != nil {
				b.Fatal(err)
			}
			p.Add(Bytes, 1000)
			p.Add(Pixels, 1000)
			p.Leave()
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				once(web)
			}
		})
	}
	run("local", newLimiter(b, Config{Tiers: map[string]Tier{DefaultTier: wide(b)}}))
	l := newLimiter(b, Config{Tiers: map[string]Tier{DefaultTier: wide(b)}, Redis: parts.Redis(b).URL()})
	run("leased", l)
	b.Logf("%+v", *l.Stats().Shared)
}

// BenchmarkRoundTrip is the other way: Redis is asked for every request, by as many callers at a time as there are processors, and by 16.
func BenchmarkRoundTrip(b *testing.B) {
	server := parts.Redis(b)
	tier := newTier(DefaultTier, wide(b))
	for _, callers := range []int{1, 8} {
		b.Run(map[int]string{1: "alone", 8: "beside"}[callers], func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(callers)
			var n atomic.Int64
			work := func() {
				r, err := newRemote(server.URL(), "", exchangeFor)
				if err != nil {
					b.Error(err)
					return
				}
				defer r.close()
				a := newAccount(tier, keyPrefix+"bench", time.Now())
				for n.Add(1) <= int64(b.N) {
					if err := r.do([]call{newCall(a, &[mostLimits]offer{{want: 1}, {want: 1}, {want: 1}, {want: 1}, {want: 1}})}); err != nil {
						b.Error(err)
						return
					}
				}
			}
			b.ResetTimer()
			done := make(chan struct{})
			for range callers {
				go func() { work(); done <- struct{}{} }()
			}
			for range callers {
				<-done
			}
		})
	}
}

func TestEnterAllocatesLittle(t *testing.T) {
	l := newLimiter(t, Config{Tiers: map[string]Tier{DefaultTier: wide(t)}})
	got := testing.AllocsPerRun(1000, func() {
		p, err := l.Enter(t.Context(), web, 1000)
		if err != nil {
			t.Fatal(err)
		}
		p.Add(Pixels, 1000)
		p.Leave()
	})
	if got > 2 {
		t.Errorf("%v allocations", got)
	}
}
