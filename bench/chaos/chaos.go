// Package chaos breaks what a gateway stands on, one part at a time and in several ways, while callers ask it at a steady rate, and says what the callers saw:
// how many were refused and how, how long the others waited, how soon all was as before, whether an accepted job was lost and whether an answer was wrong.
// It exists because each part's own tests show that part's failure, and nobody but a caller sees what all of them together make of it.
//
// The parts are real: the built gateway, a Triton, a Redis, a file system, a name server's protocol, a clock. A fault that cannot be made on a machine is
// said to be so, with the reason; none is imitated.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"triton-gateway/internal/pause"
)

// errCannot says that a fault cannot be made on this machine; the text that it is wrapped with says why.
var errCannot = errors.New("cannot be made on this machine")

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCannot, fmt.Sprintf(format, args...))
}

const (
	second = int64(time.Second)
	hour   = int64(time.Hour)
	day    = 24 * hour
)

// Cell is one way to break one part.
type Cell struct {
	Part string // triton, redis, disk, dns, clock
	Kind string // kill, hang, slow, garbage
	Does string // in a few words
	// breaks does it and gives what ends it. An error that is errCannot says that this machine does not let it.
	breaks func(*Rig) (mend func() error, err error)
	// readies is done before the load; nil for nothing.
	readies func(*Rig) error
	// after is done where jobs have not ended long after the load, which has to let them end; nil: they are lost.
	after   func(*Rig) error
	lasting time.Duration // of the fault, where the plan's is too short for it to show
	slow    bool          // takes too long for a short run
}

// Name is part and kind.
func (c Cell) Name() string { return c.Part + " " + c.Kind }

// Plan says for how long, and how much.
type Plan struct {
	Rate   float64       // calls a second
	Before time.Duration // of load without a fault
	Fault  time.Duration // at least
	Calm   time.Duration // without a bad answer, after which all is as before
	Bound  time.Duration // within which all has to be as before
}

// Full is the plan of the table in docs/chaos.md.
func Full() Plan {
	return Plan{Rate: 40, Before: 5 * time.Second, Fault: 8 * time.Second, Calm: 3 * time.Second, Bound: time.Minute}
}

// Short is for seconds.
func Short() Plan {
	return Plan{Rate: 20, Before: time.Second, Fault: 1500 * time.Millisecond, Calm: time.Second, Bound: 30 * time.Second}
}

// Run breaks one thing under load and says what came of it. An error is the harness's own, or errCannot.
func (p Plan) Run(ctx context.Context, r *Rig, c Cell) (*Row, error) {
	if c.readies != nil {
		if err := c.readies(r); err != nil {
			return nil, err
		}
	}
	t, err := NewTraffic(r)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	stop := t.Start(ctx, p.Rate)
	pause.For(ctx, p.Before)
	broken := t.now()
	mend, err := c.breaks(r)
	if err == nil {
		pause.For(ctx, max(p.Fault, c.lasting))
		err = mend()
	}
	if err != nil {
		stop()
		return nil, err
	}
	mended := t.now()
	calm := t.awaitCalm(ctx, broken, mended, p)
	stop()
	row := &Row{Cell: c, samples: t.Seen(), broken: broken, mended: mended, Calm: calm}
	t.await(ctx, p.Bound)
	if waiting := t.jobs.waiting(); waiting > 0 && c.after != nil {
		if err := c.after(r); err != nil {
			return nil, err
		}
		t.await(ctx, p.Bound)
		t.jobs.Late = waiting - t.jobs.waiting()
	}
	row.Jobs = t.jobs.sum(ctx)
	return row, nil
}
