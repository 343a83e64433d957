package jobs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/jobs"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if !jobs.Pause(t.Context(), 3*time.Second) || time.Since(begun) != 3*time.Second {
			t.Errorf("it was over after %v", time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if jobs.Pause(ctx, time.Minute) || time.Since(begun) != time.Second {
			t.Errorf("the end of the context was seen after %v", time.Since(begun))
		}
		if jobs.Pause(ctx, time.Minute) || time.Since(begun) != time.Second {
			t.Errorf("with a context that had ended it lasted until %v", time.Since(begun))
		}
	})
}
