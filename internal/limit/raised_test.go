package limit

import (
	"context"
	"testing"
	"testing/synctest"

	"triton-gateway/internal/priority"
)

// Work that waits is raised with the class of who waits for it.
func TestOneWhoWaitsIsRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 10)
		release, _, _ := l.Acquire(t.Context())
		order := make(chan string, 10)
		wait := func(ctx context.Context, name string) {
			go func() {
				release, _, err := l.Acquire(ctx)
				if err != nil {
					name += " failed"
				}
				order <- name
				if err == nil {
					release()
				}
			}()
			synctest.Wait()
		}
		shared, class := priority.Share(priority.With(t.Context(), priority.Batch))
		gone, leave := context.WithCancel(shared)
		wait(t.Context(), "before")
		wait(shared, "shared")
		wait(gone, "gone")
		wait(t.Context(), "after")
		class.Raise(priority.Interactive)
		synctest.Wait()
		class.Raise(priority.Realtime)
		synctest.Wait()
		leave()
		if got := <-order; got != "gone failed" || l.Stats().Waiting != 3 {
			t.Errorf("%s, %+v", got, l.Stats())
		}
		wait(priority.With(t.Context(), priority.Realtime), "late")
		release()
		for _, want := range []string{"shared", "late", "before", "after"} {
			if got := <-order; got != want {
				t.Errorf("%s, not %s", got, want)
			}
		}
		if s := l.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}
