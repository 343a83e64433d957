//go:build !linux

package triton

import (
	"net"
	"time"
)

// boundSilence leaves it to TCP's keepalives.
func boundSilence(net.Conn, time.Duration) {}
