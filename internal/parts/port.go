package parts

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports are picked below the range that Linux gives to outgoing connections (from 32768 on), so that none of those takes the
// port of a server that is being restarted.
const (
	portFirst = 18000
	portCount = 14000
	portTries = 200
)

// FreePort is a TCP port of 127.0.0.1 on which nothing listens. No other process that picks its ports here is given the same one until this process ends, so a
// server may leave it and come back.
func FreePort(tb testing.TB) int {
	tb.Helper()
	ports, err := freePorts(1)
	Check(tb, err)
	return ports[0]
}

// FreeAddr is [FreePort] as "127.0.0.1:port".
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	return local(FreePort(tb))
}

// freePorts picks count different ports; all are held until the last is found.
func freePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for range portTries {
		port := portFirst + rand.IntN(portCount)
		giveBack, ok := reserve(port)
		if !ok {
			continue
		}
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			giveBack()
			continue
		}
		defer listener.Close()
		if ports = append(ports, port); len(ports) == count {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between %d and %d", count, portFirst, portFirst+portCount)
}

// reserve locks a file that stands for the port, which the tests of several packages, that run side by side, would otherwise pick between the moment in which it is
// found free and that in which its server listens. The lock ends with the process, and is not inherited. Where there can be no such file, all is as if there were no others.
func reserve(port int) (giveBack func(), ok bool) {
	folder := filepath.Join(os.TempDir(), "triton-gateway-ports")
	if os.MkdirAll(folder, 0o755) != nil {
		return func() {}, true
	}
	file, err := syscall.Open(filepath.Join(folder, strconv.Itoa(port)), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return func() {}, true
	}
	giveBack = func() { _ = syscall.Close(file) }
	if syscall.Flock(file, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		giveBack()
		return nil, false
	}
	return giveBack, true
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
