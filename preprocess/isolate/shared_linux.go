package isolate

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of futex(2). They are not the private ones: the word is shared between processes.
const (
	futexWait = 0
	futexWake = 1
)

// sleep waits until word is woken, unless it is not value any more; most is how long, 0 for ever. It may return early.
func sleep(word *atomic.Uint32, value uint32, most time.Duration) {
	var limit *unix.Timespec
	if most > 0 {
		t := unix.NsecToTimespec(int64(most))
		limit = &t
	}
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(limit)), 0, 0)
}

// wake ends all sleeping on word.
func wake(word *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1<<30, 0, 0, 0)
}

// newMemory makes a file in memory that can neither grow nor shrink: a child that could cut it would have the parent fail where it reads.
func newMemory(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memory that can be shared: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := unix.Ftruncate(fd, size); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%d bytes of memory that can be shared: %w", size, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("memory of a fixed size: %w", err)
	}
	return f, nil
}

// mapMemory shows the whole file in this process. release takes it away again.
func mapMemory(fd uintptr, size int64) (a area, release func(), err error) {
	memory, err := unix.Mmap(int(fd), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return memory, func() { _ = unix.Munmap(memory) }, nil
}

// letGo hands the memory of the input beyond its first bytes back to the system: one large picture would keep it for good.
func (a area) letGo(keep int) {
	in := a.input()
	page := os.Getpagesize()
	if from := (keep + page - 1) / page * page; from < len(in) {
		_ = unix.Madvise(in[from:], unix.MADV_REMOVE)
	}
}

// processorTime is what a process has used.
func processorTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	const clockOfProcess = 2 // CPUCLOCK_SCHED in the kernel's clock ids of processes
	if err := unix.ClockGettime(int32(^pid<<3|clockOfProcess), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// shownSignal gives a wait status in words, without what a child could have written.
func shownSignal(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}
