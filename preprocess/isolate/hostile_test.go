//go:build linux

package isolate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/preprocess/isolate"
)

// served waits until a child decodes a picture: on a machine with much else to do, one may take more than an engine's patience to start.
func served(t *testing.T, e *isolate.Engine) {
	t.Helper()
	parts.Until(t, "the next picture is decoded", 3*time.Minute, func() bool {
		px, err := tell(t.Context(), e, "echo still")
		if k := fault.KindOf(err); err != nil && k != fault.Unavailable && k != fault.Timeout || err == nil && !strings.HasPrefix(string(px.Data), "still") {
			t.Fatalf("%q, %v", px.Data, err)
		}
		return err == nil
	})
}

// What a child does costs one picture, is told as that picture's fault or not, and is counted; the next picture is served.
func TestAChildThatFails(t *testing.T) {
	patient := engine(t, func(o *isolate.Options) { o.Memory = 64 << 20 })
	hasty := engine(t, func(o *isolate.Options) { o.Timeout = time.Second })
	for _, c := range []struct {
		order  string
		kind   fault.Kind
		code   string
		reason string
	}{
		{"crash", fault.Invalid, "invalid_image", isolate.Crashed},
		{"signal", fault.Invalid, "invalid_image", isolate.Crashed},
		{"exit", fault.Invalid, "invalid_image", isolate.Crashed},
		{"panic on purpose", fault.Invalid, "invalid_image", isolate.Crashed},
		{"spin deaf", fault.Invalid, "invalid_image", isolate.Stuck},
		{"sleep", fault.Timeout, "deadline_exceeded", isolate.Stuck},
		{"eat", fault.TooLarge, "image_too_large", isolate.Memory},
	} {
		e := patient
		if c.reason == isolate.Stuck {
			e = hasty
		}
		served(t, e)
		before := e.Stats().Restarts
		_, err := tell(t.Context(), e, c.order)
		starved := c.order == "spin deaf" && fault.KindOf(err) == fault.Timeout // a machine with much else to do
		// Without memory Go's runtime may stumble before it can say so.
		stumbled := c.order == "eat" && errors.Is(err, fault.New(fault.Invalid, "invalid_image", ""))
		if stumbled {
			c.reason = isolate.Crashed
		}
		if !errors.Is(err, fault.New(c.kind, c.code, "")) && !starved && !stumbled {
			t.Errorf("%s: %v", c.order, err)
		}
		served(t, e)
		after := e.Stats().Restarts
		for reason, n := range after {
			want := before[reason]
			if reason == c.reason {
				want++
			}
			if n != want && !(e == hasty && reason == isolate.Stuck && n > want) { // more than a second for the next picture is possible, too
				t.Errorf("after %s: %d of %s, before %d", c.order, n, reason, want)
			}
		}
	}
}

// Faults of a decoder come through, if they are such as a decoder may have; their text is cut and cleaned.
func TestFaultsOfAChild(t *testing.T) {
	e := engine(t, nil)
	for what, want := range map[string]fault.Kind{"large": fault.TooLarge, "invalid": fault.Invalid, "forbidden": fault.Invalid, "internal": fault.Invalid} {
		_, err := tell(t.Context(), e, "fault "+what)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != want || len(f.Detail) > 200 || strings.Contains(f.Detail, "\x1b") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s := e.Stats(); s.Ready != 1 || s.Pictures != 4 || s.Time <= 0 {
		t.Errorf("%+v", s)
	}
}

// The filter: what a decoder needs is allowed, and all else is refused or ends the child.
func TestForbiddenCalls(t *testing.T) {
	e := engine(t, nil)
	if e.Report().Calls == 0 {
		t.Skip(e.Report())
	}
	for name, want := range map[string]unix.Errno{"getpid": 0, "socket": unix.EPERM, "openat": unix.EPERM} {
		px, err := tell(t.Context(), e, "call "+name)
		if err != nil || unix.Errno(px.Data[0]) != want {
			t.Errorf("%s: %v, %v", name, px.Data, err)
		}
	}
	for _, name := range []string{"execve", "ptrace", "kill", "fork", "mmap", "write"} {
		served(t, e)
		if _, err := tell(t.Context(), e, "call "+name); !errors.Is(err, fault.New(fault.Invalid, "invalid_image", "")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts.Until(t, "six children have been counted", 3*time.Minute, func() bool { return e.Stats().Restarts[isolate.Crashed] == 6 }) // after the call has been answered
}

// A caller who leaves is let go at once; the child stops where it listens, and is used again.
func TestCallersWhoLeave(t *testing.T) {
	e := engine(t, nil)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := tell(ctx, e, "spin")
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Canceled {
			t.Fatal(err)
		}
	}
	if px, err := tell(t.Context(), e, "echo next"); err != nil || !strings.HasPrefix(string(px.Data), "next") {
		t.Errorf("%q, %v", px.Data, err)
	}
	for reason, n := range e.Stats().Restarts {
		if n != 0 {
			t.Errorf("%d of %s", n, reason)
		}
	}
}

// Children are killed from outside while pictures are decoded: at most one picture for each.
func TestKilledUnderLoad(t *testing.T) {
	e := engine(t, func(o *isolate.Options) { o.Children = 2 })
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	failed, answered := 0, 0
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				px, err := tell(t.Context(), e, "echo load")
				if err != nil && strings.Contains(err.Error(), "no decoder is there now") {
					continue // they take longer to start than an engine's patience, on a machine with much else to do
				}
				mu.Lock()
				if answered++; err != nil {
					failed++
					if k := fault.KindOf(err); k != fault.Unavailable && k != fault.Invalid {
						t.Errorf("%v", err)
					}
				} else if !strings.HasPrefix(string(px.Data), "load") {
					t.Errorf("%q", px.Data)
				}
				mu.Unlock()
			}
		})
	}
	kills := 0
	for kills < 6 {
		for _, pid := range isolate.Pids(e) {
			if unix.Kill(pid, []syscall.Signal{unix.SIGKILL, unix.SIGSEGV}[kills%2]) == nil {
				kills++
				isolate.AwaitGone(e, pid)
			}
		}
	}
	stop()
	all.Wait()
	if failed > kills || answered <= failed {
		t.Errorf("%d of %d failed with %d kills", failed, answered, kills)
	}
	t.Logf("%d of %d failed with %d kills", failed, answered, kills)
}

// When the engine is closed, nothing is left: no process, no zombie, no file.
func TestCloseLeavesNothing(t *testing.T) {
	before := openFiles(t)
	e := engine(t, func(o *isolate.Options) { o.Children = 2 })
	if _, err := tell(t.Context(), e, "crash"); err == nil {
		t.Error("no crash")
	}
	pids := isolate.Pids(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("child %d: %v", pid, err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, %d were", after, before)
	}
	if _, err := tell(t.Context(), e, "echo late"); fault.KindOf(err) != fault.Draining {
		t.Error(err)
	}
}
