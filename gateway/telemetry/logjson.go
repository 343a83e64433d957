package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strconv"
	"time"
)

// Handler gives the log to slog: the same bytes as those of slog.JSONHandler, for records of this level and above. A record of plain texts and
// numbers, as the line of a request is, is kept as it is and put together later; values that may change until then are put together at once.
func (l *Log) Handler(level slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	return &jsonHandler{log: l, bare: true, calm: slog.NewJSONHandler(putter{l, false}, options), urgent: slog.NewJSONHandler(putter{l, true}, options)}
}

type jsonHandler struct {
	log          *Log
	bare         bool // no attributes and groups come before those of a record
	calm, urgent slog.Handler
}

// putter is where slog writes to, one line at a time.
type putter struct {
	log    *Log
	urgent bool
}

func (p putter) Write(line []byte) (int, error) {
	p.log.put(&entry{line: bytes.Clone(line)}, len(line), p.urgent)
	return len(line), nil
}

// Dropped is that of the Log.
func (h *jsonHandler) Dropped() uint64 { return h.log.Dropped() }

func (h *jsonHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.calm.Enabled(ctx, level)
}

func (h *jsonHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.bare {
		if size, ok := sizeOf(&r); ok {
			h.log.put(&entry{record: r}, size, r.Level >= slog.LevelWarn)
			return nil
		}
	}
	if r.Level >= slog.LevelWarn {
		return h.urgent.Handle(ctx, r)
	}
	return h.calm.Handle(ctx, r)
}

func (h *jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &jsonHandler{log: h.log, calm: h.calm.WithAttrs(attrs), urgent: h.urgent.WithAttrs(attrs)}
}

func (h *jsonHandler) WithGroup(name string) slog.Handler {
	return &jsonHandler{log: h.log, calm: h.calm.WithGroup(name), urgent: h.urgent.WithGroup(name)}
}

// sizeOf is about what a record's line takes, if all its values are such as cannot change any more.
func sizeOf(r *slog.Record) (size int, ok bool) {
	size, ok = logLine/2+len(r.Message), true
	r.Attrs(func(a slog.Attr) bool {
		switch a.Value.Kind() {
		case slog.KindString:
			size += len(a.Value.String())
		case slog.KindAny, slog.KindGroup, slog.KindLogValuer:
			ok = false
		}
		size += len(a.Key)
		return ok
	})
	return size, ok
}

// appendRecord appends a record as a line, or reports that it is one for slog.
func appendRecord(b []byte, r *slog.Record) (_ []byte, ok bool) {
	if y := r.Time.Year(); y < 1 || y > 9999 || r.Time.IsZero() {
		return b, false // no time is left out, and JSON has no such years
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, r.Level.String()...)
	b = append(b, '"')
	b, ok = appendText(append(b, `,"msg":`...), r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if ok = ok && a.Key != ""; ok {
			b, ok = appendAttr(b, &a)
		}
		return ok
	})
	return append(b, '}', '\n'), ok
}

func appendAttr(b []byte, a *slog.Attr) (_ []byte, ok bool) {
	if b, ok = appendText(append(b, ','), a.Key); !ok {
		return b, false
	}
	b = append(b, ':')
	switch a.Value.Kind() {
	case slog.KindString:
		return appendText(b, a.Value.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, a.Value.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(b, a.Value.Uint64(), 10), true
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(a.Value.Duration()), 10), true
	case slog.KindBool:
		return strconv.AppendBool(b, a.Value.Bool()), true
	case slog.KindFloat64:
		f := a.Value.Float64()
		if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 { // the others are written with an exponent, or cannot be written
			return strconv.AppendFloat(b, f, 'f', -1, 64), true
		}
	}
	return b, false
}

// appendText appends a text in quotes, if it holds nothing that has to be escaped.
func appendText(b []byte, s string) ([]byte, bool) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return b, false
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true
}
