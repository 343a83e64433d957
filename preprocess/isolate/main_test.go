//go:build linux

package isolate_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/isolate"
	"triton-gateway/preprocess/opencv"
)

// The test program is also its own child, whose decoder does as it is told by pictures that are none.
func TestMain(m *testing.M) {
	if isolate.Wanted(os.Args[1:]) {
		os.Exit(isolate.Serve(obedient{opencv.New(1)}))
	}
	goleak.VerifyTestMain(m)
}

// obedient is the decoder with a mind for orders; all else goes to the real one.
type obedient struct{ *opencv.Engine }

const order = "order:"

func (o obedient) Decode(ctx context.Context, data []byte, h preprocess.Header, d preprocess.DecodeOptions) (preprocess.Pixels, error) {
	text, ordered := bytes.CutPrefix(data, []byte(order))
	if !ordered {
		return o.Engine.Decode(ctx, data, h, d)
	}
	what, rest, _ := strings.Cut(string(text), " ")
	px := preprocess.Pixels{Width: h.Width, Height: h.Height, Channels: 3, Data: make([]byte, 3*h.Width*h.Height)}
	switch what {
	case "echo":
		copy(px.Data, rest)
	case "crash":
		var nowhere *preprocess.Pixels
		nowhere.Width = len(rest)
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.SIGBUS)
	case "exit":
		os.Exit(3)
	case "panic":
		panic(rest)
	case "spin":
		for ctx.Err() == nil || rest == "deaf" {
			runtime.Gosched()
		}
		return px, fault.New(fault.Canceled, "client_closed", "the caller went away")
	case "sleep":
		time.Sleep(time.Hour)
	case "eat":
		var kept [][]byte
		for {
			part := make([]byte, 16<<20)
			for i := 0; i < len(part); i += 4096 {
				part[i] = 1
			}
			kept = append(kept, part)
		}
	case "fault":
		kind, code := fault.Internal, "internal"
		switch rest {
		case "large":
			kind, code = fault.TooLarge, "image_too_large"
		case "invalid":
			kind, code = fault.Invalid, "invalid_image"
		case "forbidden":
			kind, code = fault.Forbidden, "forbidden"
		}
		return px, fault.New(kind, code, "as ordered:\x1b[31m %s", strings.Repeat("x", 5000))
	case "call":
		px.Data[0] = byte(call(rest))
	default:
		panic("unknown order")
	}
	return px, nil
}

func (o obedient) DecodeRows(ctx context.Context, data []byte, h preprocess.Header, d preprocess.DecodeOptions, sink func([]byte) error) error {
	if !bytes.HasPrefix(data, []byte(order)) {
		return o.Engine.DecodeRows(ctx, data, h, d, sink)
	}
	px, err := o.Decode(ctx, data, h, d)
	if err != nil {
		return err
	}
	return sink(px.Data)
}

// call makes a system call that a decoder must not make, and gives its error number.
func call(name string) unix.Errno {
	path := []byte("/etc/passwd\x00")
	p := uintptr(unsafe.Pointer(&path[0]))
	var e unix.Errno
	switch name {
	case "socket":
		_, _, e = unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
	case "openat":
		_, _, e = unix.RawSyscall(unix.SYS_OPENAT, ^uintptr(99), p, unix.O_RDONLY)
	case "execve":
		_, _, e = unix.RawSyscall(unix.SYS_EXECVE, p, 0, 0)
	case "ptrace":
		_, _, e = unix.RawSyscall(unix.SYS_PTRACE, 0, 0, 0)
	case "kill":
		_, _, e = unix.RawSyscall(unix.SYS_KILL, 1, 0, 0)
	case "fork":
		_, _, e = unix.RawSyscall(unix.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
	case "mmap":
		_, _, e = unix.RawSyscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_EXEC|unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	case "write":
		_, _, e = unix.RawSyscall(unix.SYS_WRITE, 1, p, 4)
	case "getpid":
		_, _, e = unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	}
	return e
}

// quiet is a log that only a failed test shows.
func quiet(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testLog{tb}, nil))
}

type testLog struct{ testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	return l.Output().Write(p)
}

// engine starts children for the length of a test.
func engine(tb testing.TB, change func(*isolate.Options)) *isolate.Engine {
	tb.Helper()
	o := isolate.Options{Children: 1, Memory: 512 << 20, Timeout: 5 * time.Minute, Input: 64 << 20, Local: opencv.New(1), Log: quiet(tb)}
	if change != nil {
		change(&o)
	}
	e, err := isolate.New(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = e.Close() })
	return e
}

// tell gives an order to a child as if it was a picture of 8 x 8.
func tell(ctx context.Context, e *isolate.Engine, what string) (preprocess.Pixels, error) {
	return e.Decode(ctx, []byte(order+what), preprocess.Header{Format: preprocess.PNG, Width: 8, Height: 8, Orientation: 1}, preprocess.DecodeOptions{})
}

func openFiles(tb testing.TB) int {
	tb.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(files)
}
