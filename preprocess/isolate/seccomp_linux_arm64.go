package isolate

import "golang.org/x/sys/unix"

const processor = unix.AUDIT_ARCH_AARCH64

var (
	allowedHere = [...]uintptr{}
	withoutHere = [...]uintptr{unix.SYS_FSTATAT}
)
