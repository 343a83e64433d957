package embedded

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
)

// maxWaiting is how many calls of one version wait for a turn at most. It bounds memory; time is bounded by what each call has left.
const maxWaiting = 1024

// Full is nil if a call of the model that is made now would run or wait; see backend.Gate. version "" stands for the highest ready one.
func (e *Engine) Full(ctx context.Context, model, version string) error {
	m, ok := (*e.shown.Load())[model]
	if !ok {
		return nil // Infer says what is wrong
	}
	if version == "" && len(m.ready) > 0 {
		version = m.ready[0].number
	}
	v, status := m.version(version)
	switch {
	case v != nil:
		if err := v.run.line.Full(ctx); err != nil {
			return err
		}
		return v.run.hopeless(ctx)
	case status != nil:
		return unavailable("model '%s' version %s is not at ready state: %s", model, version, status.Reason)
	case len(m.ready) == 0:
		return unavailable("model '%s' has no available versions: %s", model, m.reason())
	}
	return nil
}

// hopeless is nil if the time that ctx has left is enough for those who wait and for the call itself, as long as calls have taken of late. A call
// that need not wait is never refused: its own time may be another.
func (l *loaded) hopeless(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	if left, needs := time.Until(deadline), l.line.Expect(ctx); needs > left {
		return fault.New(fault.Timeout, "deadline_exceeded", "model '%s' would answer in about %v, and %v are left; allow more time or come again later",
			l.config.Name, needs.Round(time.Millisecond), left.Round(time.Millisecond)).After(needs)
	}
	return nil
}
