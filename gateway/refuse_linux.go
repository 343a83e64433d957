package gateway

import (
	"net"
	"syscall"
)

// refuseNew makes the kernel drop the first packet of every new connection to l. Connections that exist, and those whose first packet has
// come, go on. A client tries again after a second and finds the listener closed, or another one in its place.
func refuseNew(l net.Listener) error {
	if behind, ok := l.(interface{ Unwrap() net.Listener }); ok {
		l = behind.Unwrap()
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return net.ErrClosed
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	const flags, syn, ack, all = 13, 0x02, 0x10, 0xffffffff // of the TCP header, RFC 9293 section 3.1; sockets of TCP filter from there
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flags},
		{Code: syscall.BPF_ALU | syscall.BPF_AND | syscall.BPF_K, K: syn | ack},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: syn},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: all},
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.AttachLsf(int(fd), filter) }); err != nil {
		return err
	}
	return failed
}
