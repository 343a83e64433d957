package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"
)

// both writes a record by the Log and by slog, with what w does to the handlers before.
func both(t testing.TB, r slog.Record, w func(slog.Handler) slog.Handler) (got, want string) {
	t.Helper()
	var out lines
	l := NewLog(&out)
	err := w(l.Handler(slog.LevelDebug)).Handle(context.Background(), r)
	_ = l.Close()
	var b bytes.Buffer
	wanted := w(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})).Handle(context.Background(), r)
	if (err == nil) != (wanted == nil) {
		t.Errorf("%v, slog: %v", err, wanted)
	}
	return out.String(), b.String()
}

func as(h slog.Handler) slog.Handler { return h }

var moments = []time.Time{
	time.Date(2026, 2, 3, 4, 5, 6, 700_000_089, time.UTC), time.Date(2026, 2, 3, 4, 5, 6, 0, time.FixedZone("x", -19800)), time.Now(), {},
	time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
}

func TestTheBytesAreThoseOfSlog(t *testing.T) {
	values := []slog.Attr{
		slog.String("s", "/v1/models/shapes/infer"), slog.String("empty", ""), slog.String("s", `a"b\c`), slog.String("s", "\x00\n\x7f\u2028é\xff<>&"),
		slog.Int("i", -7), slog.Int64("i", math.MinInt64), slog.Uint64("u", math.MaxUint64), slog.Bool("b", true), slog.Duration("d", -time.Second),
		slog.Float64("f", 0.345), slog.Float64("f", 0), slog.Float64("f", math.Copysign(0, -1)), slog.Float64("f", 12345678), slog.Float64("f", 1e-6), slog.Float64("f", 9.99e-7),
		slog.Float64("f", 1e20), slog.Float64("f", 1e21), slog.Float64("f", math.Inf(1)), slog.Float64("f", math.NaN()), slog.Float64("f", math.SmallestNonzeroFloat64),
		slog.Time("t", moments[0]), slog.Any("e", errors.New("why\n")), slog.Any("m", map[string]int{"a": 1}), slog.Any("nil", nil), slog.Group("g", "a", 1), slog.Group("g"),
		slog.Group("", "inline", 1), {}, slog.String("", "no key"), slog.String(`k"`, "x"), slog.Any("l", slog.LevelWarn),
	}
	check := func(r slog.Record, w func(slog.Handler) slog.Handler) {
		t.Helper()
		if got, want := both(t, r, w); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for _, at := range moments {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelInfo + 1, slog.LevelError} {
			check(slog.NewRecord(at, level, "request", 0), as)
		}
	}
	all := slog.NewRecord(moments[0], slog.LevelInfo, "all \"of\" them", 0)
	for _, a := range values {
		r := slog.NewRecord(moments[0], slog.LevelInfo, "one", 0)
		r.AddAttrs(a, slog.Int("after", 1))
		check(r, as)
		check(r, func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.String("before", "x")}) })
		check(r, func(h slog.Handler) slog.Handler { return h.WithGroup("g") })
		check(r, LogHandler)
		all.AddAttrs(a)
	}
	check(all, as)
}

func TestTheLineOfARequestIsPutTogetherHere(t *testing.T) {
	r := requestLine()
	if _, ok := appendRecord(nil, &r); !ok {
		t.Error("it is left to slog")
	}
	l := NewLog(&lines{})
	defer l.Close()
	h := l.Handler(slog.LevelInfo)
	if n := testing.AllocsPerRun(1000, func() { _ = h.Handle(t.Context(), r) }); n > 0 { // room for more is made by the hundred
		t.Errorf("%v allocations", n)
	}
	if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("levels")
	}
}

func requestLine() slog.Record {
	r := slog.NewRecord(moments[0], slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("request_id", "01JD8W3V5TQ6Z2M0F4K7N9R1AB"), slog.String("method", "POST"), slog.String("path", "/v1/models/shapes/infer"), slog.Int("status", 200),
		slog.Float64("took_ms", 0.345), slog.Int64("sent", 345), slog.String("model", "shapes"), slog.String("cache", "hit"))
	return r
}

func FuzzTheBytesAreThoseOfSlog(f *testing.F) {
	f.Add(int64(1_700_000_000), "request", "path", "/v1/models/x/infer", 0.345, int64(200))
	f.Add(int64(-99_999_999_999_999), "\"", "k\\", "\xff\u2029<", 1e21, int64(-1))
	f.Fuzz(func(t *testing.T, at int64, message, key, value string, number float64, whole int64) {
		r := slog.NewRecord(time.Unix(at%(1<<40), whole%1e9).UTC(), slog.Level(whole%12), message, 0)
		r.AddAttrs(slog.String(key, value), slog.Float64("f", number), slog.Int64("i", whole))
		if got, want := both(t, r, as); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	r := requestLine()
	l := NewLog(&lines{})
	defer l.Close()
	for _, c := range []struct {
		name string
		to   slog.Handler
	}{{"here", l.Handler(slog.LevelInfo)}, {"slog", slog.NewJSONHandler(&lines{}, nil)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = c.to.Handle(b.Context(), r)
			}
		})
	}
}
