package cache

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
)

// slowly takes a time and heeds its context, as a backend does; it notes the time that it was given.
func slowly(takes time.Duration, given *atomic.Int64, runs *atomic.Int32) work {
	return func(ctx context.Context) ([]byte, Outcome, error) {
		runs.Add(1)
		if end, ok := ctx.Deadline(); ok {
			given.Store(int64(time.Until(end)))
		}
		select {
		case <-time.After(takes):
			return []byte("v"), Outcome{Stored: true}, nil
		case <-ctx.Done():
			return nil, Outcome{}, fault.New(fault.Timeout, "deadline_exceeded", "the model did not answer in time").Wrap(ctx.Err())
		}
	}
}

func TestAFlightHasTheDeadlineOfItsCaller(t *testing.T) {
	for _, how := range []sharing{share, lead, private} {
		synctest.Test(t, func(t *testing.T) {
			fs, key := quietFlights(), keyOf(1, "a")
			var given atomic.Int64
			var runs atomic.Int32
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, _, err := fs.do(ctx, key, how, slowly(time.Second, &given, &runs))
			if fault.KindOf(err) != fault.Timeout || time.Since(start) != 200*time.Millisecond || time.Duration(given.Load()) != 200*time.Millisecond {
				t.Errorf("%v after %v, given %v", err, time.Since(start), time.Duration(given.Load()))
			}
			synctest.Wait()
			if fs.underway() != 0 || runs.Load() != 1 {
				t.Errorf("%d flights left, %d runs", fs.underway(), runs.Load())
			}
		})
	}
}

// A caller with little time must not cost those who joined it their answer.
func TestFollowersWithMoreTimeBeginAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, key := quietFlights(), keyOf(1, "a")
		var given atomic.Int64
		var runs atomic.Int32
		hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		first := make(chan error, 1)
		go func() {
			_, _, err := fs.do(hurried, key, share, slowly(time.Second, &given, &runs))
			first <- err
		}()
		synctest.Wait()
		others := make(chan error, 3)
		for range 3 {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				value, _, err := fs.do(ctx, key, share, slowly(time.Second, &given, &runs))
				if string(value) != "v" && err == nil {
					t.Errorf("got %q", value)
				}
				others <- err
			}()
		}
		if err := <-first; fault.KindOf(err) != fault.Timeout {
			t.Errorf("the hurried one got %v", err)
		}
		for range 3 {
			if err := <-others; err != nil {
				t.Errorf("a patient one got %v", err)
			}
		}
		if runs.Load() != 2 || fs.underway() != 0 {
			t.Errorf("%d runs, want 2; %d under way", runs.Load(), fs.underway())
		}
	})
}
