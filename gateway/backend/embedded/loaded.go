package embedded

import (
	"context"
	"sync/atomic"

	"triton-gateway/internal/limit"
	"triton-gateway/internal/priority"
	"triton-gateway/modelconfig"
)

// loaded is one load of one version. It is freed when the engine and the last run have let go of it, so that a version can be
// replaced while requests run on the earlier load.
type loaded struct {
	config  *modelconfig.Config // completed; not changed any more
	session session
	epoch   string
	threads int            // threads of one run
	loop    *tokenLoop     // of a model that answers on streams; nil otherwise
	line    *limit.Limiter // one place per instance of the instance groups
	stats   counters
	forget  func() bool  // ends the wait for the engine's end
	refs    atomic.Int64 // the engine's claim and one per run; 0: freed
}

// newLoaded holds a session, whose runs end when base does.
func newLoaded(base context.Context, c *modelconfig.Config, s session, epoch string, threads int, p priority.Policy) *loaded {
	l := &loaded{config: c, session: s, epoch: epoch, threads: threads,
		line: limit.New(min(max(c.Instances, 1), maxInstances), maxWaiting).Named("instance_group.count of model '" + c.Name + "'").Under(p)}
	l.refs.Store(1)
	l.forget = context.AfterFunc(base, s.Stop)
	return l
}

// maxInstances bounds the runs of a version that go on at the same time.
const maxInstances = 1 << 10

// retain makes a claim; false where the load is freed already.
func (l *loaded) retain() bool {
	for {
		n := l.refs.Load()
		if n == 0 {
			return false
		}
		if l.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends a claim.
func (l *loaded) release() {
	if l.refs.Add(-1) == 0 {
		l.forget()
		_ = l.session.Close() // never fails
	}
}
