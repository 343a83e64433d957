//go:build !linux

package edge

import "net"

// boundUnsent does nothing: other systems have no such bound, or another one.
func boundUnsent(net.Conn) {}
