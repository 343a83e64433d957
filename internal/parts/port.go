package parts

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports are picked below the range that Linux gives to outgoing connections (from 32768 on), so that none of those takes the
// port of a server that is being restarted.
const (
	portFirst = 18000
	portCount = 14000
	portTries = 200
)

// FreePort is a TCP port of 127.0.0.1 on which nothing listens. Nothing reserves it: start the listener soon, and
// be ready to pick another one.
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
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		defer listener.Close()
		if ports = append(ports, port); len(ports) == count {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between %d and %d", count, portFirst, portFirst+portCount)
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
