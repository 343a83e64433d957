package embedded

import (
	"sync/atomic"

	"triton-gateway/modelconfig"
)

// loaded is one load of one version. It is freed when the engine and the last run have let go of it, so that a version can be
// replaced while requests run on the earlier load.
type loaded struct {
	config  *modelconfig.Config // completed; not changed any more
	session session
	epoch   string
	threads int           // threads of one run
	slots   chan struct{} // one place per instance of the instance groups
	refs    atomic.Int64  // the engine's claim and one per run; 0: freed
}

func newLoaded(c *modelconfig.Config, s session, epoch string, threads int) *loaded {
	l := &loaded{config: c, session: s, epoch: epoch, threads: threads, slots: make(chan struct{}, instances(c))}
	l.refs.Store(1)
	return l
}

// instances is how many runs of a version go on at the same time. Without instance groups Triton starts two for ONNX models on a CPU
// (triton-inference-server/core, model_config_utils.cc).
func instances(c *modelconfig.Config) int {
	const most = 1 << 10
	if c.Instances == 0 {
		return 2
	}
	return min(c.Instances, most)
}

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
		_ = l.session.Close() // never fails
	}
}
