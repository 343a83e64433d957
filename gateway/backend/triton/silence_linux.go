package triton

import (
	"net"
	"syscall"
	"time"
)

// userTimeout is TCP_USER_TIMEOUT of linux/tcp.h: how long what was sent, keepalives too, may stay unacknowledged, in ms.
const userTimeout = 18

// boundSilence breaks a connection whose peer does not acknowledge for so long.
func boundSilence(nc net.Conn, d time.Duration) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, int(d.Milliseconds())) // without it, TCP's own limits hold
			})
		}
	}
}
