package edge

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostUnsent is how many bytes of an answer wait in the kernel beyond what the network takes. What is on its way is not bounded by it, so that a fast client far away is not slowed down.
const mostUnsent = 128 << 10

// boundUnsent bounds what a client that does not read can have copied into the kernel: megabytes for each connection otherwise, at once.
func boundUnsent(nc net.Conn) {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
		})
	}
}
