package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	ended := func(t *testing.T) context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx
	}
	for name, c := range map[string]struct {
		ctx   func(*testing.T) context.Context
		d     time.Duration
		lasts time.Duration
		alive bool
	}{
		"whole":            {(*testing.T).Context, 3 * time.Second, 3 * time.Second, true},
		"ends first":       {short, time.Minute, time.Second, false},
		"had ended":        {ended, time.Minute, 0, false},
		"nothing":          {(*testing.T).Context, 0, 0, true},
		"late":             {(*testing.T).Context, -time.Second, 0, true},
		"late, and ended":  {ended, -time.Second, 0, false},
		"nothing, at once": {ended, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if alive := For(c.ctx(t), c.d); alive != c.alive {
					t.Errorf("alive: %v", alive)
				}
				if took := time.Since(began); took != c.lasts {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
