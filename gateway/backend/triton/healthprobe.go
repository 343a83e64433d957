package triton

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

const (
	liveMethod = "/inference.GRPCInferenceService/ServerLive"
	mindEvery  = 50 * time.Millisecond
	// An endpoint with calls under way that has given no sign of life for quietFor is asked for one. Two probes without an answer eject it: a server that hangs
	// is out of service after quietFor + missesToEject * probeTimeout + mindEvery, 1.2 s.
	quietFor      = 300 * time.Millisecond
	probeTimeout  = 400 * time.Millisecond
	missesToEject = 2
	// An ejected endpoint is probed after firstProbe, then every probeEvery; it comes back after goodProbes in a row, the last of which is a look at
	// all that it has loaded.
	firstProbe = 50 * time.Millisecond
	probeEvery = 250 * time.Millisecond
	goodProbes = 2
	letInEvery = time.Second // between two tries of what OnReturn was given
	lookProbe  = time.Second
)

// mind watches over the endpoints until ctx ends. It is what makes silence, return and change of addresses known where no call would.
func (c *Client) mind(ctx context.Context) {
	tick := time.NewTicker(mindEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := c.nanos()
		for _, e := range c.list() {
			silent := e.silent.Load()
			switch {
			case e.ejected.Load():
				if int64(now) >= e.probed.Load() {
					c.start(e, func() { c.probeEjected(ctx, e) })
				}
			case silent != 0 && now-time.Duration(silent) > quietFor:
				c.start(e, func() { c.probeSilent(ctx, e) })
			}
		}
		c.resolveDue(ctx, now)
		c.part(now)
	}
}

// start runs one probe of an endpoint at a time.
func (c *Client) start(e *endpoint, probe func()) {
	if e.probing.CompareAndSwap(false, true) {
		c.minding.Go(func() {
			defer e.probing.Store(false)
			probe()
		})
	}
}

// probeSilent asks a server for a sign of life.
func (c *Client) probeSilent(ctx context.Context, e *endpoint) {
	if err := c.ping(ctx, e); err != nil {
		if ctx.Err() == nil {
			c.missed(e, err)
		}
		return
	}
	e.alive(c.nanos())
}

// probeEjected asks a server that is out of service whether it is back.
func (c *Client) probeEjected(ctx context.Context, e *endpoint) {
	err := c.ping(ctx, e)
	if err == nil {
		e.good++
	} else {
		e.good = 0
	}
	if e.good >= goodProbes {
		if err = c.lookAgain(ctx, e); err == nil {
			if err = c.letIn(ctx, e); err == nil && !e.ejected.Load() {
				return
			}
			e.good = 0
			e.probed.Store(int64(c.nanos() + letInEvery))
			return
		}
		e.good = 0
	}
	pause := probeEvery
	if err == nil {
		pause = 0
	}
	e.probed.Store(int64(c.nanos() + pause))
}

// ping asks ServerLive, over the connection that calls take: it is the one that has to answer.
func (c *Client) ping(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := e.link.get(ctx, probeTimeout)
	if err != nil {
		return err
	}
	answer, _, err := conn.Call(ctx, liveMethod, e.fields(ctx), nil)
	if err != nil {
		_, err = statusError(conn, err)
		if status.Code(err) == codes.DeadlineExceeded {
			err = status.Error(codes.DeadlineExceeded, "it does not answer")
		}
		return err
	}
	live := new(tritonpb.ServerLiveResponse)
	if proto.Unmarshal(answer, live) != nil || !live.GetLive() {
		return status.Error(codes.Unavailable, "it is not live")
	}
	return nil
}

// lookAgain looks at what a server has loaded before it gets a call, so that no answer of another load counts as the old one's.
func (c *Client) lookAgain(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, lookProbe)
	defer cancel()
	_, err := c.look(ctx, e)
	c.looked(ctx, e, err)
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}
