package cache

import (
	"context"
	"testing"
	"testing/synctest"

	"triton-gateway/internal/priority"
)

// A computation has the class of the most urgent of those who wait for it, with all that is computed within it.
func TestAFlightHasTheClassOfItsMostUrgentCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := quietFlights()
		begun, release := make(chan context.Context, 1), make(chan struct{})
		inner := func(ctx context.Context) ([]byte, Outcome, error) {
			begun <- ctx
			<-release
			return []byte("v"), Outcome{}, nil
		}
		outer := func(ctx context.Context) ([]byte, Outcome, error) { return fs.do(ctx, keyOf(2, "a"), share, inner) }
		ask := func(class priority.Class, key Key, how sharing, run work) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, _, err := fs.do(priority.With(t.Context(), class), key, how, run)
				done <- err
			}()
			synctest.Wait()
			return done
		}
		first := ask(priority.Batch, keyOf(1, "a"), share, outer)
		ctx := <-begun
		rise := priority.Risen(ctx, priority.Batch)
		if got := priority.From(ctx); got != priority.Batch {
			t.Errorf("it begins as %v", got)
		}
		second := ask(priority.Interactive, keyOf(1, "a"), share, outer) // the whole
		if got := priority.From(ctx); got != priority.Interactive {
			t.Errorf("joined by somebody interactive it is %v", got)
		}
		select {
		case <-rise:
		default:
			t.Error("what waits is not told")
		}
		third := ask(priority.Realtime, keyOf(2, "a"), share, inner) // its part
		fourth := ask(priority.Batch, keyOf(1, "a"), share, outer)
		if got := priority.From(ctx); got != priority.Realtime {
			t.Errorf("joined by somebody realtime it is %v", got)
		}
		alone := ask(priority.Batch, keyOf(1, "a"), private, func(ctx context.Context) ([]byte, Outcome, error) {
			if got := priority.From(ctx); got != priority.Batch {
				t.Errorf("what nobody joins is %v", got)
			}
			return nil, Outcome{}, nil
		})
		close(release)
		for _, done := range []<-chan error{first, second, third, fourth, alone} {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
