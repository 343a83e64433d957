package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"triton-gateway/internal/load"
)

const (
	// lateness is how much later a slow server answers.
	lateness = 500 * time.Millisecond
	// slowDisk is how many writes a second a slow disk does.
	slowDisk = 20
	// sweeps is long enough for the gateway to look for jobs whose time is over, which it does every 5 to 15 seconds.
	sweeps = 20 * time.Second
)

// Cells are all faults.
func Cells() []Cell {
	return []Cell{
		{Part: "triton", Kind: "kill", Does: "SIGKILL; started again after the time", breaks: (*Rig).killTriton, slow: true},
		{Part: "triton", Kind: "hang", Does: "SIGSTOP", breaks: func(r *Rig) (func() error, error) { return r.triton.Resume, r.triton.Pause() }},
		{Part: "triton", Kind: "slow", Does: "each of its bytes comes 500 ms later", breaks: func(r *Rig) (func() error, error) { return r.tritonProxy.slow() }},
		{Part: "triton", Kind: "garbage", Does: "random bytes instead of its own", breaks: func(r *Rig) (func() error, error) { return r.tritonProxy.garble() }},
		{Part: "redis", Kind: "kill", Does: "SIGKILL; started again, empty, after the time", breaks: (*Rig).killRedis},
		{Part: "redis", Kind: "hang", Does: "SIGSTOP", breaks: func(r *Rig) (func() error, error) { return r.redis.Resume, r.redis.Pause() }},
		{Part: "redis", Kind: "slow", Does: "each of its bytes comes 500 ms later", breaks: func(r *Rig) (func() error, error) { return r.redisProxy.slow() }},
		{Part: "redis", Kind: "garbage", Does: "random bytes instead of its own", breaks: func(r *Rig) (func() error, error) { return r.redisProxy.garble() }},
		{Part: "disk", Kind: "kill", Does: "full to the last byte", breaks: onDisk(func(r *Rig) (func() error, error) { return r.disk.fill() })},
		{Part: "disk", Kind: "hang", Does: "frozen: no write ends", breaks: onDisk(func(r *Rig) (func() error, error) { return r.disk.freeze() })},
		{Part: "disk", Kind: "slow", Does: "20 writes a second", breaks: onDisk(func(r *Rig) (func() error, error) { return r.disk.throttle(slowDisk) })},
		{Part: "disk", Kind: "garbage", Does: "every page of the jobs' database overwritten with random bytes; those not written anew are put back", readies: (*Rig).settled,
			breaks: onDisk((*Rig).scribble)},
		{Part: "dns", Kind: "kill", Does: "the server's port is closed", breaks: nameless(gone)},
		{Part: "dns", Kind: "hang", Does: "no question is answered", breaks: nameless(silent)},
		{Part: "dns", Kind: "slow", Does: "each answer takes 2 s", breaks: nameless(tardy)},
		{Part: "dns", Kind: "garbage", Does: "random bytes as answers", breaks: nameless(babbling)},
		{Part: "clock", Kind: "kill", Does: "ten years ahead, then back", lasting: sweeps, breaks: shiftedBy(3652 * day)},
		{Part: "clock", Kind: "hang", Does: "it stands still", lasting: sweeps, breaks: (*Rig).stopClock},
		{Part: "clock", Kind: "slow", Does: "an hour back, then right again", lasting: sweeps, breaks: shiftedBy(-hour)},
		{Part: "clock", Kind: "ahead", Does: "an hour ahead, then back", lasting: sweeps, breaks: shiftedBy(hour)},
		{Part: "clock", Kind: "garbage", Does: "somewhere else every 100 ms, up to an hour away", lasting: sweeps, after: (*Rig).laterClock, breaks: (*Rig).wanderingClock},
	}
}

func (r *Rig) killTriton() (func() error, error) {
	r.triton.Kill()
	return r.triton.Restart, nil
}

func (r *Rig) killRedis() (func() error, error) {
	r.redis.Kill()
	return r.redis.Restart, nil
}

func (p *proxy) slow() (func() error, error) {
	p.delay.Store(int64(lateness))
	return func() error { p.delay.Store(0); return nil }, nil
}

func (p *proxy) garble() (func() error, error) {
	p.rubbish.Store(true)
	return func() error { p.rubbish.Store(false); return nil }, nil
}

func onDisk(breaks func(*Rig) (func() error, error)) func(*Rig) (func() error, error) {
	return func(r *Rig) (func() error, error) {
		if r.disk == nil {
			return nil, r.plain
		}
		return breaks(r)
	}
}

// settled has the gateway work on jobs and end, so that they are in the database and not in its log, and start again with nothing of them in memory.
func (r *Rig) settled() error {
	if r.disk == nil {
		return r.plain
	}
	t, err := NewTraffic(r)
	if err != nil {
		return err
	}
	defer t.Close()
	const oldJobs = 200
	load.Closed(context.Background(), 8, oldJobs, 0, func(ctx context.Context, n int) (load.Verdict, string) {
		t.jobs.handIn(ctx, t.pictures[n%len(t.pictures)], fmt.Sprint(t.run, "-", n))
		return load.Answered, ""
	})
	r.old = slices.Clone(t.jobs.open)
	if j := t.Settle(context.Background(), time.Minute); j.Right < oldJobs {
		return fmt.Errorf("of %d jobs before the load, %d ended well: %v", oldJobs, j.Right, j.Lost)
	}
	return r.again()
}

func (r *Rig) scribble() (func() error, error) {
	r.aged.Store(true)
	mend, err := r.disk.scribble("jobs.db", r.still)
	return func() error {
		r.aged.Store(false)
		return mend()
	}, err
}

// nameless breaks the name server, and the connections that were made by names, so that names are needed.
func nameless(m nameMode) func(*Rig) (func() error, error) {
	return func(r *Rig) (func() error, error) {
		if r.names == nil {
			return nil, r.plain
		}
		before := r.names.asked.Load()
		if err := r.names.become(m); err != nil {
			return nil, err
		}
		r.tritonProxy.cut()
		r.redisProxy.cut()
		return func() error {
			if m != gone && r.names.asked.Load() == before {
				return errors.New("nobody asked the name server while it was broken")
			}
			return r.names.become(answering)
		}, nil
	}
}
