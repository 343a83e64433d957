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

// What a child does costs one picture, is told as that picture's fault or not, and is counted; the next picture is served.
func TestAChildThatFails(t *testing.T) {
	e := engine(t, func(o *isolate.Options) { o.Timeout, o.Memory = time.Second, 64<<20 })
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
		if px, err := tell(t.Context(), e, "echo still"); err != nil || !strings.HasPrefix(string(px.Data), "still") {
			t.Fatalf("after %s: %v", c.order, err)
		}
		after := e.Stats().Restarts
		for reason, n := range after {
			if want := before[reason]; n != want && reason != c.reason || reason == c.reason && n != want+1 {
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
		if _, err := tell(t.Context(), e, "call "+name); !errors.Is(err, fault.New(fault.Invalid, "invalid_image", "")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts.Until(t, "six children have been counted", 10*time.Second, func() bool { return e.Stats().Restarts[isolate.Crashed] == 6 }) // after the call has been answered
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
