// Package audit keeps the log of what operators do: who did what, on what, and what came of it. Its lines hang together by their hashes, so that a line that was
// changed or taken out shows. It exists apart from the ordinary log because it must not lose lines: what cannot be written down is not done.
package audit

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// Act is what somebody does or tries to do.
type Act struct {
	Action string // such as cache.purge
	Target string // on what: a model, a job; "" for all
	Who    Who
}

// Who is on whose behalf and from where.
type Who struct {
	Caller    string // the id of the key or the subject of the token; "" where authentication is off or has failed
	Tenant    string
	Address   string // host:port of the connection
	RequestID string
}

// The stages of a line.
const (
	Asked   = "asked"   // before it is done
	Ended   = "ended"   // afterwards; Outcome says how
	Refused = "refused" // it was not allowed; Outcome says why
	Mended  = "mended"  // the end of the file was torn, as by a crash, and was cut off
)

// Done is the outcome of what succeeded; other outcomes are the codes of problem documents.
const Done = "done"

// Entry is one line.
type Entry struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Stage     string    `json:"stage"`
	Action    string    `json:"action"`
	Target    string    `json:"target,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Caller    string    `json:"caller,omitempty"`
	Tenant    string    `json:"tenant,omitempty"`
	Address   string    `json:"address,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Begun     uint64    `json:"begun,omitempty"`   // of an ended line: the seq of its asked line
	Skipped   uint64    `json:"skipped,omitempty"` // refused lines before this one that were left out, because they were too many
	Prev      string    `json:"prev"`              // the hash of the line before; 64 zeros in the first
}

const (
	mostText     = 256 // bytes of one field of a line
	refusedBurst = 50  // refused lines in a row
	refusedRate  = 5   // a second; anybody can cause them, and they must not fill the disk
)

// Log is an audit log. It is safe for concurrent use.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	chain   chain
	file    *file // nil: the ordinary log alone
	tokens  float64
	filled  time.Time // when tokens was right
	skipped uint64
}

// Open continues the log at path, or begins it. path "": lines go to log alone, where they carry audit=true. Lines of a file go to log as well, so that its newest
// hash is known in another place.
func Open(path string, log *slog.Logger, now func() time.Time) (*Log, error) {
	l := &Log{log: log, now: now, chain: chain{prev: genesis}, tokens: refusedBurst, filled: now()}
	if path == "" {
		return l, nil
	}
	f, torn, err := openFile(path, &l.chain)
	if err != nil {
		return nil, err
	}
	l.file = f
	if torn == "" {
		return l, nil
	}
	if err := l.write(Entry{Stage: Mended, Action: "audit.open", Target: torn}); err != nil {
		_ = f.close()
		return nil, err
	}
	return l, nil
}

// Begin writes that something is about to be done. done has to be called once with its outcome; a nil error is success. Errors: Unavailable audit_unavailable where
// the line could not be written; then it must not be done.
func (l *Log) Begin(ctx context.Context, act Act) (done func(err error), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := entry(&act)
	asked.Stage = Asked
	if err := l.write(asked); err != nil {
		l.log.LogAttrs(ctx, slog.LevelError, "an action was refused, because the audit log cannot be written", slog.String("action", asked.Action), slog.String("cause", err.Error()))
		return nil, fault.New(fault.Unavailable, "audit_unavailable", "this cannot be written down in the audit log (audit_log), so it is not done; make its disk writable, and ask again").Wrap(err)
	}
	begun := l.chain.seq
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		ended := entry(&act)
		ended.Stage, ended.Begun, ended.Outcome = Ended, begun, Outcome(err)
		if err := l.write(ended); err != nil { // it has been done: the asked line and this one tell
			l.log.LogAttrs(ctx, slog.LevelError, "the outcome of an action is missing in the audit log", slog.String("action", ended.Action), slog.String("target", ended.Target),
				slog.String("outcome", ended.Outcome), slog.Uint64("begun", begun), slog.String("cause", err.Error()))
		}
	}, nil
}

// Refused writes that something was not allowed; outcome is the code of the answer. Of very many, some are left out and counted.
func (l *Log) Refused(ctx context.Context, act Act, outcome string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.tokens = min(refusedBurst, l.tokens+refusedRate*max(0, now.Sub(l.filled).Seconds()))
	l.filled = now
	if l.tokens < 1 {
		l.skipped++
		return
	}
	l.tokens--
	e := entry(&act)
	e.Stage, e.Outcome, e.Skipped = Refused, clip(outcome), l.skipped
	if err := l.write(e); err != nil {
		l.skipped++
		l.log.LogAttrs(ctx, slog.LevelError, "the audit log cannot be written", slog.String("cause", err.Error()))
		return
	}
	l.skipped = 0
}

// Close ends the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.close()
}

// write adds one line. The caller holds mu. The chain goes on only when the line is in the file.
func (l *Log) write(e Entry) error {
	e.Time = l.now().UTC()
	line, next, err := l.chain.add(e)
	if err != nil {
		return err
	}
	if l.file != nil {
		if err := l.file.write(line); err != nil {
			return err
		}
	}
	l.chain = next
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "audit", slog.Bool("audit", true), slog.Uint64("seq", next.seq), slog.String("stage", e.Stage), slog.String("action", e.Action),
		slog.String("target", e.Target), slog.String("outcome", e.Outcome), slog.String("caller", e.Caller), slog.String("tenant", e.Tenant), slog.String("address", e.Address),
		slog.String("request_id", e.RequestID), slog.String("hash", next.prev))
	return nil
}

func entry(a *Act) Entry {
	return Entry{Action: clip(a.Action), Target: clip(a.Target), Caller: clip(a.Who.Caller), Tenant: clip(a.Who.Tenant), Address: clip(a.Who.Address), RequestID: clip(a.Who.RequestID)}
}

// clip bounds what callers can put into a line, and makes it text.
func clip(text string) string {
	if len(text) > mostText {
		text = text[:mostText]
	}
	return strings.ToValidUTF8(text, "?")
}

// Outcome is the word for how something ended.
func Outcome(err error) string {
	if err == nil {
		return Done
	}
	if f := fault.KindOf(err); f == fault.Internal {
		return "internal"
	}
	return clip(codeOf(err))
}
