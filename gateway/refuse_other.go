//go:build !linux

package gateway

import (
	"errors"
	"net"
)

// refuseNew is for Linux alone.
func refuseNew(net.Listener) error { return errors.ErrUnsupported }
