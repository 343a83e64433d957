package gateway

import (
	"strings"
	"testing"
	"time"
)

func TestRolloutSettings(t *testing.T) {
	for text, edit := range map[string]func(*Rollout){
		"":                 func(*Rollout) {},
		"rollout.load":     func(r *Rollout) { r.Load = 0 },
		"rollout.drain":    func(r *Rollout) { r.Drain = -time.Second },
		"rollout.keep":     func(r *Rollout) { r.Keep = 0 },
		"rollout.warm_up":  func(r *Rollout) { r.WarmUp = -1 },
		"rollout.required": func(r *Rollout) { r.WarmUp, r.Required = 0, true },
		"rollout.parallel": func(r *Rollout) { r.Parallel = 1000 },
	} {
		c := DefaultConfig()
		edit(&c.Rollout)
		err := c.Validate()
		if (err != nil) != (text != "") || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	off := defaultRollout()
	off.WarmUp = 0
	if faults := off.check(); len(faults) != 0 {
		t.Errorf("without warm-up: %v", faults)
	}
	if s := off.settings(); s.Load != 5*time.Minute || s.Keep != 10*time.Minute || s.Parallel != 4 {
		t.Errorf("%+v", s)
	}
}
