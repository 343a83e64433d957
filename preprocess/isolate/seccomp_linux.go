//go:build linux && (amd64 || arm64)

package isolate

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the kernel's seccomp_data has what the filter looks at; both processors have their low words first.
const (
	dataCall      = 0
	dataProcessor = 4
	dataArguments = 16
)

// filter allows the calls that Go's runtime and decoders need, and no others, on all threads. The process ends at once with a call
// that nothing here makes; those that libraries try and can do without are refused. It gives the number of calls that are allowed.
// wakers are the files by which Go's runtime wakes its own threads.
func filter(wakers []int) (int, error) {
	guards := guarded(os.Getpid(), wakers)
	program := assemble(guards)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if e != 0 {
		return 0, e
	}
	return len(allowed) + len(allowedHere) + len(guards), nil
}

// guard allows a call only if one of its arguments, masked, is a value.
type guard struct {
	call     uintptr
	argument int
	mask     uint32
	value    uint32
}

func guarded(pid int, wakers []int) []guard {
	const thread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD
	list := []guard{
		{unix.SYS_WRITE, 0, ^uint32(0), errorsFile},
		{unix.SYS_MMAP, 2, unix.PROT_EXEC, 0},
		{unix.SYS_MPROTECT, 2, unix.PROT_EXEC, 0},
		{unix.SYS_CLONE, 0, thread, thread},
		{unix.SYS_TGKILL, 0, ^uint32(0), uint32(pid)},
	}
	for _, fd := range wakers {
		list = append(list, guard{unix.SYS_WRITE, 0, ^uint32(0), uint32(fd)}, guard{unix.SYS_READ, 0, ^uint32(0), uint32(fd)})
	}
	return list
}

// allowed are calls on every processor; allowedHere are those that only this one has.
var allowed = [...]uintptr{
	unix.SYS_FUTEX, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_MINCORE,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETCPU, unix.SYS_GETRANDOM,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_MEMBARRIER, unix.SYS_EPOLL_PWAIT, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// without are calls that fail, each with its number: what asks for them has another way.
var without = [...]struct {
	call  uintptr
	error unix.Errno
}{
	{unix.SYS_CLONE3, unix.ENOSYS}, // its flags cannot be seen here; the C library takes clone then
	{unix.SYS_OPENAT, unix.EPERM}, {unix.SYS_READ, unix.EPERM}, {unix.SYS_CLOSE, unix.EPERM}, {unix.SYS_FSTAT, unix.EPERM},
	{unix.SYS_FACCESSAT, unix.EPERM}, {unix.SYS_READLINKAT, unix.EPERM}, {unix.SYS_UNAME, unix.EPERM}, {unix.SYS_SYSINFO, unix.EPERM},
	{unix.SYS_PRCTL, unix.EPERM}, {unix.SYS_PRLIMIT64, unix.EPERM}, {unix.SYS_GETRUSAGE, unix.EPERM}, {unix.SYS_SOCKET, unix.EPERM},
}

// assemble writes the filter in the kernel's language.
func assemble(guards []guard) []unix.SockFilter {
	load := func(at int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: uint32(at)}
	}
	// unless skips the next n steps unless what was loaded is k.
	unless := func(k uint32, n int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(n)}
	}
	end := func(with uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: with} }

	program := []unix.SockFilter{load(dataProcessor), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: processor, Jt: 1}, end(unix.SECCOMP_RET_KILL_PROCESS), load(dataCall)}
	for _, list := range [][]uintptr{allowed[:], allowedHere[:]} {
		for _, call := range list {
			program = append(program, unless(uint32(call), 1), end(unix.SECCOMP_RET_ALLOW))
		}
	}
	for _, g := range guards {
		program = append(program, unless(uint32(g.call), 5), load(dataArguments+8*g.argument),
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: g.mask},
			unless(g.value, 1), end(unix.SECCOMP_RET_ALLOW), load(dataCall))
	}
	for _, call := range withoutHere {
		program = append(program, unless(uint32(call), 1), end(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
	}
	for _, w := range without {
		program = append(program, unless(uint32(w.call), 1), end(unix.SECCOMP_RET_ERRNO|uint32(w.error)))
	}
	return append(program, end(unix.SECCOMP_RET_KILL_PROCESS))
}
