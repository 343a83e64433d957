package isolate

import "golang.org/x/sys/unix"

const processor = unix.AUDIT_ARCH_X86_64

var (
	allowedHere = [...]uintptr{unix.SYS_TIME, unix.SYS_ARCH_PRCTL}
	withoutHere = [...]uintptr{unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_ACCESS, unix.SYS_READLINK, unix.SYS_NEWFSTATAT}
)
