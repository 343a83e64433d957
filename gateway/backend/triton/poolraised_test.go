package triton

import (
	"context"
	"testing"
	"time"

	"triton-gateway/internal/parts"
	"triton-gateway/internal/priority"
)

// A call that waits for a model goes first when somebody urgent waits for it too, and may leave all the same.
func TestACallThatIsRaisedGoesFirst(t *testing.T) {
	c, servers := fakes(t, 1, func(c *Config) { c.MaxRunning, c.Queue = 1, 10 })
	g := newGate()
	servers[0].Model("m", g.model)
	ends := make(chan string, 10)
	call := func(ctx context.Context, name string) {
		go func() {
			if _, err := c.Infer(ctx, requestOf("m", 1)); err != nil {
				name += " failed"
			}
			ends <- name
		}()
	}
	classes := func(want ...int) {
		t.Helper()
		parts.Until(t, "so many of each class wait", time.Minute, func() bool {
			p := c.pools.known("m", "1")
			p.mu.Lock()
			defer p.mu.Unlock()
			for i, class := range priority.All() {
				line := &p.line.Line // how many would have to go for somebody still more urgent tells the classes apart
				if i < 2 && (line.Yielding(class) != nil) != (want[i+1] > 0 || i == 0 && want[2] > 0) {
					return false
				}
			}
			return p.line.Len() == want[0]+want[1]+want[2]
		})
	}
	shared, class := priority.Share(priority.With(t.Context(), priority.Batch))
	gone, leave := context.WithCancel(shared)
	call(t.Context(), "first")
	<-g.came
	call(t.Context(), "interactive")
	classes(0, 1, 0)
	call(shared, "shared")
	classes(0, 1, 1)
	call(gone, "gone")
	classes(0, 1, 2)
	class.Raise(priority.Realtime)
	classes(2, 1, 0)
	leave()
	if got := <-ends; got != "gone failed" {
		t.Error(got)
	}
	for _, want := range []string{"first", "shared", "interactive"} {
		g.leave <- struct{}{}
		if got := <-ends; got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
