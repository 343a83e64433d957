package parts

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fatal is a test that only notes that it failed.
type fatal struct {
	testing.TB
	said string
}

func (*fatal) Helper() {}

func (f *fatal) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		Until(t, "at once", 0, func() bool { return true })
		begun := time.Now()
		Until(t, "a second is over", time.Minute, func() bool { return time.Since(begun) >= time.Second })
		if took := time.Since(begun); took > 1010*time.Millisecond {
			t.Errorf("it was seen after %v", took)
		}
		f := &fatal{TB: t}
		var wait sync.WaitGroup
		begun = time.Now()
		wait.Go(func() { Until(f, "the moon is full", 2*time.Second, func() bool { return false }) })
		wait.Wait()
		if f.said != "still not after 2s: the moon is full" || time.Since(begun) != 2*time.Second {
			t.Errorf("%q after %v", f.said, time.Since(begun))
		}
	})
}
