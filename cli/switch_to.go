package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type switchToCmd struct {
	switchOf
	Version string        `arg:"" help:"The version that is to serve."`
	Wait    bool          `short:"w" help:"Wait until it serves, or all is as before, and tell of each phase."`
	Every   time.Duration `default:"250ms" hidden:"" help:"Between two looks at how far it is."`
}

// Run begins a switch, and waits for its end where that is wanted.
func (c *switchToCmd) Run(ctx context.Context, e *Env) error {
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"to": c.Version})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if !c.Wait {
		header.Set("Prefer", "respond-async")
		raw, _, err := gw.send(ctx, http.MethodPost, switchPath(c.Model), header, body)
		if err != nil {
			return gw.elsewhere(err)
		}
		if err := c.show(e, raw); err != nil {
			return err
		}
		fmt.Fprintf(e.Err, "it has begun; `triton-gateway switch show %s` says how far it is\n", c.Model)
		return nil
	}
	raw, err := c.await(ctx, e, gw, header, body)
	if ctx.Err() != nil {
		return failure{exitInterrupted, fmt.Sprintf("interrupted; the switch goes on: `triton-gateway switch show %s` says how far it is", c.Model)}
	}
	if err != nil {
		return gw.elsewhere(err)
	}
	return c.show(e, raw)
}

// await switches, tells of the phases meanwhile, and gives the switch as it stands at the end. The gateway's answer is the end; where it is lost on the way, or too late
// for the gateway or a proxy, the state of the switch is.
func (c *switchToCmd) await(ctx context.Context, e *Env, gw *askedGateway, header http.Header, body []byte) (raw []byte, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		raw, _, err = gw.send(ctx, http.MethodPost, switchPath(c.Model), header, body)
	}()
	teller := &phaseTeller{e: e}
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			if !answerLost(err) || ctx.Err() != nil {
				return raw, err
			}
			return c.follow(ctx, gw, teller, tick.C)
		case <-tick.C:
			if now, err := gw.ask(ctx, http.MethodGet, switchPath(c.Model)); err == nil {
				teller.tell(now, false)
			}
		}
	}
}

// answerLost reports whether a switch may go on though its answer was none.
func answerLost(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return r.status == http.StatusGatewayTimeout
	}
	return err != nil && !errors.Is(err, errAway)
}

// follow waits for the end of a switch whose answer was lost. While the gateway is away it is asked again for some minutes: a switch outlives a gateway.
func (c *switchToCmd) follow(ctx context.Context, gw *askedGateway, teller *phaseTeller, tick <-chan time.Time) (raw []byte, err error) {
	const patience = 5 * time.Minute
	for {
		err := until(ctx, patience, func(error) {}, func() (err error) {
			raw, err = gw.ask(ctx, http.MethodGet, switchPath(c.Model))
			return err
		})
		if err != nil {
			return nil, err
		}
		d := teller.tell(raw, true)
		switch {
		case d == nil:
			return nil, fmt.Errorf("the answer is not JSON: %s", clipLine(string(raw), 80))
		case d.To != c.Version || d.Phase == "taking_back" || d.Phase == "taken_back":
			return nil, failure{exitUnanswered, fmt.Sprintf("version %s of %s does not serve: %s", c.Version, c.Model, d.stands())}
		case d.Phase != "loading" && d.Phase != "flipping":
			return raw, nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// phaseTeller says each phase once.
type phaseTeller struct {
	e    *Env
	last string
}

// tell reads a switch, and says how far it is where that is new; nil where it cannot be read. Before the end is known, only what is under way is said: what stands still may be
// of an earlier switch.
func (t *phaseTeller) tell(raw []byte, ends bool) *switchDoc {
	d, err := read[switchDoc](raw)
	if err != nil {
		return nil
	}
	switch d.Phase {
	case "loading", "flipping", "unloading", "taking_back":
		ends = true
	}
	if now := d.stands(); ends && now != t.last {
		t.last = now
		fmt.Fprintln(t.e.Err, now)
	}
	return &d
}
