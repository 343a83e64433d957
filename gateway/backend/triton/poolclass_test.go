package triton

import (
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// One place, and a line of three: the urgent call goes first, and where the line is full the newest of the least urgent ones goes.
func TestTheLineOfAModelKnowsClasses(t *testing.T) {
	var meter priority.Meter
	c, servers := fakes(t, 1, func(c *Config) { c.MaxRunning, c.Queue, c.Priorities = 1, 3, priority.Policy{Meter: &meter} })
	g := newGate()
	servers[0].Model("m", g.model)
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, 10)
	call := func(class priority.Class, name string) {
		go func() {
			_, err := c.Infer(priority.With(t.Context(), class), requestOf("m", 1))
			ends <- end{name, err}
		}()
	}
	waiting := func(n int) {
		t.Helper()
		until(t, "so many wait", time.Minute, func() bool {
			p := c.pools.known("m", "1")
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.line.Len() == n
		})
	}
	call(priority.Batch, "first")
	<-g.came
	for i, name := range []string{"batch 1", "batch 2", "interactive"} {
		call([]priority.Class{priority.Batch, priority.Batch, priority.Interactive}[i], name)
		waiting(i + 1)
	}
	batch, urgent := priority.With(t.Context(), priority.Batch), priority.With(t.Context(), priority.Realtime)
	wantFault(t, c.Full(batch, "m", "1"), fault.Busy, "queue_full")
	if err := c.Full(urgent, "m", "1"); err != nil {
		t.Errorf("realtime is told that there is no room: %v", err)
	}
	call(priority.Realtime, "realtime")
	if e := <-ends; e.name != "batch 2" || wantFault(t, e.err, fault.Busy, "queue_full").RetryAfter <= 0 {
		t.Errorf("%+v made room", e)
	}
	waiting(3)
	for _, want := range []string{"first", "realtime", "interactive", "batch 1"} {
		g.leave <- struct{}{}
		if e := <-ends; e.name != want || e.err != nil {
			t.Errorf("%+v, not %s", e, want)
		}
	}
	if f := meter.Figures(); f[0].Waits != 1 || f[0].Refused != 0 || f[1].Waits != 1 || f[2].Waits != 1 || f[2].Refused != 2 {
		t.Errorf("%+v", f)
	}
}
